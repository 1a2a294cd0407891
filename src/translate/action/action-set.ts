/** The action set: what write_actions has gathered, in the order in which it is done (OpenFlow 1.5 §5.6, ovs-actions(7)). */
import { formatActions } from '../../openflow/action/index.ts';
import type { OfAction, OfActionType } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';

/** Of these the last one of each type counts, in this order. */
const slots: readonly OfActionType[] = [
  'strip_vlan',
  'pop_mpls',
  'decap',
  'encap',
  'push_mpls',
  'push_vlan',
  'dec_ttl',
  'dec_mpls_ttl',
  'dec_nsh_ttl',
];

/** All of these are done, in the order in which they came. */
const changes: ReadonlySet<OfActionType> = new Set([
  ...(['set_field', 'move', 'set_eth_src', 'set_eth_dst', 'set_ip_dscp', 'set_ip_ecn', 'set_ip_ttl'] as const),
  ...(['set_ipv4_src', 'set_ipv4_dst', 'set_l4_src_port', 'set_l4_dst_port', 'set_mpls_label', 'set_mpls_tc'] as const),
  ...(['set_mpls_ttl', 'set_queue', 'set_tunnel', 'set_vlan_pcp', 'set_vlan_vid'] as const),
]);

/** One of these ends the list: of the first type in this order that there is, the last one. Without any nothing is done. */
const ends: readonly OfActionType[] = ['group', 'output', 'resubmit', 'ct_clear', 'ct'];

/** The actions of a set as they are done. */
export function orderActionSet(set: readonly OfAction[]): readonly OfAction[] {
  const lastOf = (type: OfActionType): OfAction | undefined => set.findLast((action) => action.type === type);
  const end = ends.map(lastOf).find((action) => action !== undefined);
  if (!end) return [];
  const first = slots.map(lastOf).filter((action) => action !== undefined);
  return [...first, ...set.filter(({ type }) => changes.has(type)), end];
}

export function reportActionSet(ctx: XlateContext, verb: 'is' | 'was'): void {
  if (!ctx.isTracing) return;
  const actions = orderActionSet(ctx.actionSet);
  ctx.report(
    'detail',
    actions.length === 0 ? `action set ${verb} empty` : `action set ${verb}: ${formatActions(actions)}`,
  );
}

/** Does what the set holds, and empties it. */
export function executeActionSet(ctx: XlateContext): void {
  if (ctx.actionSet.length === 0) return;
  const actions = orderActionSet(ctx.actionSet);
  ctx.actionSet = [];
  if (actions.length === 0) return;
  ctx.isInActionSet = true;
  ctx.within('table', '--. Executing action set:', () => ctx.bodies.translate(ctx, actions, true, false));
  ctx.isInActionSet = false;
}
