/**
 * check_pkt_larger: the rest of the list is done twice, for packets that are longer and for those that are not, and the
 * datapath chooses (ovs-actions(7)).
 *
 * As in the reference: the action set is done in the first branch and is then empty; in the second what was gathered in it is
 * done; behind both it is what it was before, and an `exit` in the first branch holds.
 */
import type { DpAction } from '../../flow/odp/action.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import { commit } from '../commit.ts';
import type { XlateContext } from '../context.ts';
import type { FrozenAction } from '../recirc.ts';
import { writeSubfield } from './fields.ts';

type Check = ActionOf<'check_pkt_larger'>;

/** The datapath actions of one answer; flow and base are put back. */
function branch(ctx: XlateContext, { target }: Check, isLarger: boolean, rest: readonly FrozenAction[]): DpAction[] {
  const { keys, wasMpls, isConntracked, wildcards, actions: outer } = ctx;
  const mark = keys.mark;
  const [flow, base] = [keys.copy(ctx.flow), keys.copy(ctx.base)];
  // The register is known, not looked at
  const looked = keys.copy(wildcards);
  writeSubfield(ctx, target, Uint8Array.of(isLarger ? 1 : 0));
  wildcards.copyFrom(looked);
  ctx.actions = [];
  ctx.bodies.translate(ctx, rest, true, false);
  ctx.bodies.finish(ctx);
  const inner = ctx.actions;
  ctx.actions = outer;
  ctx.flow.copyFrom(flow);
  ctx.base.copyFrom(base);
  keys.release(mark);
  ctx.wasMpls = wasMpls;
  ctx.isConntracked = isConntracked;
  return inner;
}

/** Does the rest of the list as well: whoever walks it stops here. */
export function checkPktLarger(ctx: XlateContext, action: Check, rest: readonly FrozenAction[]): void {
  commit(ctx);
  const { actionSet } = ctx;
  ctx.actionSet = actionSet.slice();
  const greater = branch(ctx, action, true, rest);
  const { isExiting } = ctx;
  ctx.isExiting = false;
  ctx.actionSet = [];
  const lessEqual = ctx.error === 'none' ? branch(ctx, action, false, rest) : [];
  ctx.actionSet = actionSet;
  ctx.isExiting = isExiting;
  ctx.actions.push({ type: 'check_pkt_len', maxLen: action.size, greater, lessEqual });
}
