/** What is left of a list when the packet freezes, and when a packet must freeze that MPLS was taken off. */
import type { OfActionType } from '../../openflow/action/types.ts';
import { findField } from '../../openflow/field/index.ts';
import type { XlateContext } from '../context.ts';
import type { FrozenAction, Unroll } from '../recirc.ts';

/** They tell controllers the table and the cookie of their rule. */
const namesItsRule: ReadonlySet<FrozenAction['type']> = new Set([
  'output_reg',
  'output_trunc',
  'group',
  'output',
  'controller',
  'dec_mpls_ttl',
  'dec_nsh_ttl',
  'dec_ttl',
]);

/** They do nothing when the packet comes back. */
const needsNoFreezing: ReadonlySet<FrozenAction['type']> = new Set(['nat', 'note', 'conjunction']);

const PRESENT_TABLE = 255;

const needsItsRule = (action: FrozenAction): boolean =>
  namesItsRule.has(action.type) || (action.type === 'resubmit' && action.table === PRESENT_TABLE);

/** Adds the actions from an index on to those that the packet goes on with. */
export function freezeRest(ctx: XlateContext, actions: readonly FrozenAction[], from: number): void {
  const { frozenActions } = ctx;
  for (const action of actions.slice(from)) {
    if (needsNoFreezing.has(action.type)) continue;
    if (needsItsRule(action)) addUnroll(ctx);
    frozenActions.push(action);
  }
}

function addUnroll({ frozenActions, tableId, ruleCookie }: XlateContext): void {
  const last = frozenActions.findLast((action): action is Unroll => action.type === 'unroll');
  if (last?.tableId === tableId && last.ruleCookie === ruleCookie) return;
  frozenActions.push({ type: 'unroll', tableId, ruleCookie });
}

/** They look at nothing behind the label stack. */
const staysBelowLabels: ReadonlySet<FrozenAction['type']> = new Set<OfActionType>([
  'output',
  'output_trunc',
  'enqueue',
  'output_reg',
  'set_vlan_vid',
  'set_vlan_pcp',
  'set_eth_src',
  'set_eth_dst',
  'set_tunnel',
  'set_queue',
  'group',
]);

const isBehindLabels = (name: string): boolean => {
  const needs = findField(name)?.needs ?? 'none';
  return !['none', 'ethernet', 'ct', 'vlan'].includes(needs);
};

/** A packet that has lost its last label freezes before the first action that may look at what is behind it. */
export function recirculateForMpls(ctx: XlateContext, action: FrozenAction): void {
  if (!ctx.wasMpls || ctx.isExiting) return;
  if (staysBelowLabels.has(action.type)) return;
  if (action.type === 'set_field' && !isBehindLabels(action.field)) return;
  ctx.triggerFreeze();
}
