/** OpenFlow actions → what they do to a translation: one file an action. */
import { formatActions } from '../../openflow/action/index.ts';
import type { ActionOf, OfAction, OfActionType } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';
import { output } from './output.ts';

type Translation<T extends OfActionType> = (ctx: XlateContext, action: ActionOf<T>) => void;

const translations: { readonly [T in OfActionType]?: Translation<T> } = { output };

/** Does a rule's actions, one after the other. */
export function translateActions(ctx: XlateContext, actions: readonly OfAction[]): void {
  for (const action of actions) {
    if (ctx.error !== 'none') return;
    if (ctx.isTracing) ctx.report('action', formatActions([action]));
    const translate = translations[action.type] as Translation<OfActionType> | undefined;
    translate?.(ctx, action);
  }
}
