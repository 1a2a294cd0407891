/**
 * The slow, obvious twin of assembly/action: runs datapath actions on one frame, in plain TypeScript.
 *
 * Terms. *effect*: what comes of it: a frame sent, a frame handed to the control side, a frame looked up again, a drop.
 *
 * Invariants. Every copy ends in exactly one effect. Nothing is shared with the datapath but the types and the slow
 * parser: bytes are put together anew for every change, and checksums are summed over all they cover.
 *
 * Not supported: what a lookup does after recirculation (an effect says that there was one); probabilities other than
 * never and always; hash values (a marker stands for them).
 */
import { extractKey } from '../../src/flow/extract.ts';
import { FlowKey, KEY } from '../../src/flow/key.ts';
import type { DpAction, UpcallReason } from '../../src/flow/odp/action.ts';
import { ACTION_DEPTH_MAX, HEADROOM } from '../../src/gen/limits.ts';
import type { DropReasonName } from '../../src/gen/tables.ts';
import { popEth, popMpls, popNsh, popVlan, pushEth, pushMpls, pushNsh, pushVlan } from './headers.ts';
import { type TwinMeters, takesMeter } from './meter.ts';
import { copyOf, Dropped, dropped, type TwinPacket } from './packet.ts';
import { setters } from './set.ts';
import { type TwinTunnels, tunnelPop, tunnelPush } from './tunnel.ts';

export type Effect =
  | { readonly type: 'output'; readonly port: number; readonly packet: TwinPacket }
  | {
      readonly type: 'upcall';
      readonly reason: UpcallReason;
      readonly packet: TwinPacket;
      readonly userdata: Uint8Array;
    }
  | { readonly type: 'recirculate'; readonly packet: TwinPacket }
  | { readonly type: 'drop'; readonly reason: DropReasonName };

export interface TwinState {
  readonly tunnels: TwinTunnels;
  readonly meters: TwinMeters;
  /** Microseconds. */
  now: number;
}

export const twinState = (): TwinState => ({
  tunnels: { sequences: new Map(), types: new Map(), policyPorts: new Set() },
  meters: new Map(),
  now: 1_000_000,
});

/** What dp_hash is after a hash action: only that it is not 0 is promised. */
export const SOME_HASH = 0xffffffff;
const ALWAYS = 0xffffffff;

/** A frame as it comes in, parsed. */
export function arrive(frame: Uint8Array, inPort: number, packetType = 0, base = new FlowKey()): TwinPacket {
  const { offsets, l2Pad } = extractKey(frame, { inPort, packetType, base });
  return {
    frame: frame.slice(),
    inPort,
    recircId: 0,
    packetType,
    ...offsets,
    l2Pad,
    cut: 0,
    headroom: HEADROOM,
    meta: base.clone(),
    tunnels: [],
    isSourcePortChosen: false,
  };
}

/** The key that a parser finds in a packet as it is now. */
export const keyOf = ({ frame, inPort, recircId, packetType, meta }: TwinPacket): FlowKey =>
  extractKey(frame, { inPort, recircId, packetType, base: meta }).key;

const uses = new Set<DpAction['type']>([
  'output',
  'userspace',
  'tnl_pop',
  'recirc',
  'clone',
  'sample',
  'meter',
  'check_pkt_len',
]);

/** The last action that a packet can end in, before any drop; later changes nobody sees. */
function lastUse(actions: readonly DpAction[]): number {
  const end = actions.findIndex(({ type }) => type === 'drop');
  return actions.findLastIndex(({ type }, index) => uses.has(type) && (end < 0 || index < end));
}

