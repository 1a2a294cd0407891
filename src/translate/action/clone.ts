/** clone, and whatever else works on a copy of the packet: what it does is undone, or done to a copy by the datapath. */
import type { ActionOf, OfAction, OfActionType } from '../../openflow/action/types.ts';
import { commit } from '../commit.ts';
import type { ActionContext, XlateContext } from '../context.ts';

/** What no later set action can take back. */
const irreversible: ReadonlySet<OfActionType> = new Set([
  'ct',
  'meter',
  'nat',
  'output_trunc',
  'encap',
  'decap',
  'dec_nsh_ttl',
]);

const isReversible = (actions: readonly OfAction[]): boolean => actions.every(({ type }) => !irreversible.has(type));

export function clone(ctx: XlateContext, { actions }: ActionOf<'clone'>, { isLast }: ActionContext): void {
  translateClone(ctx, actions, isLast);
}

/**
 * Does actions on a copy, with a stack and an action set of its own, and its action set at the end. The flow is afterwards what
 * it was. When later actions could not undo what these do to the packet, the datapath makes a copy.
 */
export function translateClone(ctx: XlateContext, actions: readonly OfAction[], isLast: boolean): void {
  const { stack, actionSet } = ctx;
  const { mark } = ctx.keys;
  const flow = ctx.keys.copy(ctx.flow);
  ctx.stack = [...stack];
  ctx.actionSet = [...actionSet];
  if (isLast || isReversible(actions)) {
    ctx.bodies.translate(ctx, actions, isLast, false);
    ctx.bodies.finish(ctx);
  } else cloneInDatapath(ctx, actions);
  ctx.stack = stack;
  ctx.actionSet = actionSet;
  ctx.flow.copyFrom(flow);
  ctx.keys.release(mark);
}

function cloneInDatapath(ctx: XlateContext, actions: readonly OfAction[]): void {
  commit(ctx);
  const { mark } = ctx.keys;
  const base = ctx.keys.copy(ctx.base);
  const { actions: outer, wasMpls, isConntracked } = ctx;
  ctx.actions = [];
  ctx.bodies.translate(ctx, actions, true, false);
  ctx.bodies.finish(ctx);
  if (ctx.actions.length > 0) outer.push({ type: 'clone', actions: ctx.actions });
  ctx.actions = outer;
  ctx.wasMpls = wasMpls;
  ctx.isConntracked = isConntracked;
  ctx.base.copyFrom(base);
  ctx.keys.release(mark);
}
