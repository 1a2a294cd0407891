/** OpenFlow actions → what they do to a translation: one file an action. */
import type { XlateContext } from '../context.ts';
import type { XlateAction } from '../types.ts';
import { normal } from './normal.ts';

/** The word that ovs-ofctl prints, and the translation. */
interface ActionRow {
  readonly format: (action: XlateAction) => string;
  readonly translate: (ctx: XlateContext, action: XlateAction) => void;
}

const rows: Readonly<Record<XlateAction['type'], ActionRow>> = {
  normal: { format: () => 'NORMAL', translate: normal },
};

/** Does a rule's actions, one after the other. */
export function translateActions(ctx: XlateContext, actions: readonly XlateAction[]): void {
  for (const action of actions) {
    if (ctx.error !== 'none') return;
    const row = rows[action.type];
    if (ctx.isTracing) ctx.report('action', row.format(action));
    row.translate(ctx, action);
  }
}
