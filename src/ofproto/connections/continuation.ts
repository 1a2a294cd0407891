/**
 * What a controller keeps for the switch while a packet is paused: a frozen pipeline as properties (NXPINT_CONTINUATION), and
 * back again in NXT_RESUME. Only the switch that wrote it reads it; ovs-ofctl prints it.
 *
 * The packet's fields and registers are no part of it: they go along as the packet-in's metadata, and may have been changed.
 */
import { u16At } from '../../lib/bytes.ts';
import { ok, type Result } from '../../lib/result.ts';
import { decodeActions, encodeActions, type OfAction } from '../../openflow/action/index.ts';
import { type OfError, ofFail } from '../../openflow/error.ts';
import { readProperties, writeProperty } from '../../openflow/message/codec.ts';
import type { OfVersion } from '../../openflow/version.ts';
import { u64At, Writer } from '../../openflow/wire.ts';
import type { FrozenAction, FrozenState } from '../../translate/recirc.ts';

const P = {
  bridge: 0x8000,
  stack: 0x8001,
  conntracked: 0x8003,
  table: 0x8004,
  cookie: 0x8005,
  actions: 0x8006,
  actionSet: 0x8007,
  dpPort: 0x8008,
} as const;

const UUID_SIZE = 16;

/** A bridge's name as sixteen bytes: what continuations and NXT_RESUME know it by. FNV-1a of 64 bits, twice. */
export function bridgeUuid(name: string): Uint8Array {
  const out = new Writer();
  for (const seed of [0xcbf29ce484222325n, 0x84222325cbf29ce4n]) {
    let hash = seed;
    for (const byte of new TextEncoder().encode(name))
      hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
    out.u64(hash);
  }
  return out.done();
}

interface Group {
  readonly tableId: number;
  readonly ruleCookie: bigint;
  readonly actions: OfAction[];
}

/** Actions by the rule that they belong to; the first ones to the rule that the packet-in itself names. */
function groupActions(actions: readonly FrozenAction[]): Group[] {
  let group: Group = { tableId: 0, ruleCookie: 0n, actions: [] };
  const groups = [group];
  for (const action of actions) {
    if (action.type === 'unroll') {
      group = { tableId: action.tableId, ruleCookie: action.ruleCookie, actions: [] };
      groups.push(group);
    } else group.actions.push(action);
  }
  return groups;
}

/** @param dpPort the datapath's number of the port that the packet came by; null for none */
export function encodeContinuation(state: FrozenState, version: OfVersion, dpPort: number | null = null): Uint8Array {
  const out = new Writer();
  writeProperty(out, P.bridge, (p) => p.bytes(bridgeUuid(state.bridge)));
  for (const item of state.stack) writeProperty(out, P.stack, (p) => p.bytes(item));
  if (state.isConntracked) writeProperty(out, P.conntracked, () => undefined);
  let [table, cookie] = [0, 0n];
  for (const group of groupActions(state.actions)) {
    if (group.tableId !== table) writeProperty(out, P.table, (p) => p.u8(group.tableId));
    if (group.ruleCookie !== cookie) writeProperty(out, P.cookie, (p) => p.zeros(4).u64(group.ruleCookie));
    [table, cookie] = [group.tableId, group.ruleCookie];
    if (group.actions.length > 0)
      writeProperty(out, P.actions, (p) => p.zeros(4).bytes(encodeActions(version, group.actions)));
  }
  if (state.actionSet.length > 0)
    writeProperty(out, P.actionSet, (p) => p.zeros(4).bytes(encodeActions(version, state.actionSet)));
  if (dpPort !== null) writeProperty(out, P.dpPort, (p) => p.u32(dpPort));
  return out.done();
}

/**
 * What a continuation holds of a frozen state; the bridge by bridgeUuid of its name. Cookie and fields are those of the message
 * that brings it back; the table is 0, not where the packet was paused.
 */
export type Continuation = Pick<FrozenState, 'stack' | 'isConntracked' | 'actions' | 'actionSet'> & {
  readonly bridgeUuid: Uint8Array | null;
};

const sizes: Readonly<Record<number, number>> = {
  [P.bridge]: 4 + UUID_SIZE,
  [P.conntracked]: 4,
  [P.table]: 5,
  [P.cookie]: 16,
  [P.dpPort]: 8,
};

/** @param bytes the continuation of a packet-in, as NXT_RESUME brings it back */
export function decodeContinuation(bytes: Uint8Array, version: OfVersion): Result<Continuation, OfError> {
  const properties = readProperties(bytes);
  if (!properties.ok) return properties;
  const stack: Uint8Array[] = [];
  const actions: FrozenAction[] = [];
  let uuid: Uint8Array | null = null;
  let isConntracked = false;
  let [tableId, ruleCookie] = [0, 0n];
  let actionSet: readonly OfAction[] = [];
  for (const { type, bytes: property } of properties.value) {
    const payload = property.subarray(4);
    if (type === null) return ofFail('OFPBPC_BAD_EXPERIMENTER');
    if (sizes[type] !== undefined && property.length !== sizes[type]) return ofFail('OFPBPC_BAD_LEN');
    if (type === P.bridge) uuid = payload.slice();
    else if (type === P.stack) stack.push(payload.slice());
    else if (type === P.conntracked) isConntracked = true;
    else if (type === P.table) tableId = payload[0]!;
    else if (type === P.cookie) ruleCookie = u64At(property, 8);
    else if (type === P.actions || type === P.actionSet) {
      if (property.length < 8) return ofFail('OFPBPC_BAD_LEN');
      const list = decodeActions(version, property.subarray(8, u16At(property, 2)));
      if (!list.ok) return list;
      if (type === P.actionSet) actionSet = list.value;
      else {
        actions.push({ type: 'unroll', tableId, ruleCookie }, ...list.value);
      }
      // The port is the one that the message's metadata names
    } else if (type !== P.dpPort) return ofFail('OFPBPC_BAD_TYPE');
  }
  return ok({
    stack,
    isConntracked,
    actions,
    actionSet,
    bridgeUuid: uuid,
  });
}
