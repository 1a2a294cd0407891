/**
 * What one kind of action is made of, and what it may ask of the others: an action can hold actions.
 *
 * Terms
 *   form     one way in which a kind stands on the wire: vendor, code, versions, size
 *   reject   text for a reader of flow syntax; on the wire, the name of an OpenFlow error
 */
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { Reader } from '../reader.ts';
import type { OfVersion } from '../version.ts';
import type { Writer } from '../wire.ts';
import type { ActionOf, OfAction, OfActionType } from './types.ts';

/** Experimenter ids of actions; 0 is the standard. */
export const NICIRA = 0x00002320;
export const ONF = 0x4f4e4600;

export type Decoded = OfAction | OfErrorName;
export type Parsed = OfAction | { readonly wrong: string };

export const wrong = (text: string): { readonly wrong: string } => ({ wrong: text });

/** The codec of all actions, as one kind sees it. */
export interface Codec {
  readonly version: OfVersion;
  /** The transport protocol that the flow matches: what mod_tp_src means where there is only set_field. */
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Whether, as far as is known, packets have a VLAN tag when they come to the action. */
  readonly tag: { isThere: boolean };
  decodeAll(bytes: Uint8Array): OfAction[] | OfErrorName;
  encodeAll(out: Writer, actions: readonly OfAction[]): void;
}

export interface TextContext {
  parseAll(text: string): OfAction[] | { readonly wrong: string };
  port(text: string): number | null;
  table(text: string): number | null;
}

export interface WireForm {
  readonly vendor: 0 | typeof NICIRA | typeof ONF;
  readonly code: number;
  readonly first: OfVersion;
  readonly last: OfVersion;
  /** Bytes, all headers included. */
  readonly size: number;
  /** More bytes may follow, in multiples of eight. */
  readonly isVariable?: boolean;
  /** @param r the whole action */
  readonly decode: (r: Reader, codec: Codec) => Decoded;
}

export interface ActionKind<T extends OfActionType = OfActionType> {
  readonly types: readonly T[];
  readonly forms: readonly WireForm[];
  encode(out: Writer, action: ActionOf<T>, codec: Codec): void;
  format(action: ActionOf<T>, formatAll: (actions: readonly OfAction[]) => string): string;
  /** The words that begin the action's text. @param value what stands behind the word's `:` or between its parentheses */
  readonly words: Readonly<Record<string, (value: string, context: TextContext) => Parsed>>;
}

/** Keeps the types of one kind together, and forgets them. */
export const kind = <T extends OfActionType>(spec: ActionKind<T>): ActionKind => spec as unknown as ActionKind;

export const standard = (
  code: number,
  [first, last]: readonly [OfVersion, OfVersion],
  size: number,
  decode: WireForm['decode'],
): WireForm => ({ vendor: 0, code, first, last, size, decode });

export const nicira = (code: number, size: number, decode: WireForm['decode']): WireForm => ({
  vendor: NICIRA,
  code,
  first: 1,
  last: 6,
  size,
  decode,
});

/** Actions on packet types: from OpenFlow 1.3 on (ovs-actions(7), encap). */
export const sinceOf13 = (code: number, decode: WireForm['decode']): WireForm => ({
  ...nicira(code, 16, decode),
  first: 4,
});

export const variable = (form: WireForm): WireForm => ({ ...form, isVariable: true });

/** Writes an action of the standard: its header, its body, zeros up to a multiple of eight. */
export function putStandard(out: Writer, code: number, body: (out: Writer) => void): void {
  const start = out.size;
  out.u16(code).u16(0);
  body(out);
  out.pad8(start).putU16(start + 2, out.size - start);
}

/** The same for an experimenter's action. */
export function putExperimenter(out: Writer, vendor: number, code: number, body: (out: Writer) => void): void {
  const start = out.size;
  out.u16(0xffff).u16(0).u32(vendor).u16(code);
  body(out);
  out.pad8(start).putU16(start + 2, out.size - start);
}

export const putNicira = (out: Writer, code: number, body: (out: Writer) => void = () => {}): void =>
  putExperimenter(out, NICIRA, code, body);

/** Ports of OpenFlow 1.1 and later have 32 bits: reserved ones move up. */
export const toPort32 = (port: number): number => (port >= 0xff00 ? port + 0xffff0000 : port);

/** Null for a number that no port can have. */
export function fromPort32(port: number): number | null {
  if (port < 0xff00) return port;
  return port >= 0xffffff00 ? port - 0xffff0000 : null;
}
