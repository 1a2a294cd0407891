/**
 * Translation: what the flow tables of a bridge say about a packet → what the datapath does with every packet like it.
 *
 * What. translate() takes a key and an immutable picture of the switch and answers with datapath actions and a match: the
 * megaflow. It has no state and does nothing to the world but through `Effects`.
 *
 * Terms. *flow*: the packet as the pipeline has it now. *base*: as the datapath has it after the actions so far; commit
 * makes the one into the other before an output. *wildcards*: the bits that were looked at. *resubmit*: to enter a table.
 *
 * Invariants. A bit outside the match may be flipped, and the answer stays the same (test/unit/translate/law.test.ts).
 * Depth and number of lookups are limited. A packet that goes nowhere has a drop reason.
 *
 * Lie of the land. types.ts: pictures and answers. context.ts: the state of one translation; scratch.ts: the keys it works
 * with. ingress.ts: which bridge and port. table.ts: lookups and misses. action/: the list of actions (index.ts), one subject a
 * file; field-plan.ts makes actions on fields ready. freeze.ts, recirc.ts: packets that come back. output.ts: what output to a
 * port means; flood-order.ts. tunnel/: sending and receiving ends. commit.ts: encap, set, push and pop; mpls-stack.ts. vlan.ts:
 * VLAN modes. wildcards.ts. trace.ts: the story as text.
 *
 * Not supported: mirrors, bonds, multicast snooping, tun_metadata in actions, encap and decap of MPLS.
 */
import { KEY, type KeyField, maskedMatch, PIPELINE, PipelineKey } from '../flow/key.ts';
import type { DpAction } from '../flow/odp/action.ts';
import type { DropReasonName } from '../gen/tables.ts';
import { bodies } from './action/index.ts';
import { XlateContext } from './context.ts';
import { frozenStateOf, thaw } from './freeze.ts';
import { findIngress, type Ingress } from './ingress.ts';
import { ACTSET_UNSET, clearTunnel, hasTunnel, isIp } from './protocols.ts';
import { enterTable, startTables } from './table.ts';
import type { XlateError, XlateIn, XlateOut } from './types.ts';
import { finishWildcards, installedMask, startWildcards } from './wildcards.ts';

const ECN = 0x03;
const CONGESTION = 0x03;
const CT_TRACKED = 0x20;
const ACTSET_OUTPUT = PIPELINE.actset_output as KeyField;

/** What an error drops a packet for, whatever else was said before. */
const errorDrops: Readonly<Partial<Record<XlateError, DropReasonName>>> = {
  recursion: 'recursion',
  resubmits: 'resubmits',
  stack_too_deep: 'action_depth',
  too_many_mpls_labels: 'action_invalid',
  unsupported_packet_type: 'action_invalid',
  forwarding_disabled: 'output_down',
};

function dropOf({ error, drop }: XlateContext, actions: readonly DpAction[]): DropReasonName {
  if (actions.some(delivers)) return 'none';
  return errorDrops[error] ?? (drop === 'none' ? 'no_output' : drop);
}

/** Translates one packet. */
export function translate(xin: XlateIn): XlateOut {
  const ingress = findIngress(xin);
  if (typeof ingress === 'string') return refused(xin, ingress);
  const ctx = new XlateContext(xin, ingress.bridge, ingress.ofport, enterTable, bodies);
  const { flow } = ctx;
  if (xin.pipeline) flow.bytes.set(xin.pipeline.bytes.subarray(PIPELINE.metadata.offset), PIPELINE.metadata.offset);
  flow.set(ACTSET_OUTPUT, ACTSET_UNSET);
  ctx.isPacketOut = xin.actions !== undefined;
  // The datapath does not keep tunnel metadata of a packet that it has decapsulated, unless it is set anew
  clearTunnel(ctx.base);
  startWildcards(ctx);
  if (hasTunnel(flow) && ingress.port) ctx.effects.creditPort(ingress.bridge.name, ingress.ofport, 'rx');
  ctx.inBridge(ingress.bridge.name, () => run(ctx, xin, ingress));
  ctx.releaseTables();
  finishWildcards(ctx.wildcards, xin.key, flow);
  const actions = ctx.error === 'none' ? withoutLastClone(ctx.actions) : [];
  return {
    match: maskedMatch(xin.key, installedMask(ctx.wildcards, ctx.claims, xin.key).packet, ctx.keys.zero().packet),
    wildcards: ctx.wildcards,
    actions,
    drop: dropOf(ctx, actions),
    installable: ctx.installable,
    inPort: ingress.ofport,
    finalFlow: flow,
    recircIds: ctx.recircIds,
    slowPath: ctx.slowPath,
    bridge: ingress.bridge.name,
    error: ctx.error,
    lookups: ctx.resubmits + 1,
  };
}

