/** Tables: look a packet up in the bridge it is in, and do what the rule says. */
import { translateActions } from './action/index.ts';
import { DEPTH_MAX, RESUBMITS_MAX, type XlateContext } from './context.ts';
import type { RuleView, XlateError } from './types.ts';

function fail(ctx: XlateContext, error: XlateError & ('recursion' | 'resubmits'), text: string): void {
  ctx.report('error', text);
  ctx.error = error;
  ctx.noteDrop(error);
}

/** Looks the flow up and translates the actions of the rule. Depth and number of lookups are limited. */
export function enterTable(ctx: XlateContext, tableId: number): void {
  if (ctx.depth >= DEPTH_MAX) {
    fail(ctx, 'recursion', `over max translation depth ${DEPTH_MAX}`);
    return;
  }
  if (ctx.resubmits >= RESUBMITS_MAX) {
    fail(ctx, 'resubmits', `over ${RESUBMITS_MAX} resubmit actions`);
    return;
  }
  const rule = ctx.bridge.pipeline.lookup(tableId, ctx.flow, ctx.wildcards);
  ctx.resubmits++;
  ctx.depth++;
  if (!rule) ctx.noteDrop('table_miss');
  if (ctx.isTracing) ctx.within('table', headingOf(ctx, tableId, rule), () => obey(ctx, rule));
  else obey(ctx, rule);
  ctx.depth--;
}

function headingOf({ bridge }: XlateContext, tableId: number, rule: RuleView | null): string {
  const number = String(tableId).padStart(2);
  if (!rule) return `${number}. No match.`;
  const match = bridge.pipeline.matchText(rule);
  return `${number}. ${match === '' ? '' : `${match}, `}priority ${rule.priority}`;
}

function obey(ctx: XlateContext, rule: RuleView | null): void {
  if (rule) translateActions(ctx, rule.actions);
  else ctx.report('action', 'drop');
}
