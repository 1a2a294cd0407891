/** Flows that are gone, for controllers. */
import type { Micros } from '../../lib/clock.ts';
import { encodeNxm, type OfMatch } from '../../openflow/match.ts';
import type { FlowRemovedMessage } from '../../openflow/message/flow-removed.ts';
import { messageSpec, writeMessage } from '../../openflow/message/header.ts';
import { Writer } from '../../openflow/wire.ts';
import type { RemovedReason, Rule } from '../rule.ts';
import type { Connection } from './connection.ts';
import { removedReasons } from './flow-monitors.ts';
import type { OfActions } from './types.ts';

/** Counts that are not kept are told as all ones (OpenFlow 1.5 §7.3.4.2). */
const NOT_COUNTED = 0xffffffffffffffffn;

export function flowRemoved(
  rule: Rule<OfActions>,
  match: OfMatch,
  reason: RemovedReason,
  now: Micros,
): FlowRemovedMessage {
  const age = Math.max(0, now - rule.created);
  return {
    kind: 'flow_removed',
    match,
    priority: rule.priority,
    cookie: rule.cookie,
    reason: removedReasons.indexOf(reason),
    table: rule.tableId,
    seconds: Math.floor(age / 1e6),
    nanoseconds: Math.floor(age % 1e6) * 1000,
    idleTimeout: rule.idleTimeout,
    hardTimeout: rule.hardTimeout,
    packets: rule.countsPackets ? BigInt(rule.packets) : NOT_COUNTED,
    bytes: rule.countsBytes ? BigInt(rule.bytes) : NOT_COUNTED,
  };
}

/** NXT_FLOW_REMOVED: the table stands one higher, 0 would be none. */
function encodeNicira(m: FlowRemovedMessage): Uint8Array {
  const match = encodeNxm(m.match);
  const out = new Writer()
    .u64(m.cookie)
    .u16(m.priority)
    .u8(m.reason)
    .u8(m.table + 1)
    .u32(m.seconds);
  out.u32(m.nanoseconds).u16(m.idleTimeout).u16(match.length).u64(m.packets).u64(m.bytes).bytes(match).pad8();
  return writeMessage(1, messageSpec('NXT_FLOW_REMOVED'), 0, out.done());
}

/** Tells it a connection. */
export function tellFlowRemoved(connection: Connection, message: FlowRemovedMessage): void {
  if (connection.version === 1 && connection.usesNxm) connection.tellBytes(encodeNicira(message), 'removed');
  else connection.tell(message, 'removed');
}