/** @param endReason what a packet that is left at the end is counted as */
export function execute(
  state: TwinState,
  packet: TwinPacket,
  actions: readonly DpAction[],
  endReason: DropReasonName = 'explicit',
  depth = 0,
): Effect[] {
  if (depth >= ACTION_DEPTH_MAX) return [{ type: 'drop', reason: 'action_depth' }];
  const effects: Effect[] = [];
  const last = lastUse(actions);
  try {
    for (const [index, action] of actions.entries()) {
      if (!uses.has(action.type)) change(state, packet, action);
      else if (action.type === 'meter') {
        if (!takesMeter(state.meters, action.id, packet, state.now)) throw dropped('meter');
      } else {
        const own = index === last ? packet : copyOf(packet);
        if (action.type !== 'sample') packet.cut = index === last ? packet.cut : 0;
        effects.push(...use(state, own, action, depth, index === last));
        if (index === last) return effects;
      }
    }
    throw dropped(endReason);
  } catch (error) {
    if (!(error instanceof Dropped)) throw error;
    effects.push({ type: 'drop', reason: error.reason });
  }
  return effects;
}

function applyCut(packet: TwinPacket): void {
  packet.frame = packet.frame.slice(0, Math.max(0, packet.frame.length - packet.cut));
  packet.cut = 0;
}

/** The packet, original or copy, ends in this action. */
function use(state: TwinState, packet: TwinPacket, action: DpAction, depth: number, isLast: boolean): Effect[] {
  switch (action.type) {
    case 'output':
      applyCut(packet);
      return [{ type: 'output', port: action.port, packet }];
    case 'userspace':
      applyCut(packet);
      if (packet.frame.length < 14) return [{ type: 'drop', reason: 'rx_runt' }];
      return [{ type: 'upcall', reason: action.reason, packet, userdata: action.userdata }];
    case 'recirc':
      packet.recircId = action.id;
      return [{ type: 'recirculate', packet }];
    case 'tnl_pop':
      applyCut(packet);
      try {
        tunnelPop(packet, action.port, state.tunnels);
      } catch (error) {
        if (error instanceof Dropped) return [{ type: 'drop', reason: error.reason }];
        throw error;
      }
      return [{ type: 'recirculate', packet }];
    case 'clone':
      return execute(state, packet, action.actions, 'sample_end', depth + 1);
    case 'sample':
      if (action.probability === ALWAYS) return execute(state, packet, action.actions, 'sample_end', depth + 1);
      return isLast ? [{ type: 'drop', reason: 'sample_end' }] : [];
    case 'check_pkt_len': {
      const isLonger = packet.frame.length - packet.cut > action.maxLen;
      return execute(state, packet, isLonger ? action.greater : action.lessEqual, 'explicit', depth + 1);
    }
    default:
      throw new Error(`${action.type} is not a use`);
  }
}

function change(state: TwinState, packet: TwinPacket, action: DpAction): void {
  switch (action.type) {
    case 'trunc':
      packet.cut = Math.max(0, packet.frame.length - Math.max(14, action.maxLen));
      return;
    case 'drop':
      throw dropped(action.reason);
    case 'set':
      setters[action.target](packet, action);
      return;
    case 'push_vlan':
      pushVlan(packet, action.tpid, action.tci);
      return;
    case 'pop_vlan':
      popVlan(packet);
      return;
    case 'push_mpls':
      pushMpls(packet, action.lse, action.ethType);
      return;
    case 'pop_mpls':
      popMpls(packet, action.ethType);
      return;
    case 'push_eth':
      pushEth(packet, action.dst, action.src);
      return;
    case 'pop_eth':
      popEth(packet);
      return;
    case 'push_nsh':
      pushNsh(packet, action);
      return;
    case 'pop_nsh':
      popNsh(packet);
      return;
    case 'tnl_push':
      if (packet.headroom >= action.header.bytes.length) applyCut(packet);
      tunnelPush(packet, action, state.tunnels);
      return;
    case 'hash':
      packet.meta.set(KEY.dp_hash, SOME_HASH);
      return;
    case 'ct_clear':
      packet.meta.bytes.fill(0, KEY.ct_state.offset, KEY.tun_id.offset);
      packet.meta.set(KEY.ct_mark, 0);
      return;
    case 'ct':
      throw dropped('action_unknown');
    default:
      throw new Error(`${action.type} is not a change`);
  }
}
