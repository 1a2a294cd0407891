/** The text form of one kind of datapath action. */
import type { DpAction } from '../action.ts';
import type { PortByName } from '../match/attribute.ts';
import type { Scanner } from '../scanner.ts';

export type ActionType = DpAction['type'];
export type ActionOf<T extends ActionType> = Extract<DpAction, { readonly type: T }>;

export interface ParseContext {
  /** Reads a list up to a closing parenthesis, which stays, or the end. */
  readonly list: (s: Scanner) => DpAction[];
  readonly portByName: PortByName | undefined;
}

export interface FormatContext {
  readonly list: (actions: readonly DpAction[]) => string;
  readonly portName: ((port: number) => string | null) | undefined;
}

export interface ActionForm {
  readonly type: ActionType;
  /** Reads from behind the action's word. What it gives after a failure is of no account. */
  parse(s: Scanner, context: ParseContext): DpAction;
  format(action: DpAction, context: FormatContext): string;
}

interface TypedForm<T extends ActionType> {
  readonly type: T;
  parse(s: Scanner, context: ParseContext): ActionOf<T>;
  format(action: ActionOf<T>, context: FormatContext): string;
}

/** A form for one type of action; the table hands it no other. */
export const form = <T extends ActionType>(typed: TypedForm<T>): ActionForm => typed as unknown as ActionForm;