/** Nothing is left to be protected from what the last clone does to the packet. */
function withoutLastClone(actions: readonly DpAction[]): readonly DpAction[] {
  const last = actions.at(-1);
  return last?.type === 'clone' ? [...actions.slice(0, -1), ...last.actions] : actions;
}

const delivering: ReadonlySet<DpAction['type']> = new Set([
  'output',
  'clone',
  'tnl_pop',
  'tnl_push',
  'userspace',
  'recirc',
]);

const delivers = ({ type }: DpAction): boolean => delivering.has(type);

function run(ctx: XlateContext, xin: XlateIn, { port }: Ingress): void {
  const state = xin.resume ?? (ctx.initial.isZero(KEY.recirc_id) ? null : frozenStateOf(ctx));
  if (ctx.error !== 'none' || (state && !thaw(ctx, state))) return;
  if (!state) ctx.isConntracked = (ctx.flow.get(KEY.ct_state) & CT_TRACKED) !== 0;
  if (!processCongestion(ctx)) return;
  const end = (): void => endPipeline(ctx, port);
  const isRefused = !state && isRefusedBy(ctx, port);
  const actions = xin.actions ?? (state && (xin.resume || state.actions.length > 0) ? state.actions : null);
  if (!actions) {
    startTables(ctx, state?.tableId ?? 0, isRefused, end);
    return;
  }
  if (isRefused) return;
  bodies.translate(ctx, actions, true, false);
  end();
}

function endPipeline(ctx: XlateContext, port: Ingress['port']): void {
  if (ctx.error !== 'none') return;
  if (!port || port.forwards) {
    bodies.finish(ctx);
    return;
  }
  // The tables may learn from the packet, but it goes nowhere
  ctx.actions = [];
  ctx.cancelFreeze();
  ctx.actionSet = [];
  ctx.error = 'forwarding_disabled';
}

/** OFPPC_NO_RECV: the port takes nothing in (OpenFlow 1.0 §5.2.1). */
function isRefusedBy(ctx: XlateContext, port: Ingress['port']): boolean {
  if (!port || !ctx.bridge.portConfig.get(port.ofport)?.noReceive) return false;
  ctx.noteDrop('output_down');
  return true;
}

/** Outer congestion marks go inwards; a packet that cannot carry one is dropped (RFC 6040 §4.2). */
function processCongestion(ctx: XlateContext): boolean {
  const { flow } = ctx;
  if (!hasTunnel(flow) || !isIp(flow) || (flow.get(KEY.tun_tos) & ECN) !== CONGESTION) return true;
  if ((flow.get(KEY.nw_tos) & ECN) === 0) {
    ctx.noteDrop('tunnel_ecn');
    return false;
  }
  flow.set(KEY.nw_tos, flow.get(KEY.nw_tos) | CONGESTION);
  return true;
}

/** No bridge takes the packet: a drop for all that come the same way. */
function refused(xin: XlateIn, error: 'in_port_invalid' | 'tunnel_no_config'): XlateOut {
  const wildcards = new PipelineKey();
  for (const field of [KEY.in_port, KEY.recirc_id, KEY.packet_type]) wildcards.setAllOnes(field);
  if (hasTunnel(xin.key)) {
    const fields = [KEY.tun_id, KEY.tun_src, KEY.tun_dst, KEY.tun_ipv6_src, KEY.tun_ipv6_dst];
    for (const field of fields) wildcards.setAllOnes(field);
  }
  return {
    match: maskedMatch(xin.key, wildcards.packet),
    wildcards,
    actions: [],
    drop: error,
    installable: true,
    inPort: null,
    finalFlow: PipelineKey.of(xin.key),
    recircIds: [],
    slowPath: 0,
    bridge: null,
    error,
    lookups: 0,
  };
}
