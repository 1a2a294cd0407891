/**
 * OpenFlow actions → what they do to a translation: one row an action.
 *
 * Terms. *outcome*: what an action says about the list it stands in. *to freeze*: to keep what is left of every open list for
 * when the packet comes back (ctx.triggerFreeze).
 *
 * Invariants. A list that is left while the packet freezes adds exactly what it has not done to ctx.frozenActions: an action
 * that froze the packet half-way is done again, one that was over (outcome `done`) is not.
 * A list is done by ctx.bodies.translate(ctx, actions, isLast, isBucket); what the actions of a bucket, a clone or another
 * bridge must not leave behind is put back by whoever calls it (clone.ts).
 */
import { formatActions } from '../../openflow/action/index.ts';
import type { ActionOf, OfActionType } from '../../openflow/action/types.ts';
import type { ActionBodies, ActionContext, XlateContext } from '../context.ts';
import { finishFreezing, unroll } from '../freeze.ts';
import type { FrozenAction } from '../recirc.ts';
import { executeActionSet } from './action-set.ts';
import { bundle } from './bundle.ts';
import { checkPktLarger } from './check-pkt-larger.ts';
import { clone } from './clone.ts';
import { conjunction, debugRecirc, debugSlow, exit, note } from './control.ts';
import { controller } from './controller.ts';
import { ct, ctClear } from './ct.ts';
import { decap, encap } from './encap.ts';
import { move, pop, push, setField } from './fields.ts';
import { finTimeout } from './fin-timeout.ts';
import { freezeRest, recirculateForMpls } from './freeze-rest.ts';
import { group } from './group.ts';
import * as header from './header.ts';
import { learn } from './learn.ts';
import { meter } from './meter.ts';
import * as mpls from './mpls.ts';
import { multipath } from './multipath.ts';
import { nat } from './nat.ts';
import { enqueue, output, outputReg, outputTrunc, popQueue, setQueue } from './output.ts';
import { sample } from './sample.ts';
import { clearActions, gotoTable, resubmit, writeActions, writeMetadata } from './tables.ts';
import { decMplsTtl, decNshTtl, decTtl } from './ttl.ts';
import { popVlan, pushVlan, setVlanPcp, setVlanVid } from './vlan.ts';

/**
 * `stop`: the list ends here, the pipeline does not. `done`: if the packet froze, it goes on behind this action. Nothing: if the
 * packet froze, it goes on with this action.
 */
type Outcome = 'stop' | 'done' | undefined;
type Translation<T extends OfActionType> = (
  ctx: XlateContext,
  action: ActionOf<T>,
  at: ActionContext,
  // biome-ignore lint/suspicious/noConfusingVoidType: most actions say nothing
) => Outcome | void;

const nothing = (): void => undefined;

const translations: { readonly [T in OfActionType]?: Translation<T> } = {
  output,
  output_reg: outputReg,
  output_trunc: outputTrunc,
  enqueue,
  set_queue: setQueue,
  pop_queue: popQueue,
  set_field: setField,
  move,
  push,
  pop,
  set_vlan_vid: setVlanVid,
  set_vlan_pcp: setVlanPcp,
  strip_vlan: popVlan,
  push_vlan: pushVlan,
  set_eth_src: header.setEthSrc,
  set_eth_dst: header.setEthDst,
  set_ipv4_src: header.setIpv4Src,
  set_ipv4_dst: header.setIpv4Dst,
  set_ip_dscp: header.setIpDscp,
  set_ip_ecn: header.setIpEcn,
  set_ip_ttl: header.setIpTtl,
  set_l4_src_port: header.setL4SrcPort,
  set_l4_dst_port: header.setL4DstPort,
  set_tunnel: header.setTunnel,
  dec_ttl: decTtl,
  dec_mpls_ttl: decMplsTtl,
  dec_nsh_ttl: decNshTtl,
  push_mpls: mpls.pushMpls,
  pop_mpls: mpls.popMpls,
  set_mpls_label: mpls.setMplsLabel,
  set_mpls_tc: mpls.setMplsTc,
  set_mpls_ttl: mpls.setMplsTtl,
  encap,
  decap,
  resubmit,
  goto_table: gotoTable,
  write_metadata: writeMetadata,
  write_actions: writeActions,
  clear_actions: clearActions,
  clone,
  exit,
  note,
  conjunction,
  debug_recirc: debugRecirc,
  debug_slow: debugSlow,
  delete_field: nothing,
  group,
  controller,
  bundle,
  multipath,
  learn,
  fin_timeout: finTimeout,
  sample,
  meter,
  ct,
  ct_clear: ctClear,
  nat,
};

/** Does a list of actions, one after the other. @param isLast nothing comes behind the list @param isBucket it is a bucket's */
function translateActions(
  ctx: XlateContext,
  actions: readonly FrozenAction[],
  isLast: boolean,
  isBucket: boolean,
): void {
  if (actions.length === 0) ctx.report('action', 'drop');
  for (let i = 0; i < actions.length; i++) {
    const action = actions[i]!;
    if (ctx.error !== 'none') return;
    recirculateForMpls(ctx, action);
    if (ctx.isExiting) {
      if (ctx.isFreezing) freezeRest(ctx, actions, i);
      return;
    }
    if (ctx.isTracing && action.type !== 'unroll') ctx.report('action', formatActions([action]));
    if (action.type === 'check_pkt_larger') {
      checkPktLarger(ctx, action, actions.slice(i + 1));
      return;
    }
    const isLastHere = isLast && i === actions.length - 1 && ctx.actionSet.length === 0;
    const outcome = translateAction(ctx, action, isLastHere, isBucket);
    if (outcome === 'stop') return;
    const isFirstToFreeze = ctx.isFreezing && ctx.isExiting && ctx.frozenActions.length === 0;
    if (isFirstToFreeze && ctx.error === 'none') {
      freezeRest(ctx, actions, outcome === 'done' ? i + 1 : i);
      return;
    }
  }
}

function translateAction(ctx: XlateContext, action: FrozenAction, isLast: boolean, isBucket: boolean): Outcome {
  if (action.type === 'unroll') {
    unroll(ctx, action);
    return;
  }
  const translate = translations[action.type] as Translation<OfActionType> | undefined;
  return translate?.(ctx, action, { isLast, isBucket }) ?? undefined;
}

/** The end of a pipeline: the action set is done, unless the packet freezes before or in it. */
function finish(ctx: XlateContext): void {
  if (!ctx.isFreezing) executeActionSet(ctx);
  if (ctx.isFreezing) finishFreezing(ctx);
}

export const bodies: ActionBodies = { translate: translateActions, finish };
