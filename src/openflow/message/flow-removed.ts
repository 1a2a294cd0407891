/** A flow is gone: why, and what it counted. */
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { decodeMatch, decodeNxm, encodeMatch, encodeNxm, type OfMatch } from '../match.ts';
import type { OfVersion } from '../version.ts';
import { roundUp8, u16At, u32At, u64At, Writer } from '../wire.ts';
import {
  type Decoded,
  type DecodeInput,
  durationText,
  type Encoded,
  type Family,
  type FlowForm,
  hexNumber,
} from './codec.ts';
import { ANY_TABLE } from './flow-mod.ts';
import { readFlowStats, writeFlowStats } from './flow-stats-oxs.ts';
import { messageSpec, specIn } from './header.ts';
import { matchText } from './match-text.ts';

export interface FlowRemovedMessage {
  readonly kind: 'flow_removed';
  readonly match: OfMatch;
  readonly priority: number;
  readonly cookie: bigint;
  /** 0 idle, 1 hard, 2 delete, 3 group deleted, 4 meter deleted, 5 eviction. */
  readonly reason: number;
  /** ANY_TABLE where the version does not say. */
  readonly table: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly packets: bigint;
  readonly bytes: bigint;
}

/** The word for a reason; its number when there is none. */
export const flowRemovedReason = (reason: number): string => reasonWords[reason] ?? String(reason);

const reasonWords = ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction'];

function decode10({ body }: DecodeInput): Decoded<FlowRemovedMessage> {
  const match = decodeMatch(1, body);
  if (!match.ok) return match;
  return ok({
    kind: 'flow_removed',
    match: match.value.match,
    cookie: u64At(body, 40),
    priority: u16At(body, 48),
    reason: body[50]!,
    table: ANY_TABLE,
    seconds: u32At(body, 52),
    nanoseconds: u32At(body, 56),
    idleTimeout: u16At(body, 60),
    hardTimeout: 0,
    packets: u64At(body, 64),
    bytes: u64At(body, 72),
  });
}

function decode11({ version, body }: DecodeInput): Decoded<FlowRemovedMessage> {
  const match = decodeMatch(version as OfVersion, body.subarray(40));
  if (!match.ok) return match;
  return ok({
    kind: 'flow_removed',
    match: match.value.match,
    cookie: u64At(body, 0),
    priority: u16At(body, 8),
    reason: body[10]!,
    table: body[11]!,
    seconds: u32At(body, 12),
    nanoseconds: u32At(body, 16),
    idleTimeout: u16At(body, 20),
    hardTimeout: u16At(body, 22),
    packets: u64At(body, 24),
    bytes: u64At(body, 32),
  });
}

function decode15({ body }: DecodeInput): Decoded<FlowRemovedMessage> {
  const match = decodeMatch(6, body.subarray(16));
  if (!match.ok) return match;
  const stats = readFlowStats(body.subarray(16 + match.value.size));
  if (!stats.ok) return stats;
  const { seconds, nanoseconds, packets, bytes } = stats.value;
  return ok({
    kind: 'flow_removed',
    match: match.value.match,
    table: body[0]!,
    reason: body[1]!,
    priority: u16At(body, 2),
    idleTimeout: u16At(body, 4),
    hardTimeout: u16At(body, 6),
    cookie: u64At(body, 8),
    seconds,
    nanoseconds,
    packets,
    bytes,
  });
}

/** The table stands one higher, 0 for none. */
function decodeNicira({ body }: DecodeInput): Decoded<FlowRemovedMessage> {
  const matchSize = u16At(body, 22);
  if (40 + roundUp8(matchSize) !== body.length) return ofFail('OFPBRC_BAD_LEN');
  const match = decodeNxm(body.subarray(40, 40 + matchSize));
  if (!match.ok) return match;
  return ok({
    kind: 'flow_removed',
    match: match.value.match,
    cookie: u64At(body, 0),
    priority: u16At(body, 8),
    reason: body[10]!,
    table: body[11] === 0 ? ANY_TABLE : body[11]! - 1,
    seconds: u32At(body, 12),
    nanoseconds: u32At(body, 16),
    idleTimeout: u16At(body, 20),
    hardTimeout: 0,
    packets: u64At(body, 24),
    bytes: u64At(body, 32),
  });
}

function encodeNicira(m: FlowRemovedMessage): Encoded {
  const match = encodeNxm(m.match);
  const out = new Writer()
    .u64(m.cookie)
    .u16(m.priority)
    .u8(m.reason)
    .u8(m.table + 1);
  out.u32(m.seconds).u32(m.nanoseconds).u16(m.idleTimeout).u16(match.length).u64(m.packets).u64(m.bytes);
  return { spec: messageSpec('NXT_FLOW_REMOVED'), body: out.bytes(match).pad8().done() };
}

function encode(m: FlowRemovedMessage, version: OfVersion, { isNxm }: FlowForm): Encoded {
  if (version === 1 && isNxm) return encodeNicira(m);
  const out = new Writer();
  const match = encodeMatch(version, m.match);
  if (version === 1) {
    out.bytes(match).u64(m.cookie).u16(m.priority).u8(m.reason).zeros(1).u32(m.seconds).u32(m.nanoseconds);
    out.u16(m.idleTimeout).zeros(2).u64(m.packets).u64(m.bytes);
  } else if (version < 6) {
    out.u64(m.cookie).u16(m.priority).u8(m.reason).u8(m.table).u32(m.seconds).u32(m.nanoseconds);
    out.u16(m.idleTimeout).u16(m.hardTimeout).u64(m.packets).u64(m.bytes).bytes(match);
  } else {
    out.u8(m.table).u8(m.reason).u16(m.priority).u16(m.idleTimeout).u16(m.hardTimeout).u64(m.cookie).bytes(match);
    writeFlowStats(out, m);
  }
  const spec = specIn(version, 'OFPT10_FLOW_REMOVED', 'OFPT11_FLOW_REMOVED', 'OFPT15_FLOW_REMOVED')!;
  return { spec, body: out.done() };
}

function format(m: FlowRemovedMessage): string {
  const table = m.table === ANY_TABLE ? '' : ` table_id=${m.table}`;
  const cookie = m.cookie === 0n ? '' : ` cookie:${hexNumber(m.cookie)}`;
  const hard = m.hardTimeout === 0 ? '' : ` hard${m.hardTimeout}`;
  return (
    ` ${matchText(m.match, m.priority)} reason=${flowRemovedReason(m.reason)}${table}${cookie} ` +
    `duration${durationText(m.seconds, m.nanoseconds)} idle${m.idleTimeout}${hard} pkts${m.packets} bytes${m.bytes}\n`
  );
}

export const flowRemovedFamily: Family<FlowRemovedMessage> = {
  decode: {
    OFPT10_FLOW_REMOVED: decode10,
    OFPT11_FLOW_REMOVED: decode11,
    OFPT15_FLOW_REMOVED: decode15,
    NXT_FLOW_REMOVED: decodeNicira,
  },
  encode: { flow_removed: encode },
  format: { flow_removed: format },
};
