/** Flows and their sums: what is asked for and what is told (multipart). */
import { formatOfPort } from '../../flow/text.ts';
import { ok, type Result } from '../../lib/result.ts';
import { decodeActions, encodeActions, formatActions, type OfAction } from '../action/index.ts';
import { type OfError, ofFail } from '../error.ts';
import { decodeInstructions } from '../instruction/index.ts';
import { encodedInstructions } from '../instruction/memo.ts';
import { decodeMatch, decodeNxm, encodeMatch, encodeNxm, encodeOxm, type OfMatch } from '../match.ts';
import type { OfVersion } from '../version.ts';
import { roundUp8, u16At, u32At, u64At, Writer } from '../wire.ts';
import {
  type Decoded,
  type DecodeInput,
  durationText,
  type Encoded,
  type Family,
  type FlowForm,
  OFPP_ANY,
  portAt,
  portTo32,
} from './codec.ts';
import { ANY_TABLE, type FlowFlag, flowFlagBits, flowFlags, OFPG_ANY } from './flow-mod.ts';
import { readFlowStats, writeAggregate, writeFlowStats } from './flow-stats-oxs.ts';
import { messageSpec, specIn } from './header.ts';
import { matchText } from './match-text.ts';
import { UNKNOWN_COUNT } from './port-stats.ts';

export interface FlowStatsRequestMessage {
  readonly kind: 'flow_stats_request' | 'aggregate_request';
  /** ANY_TABLE for all. */
  readonly table: number;
  readonly match: OfMatch;
  readonly outPort: number;
  readonly outGroup: number;
  readonly cookie: bigint;
  readonly cookieMask: bigint;
}

export interface OfFlowStats {
  readonly table: number;
  readonly match: OfMatch;
  readonly priority: number;
  readonly cookie: bigint;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  /** Seconds since the last packet and the last change; null when not told. */
  readonly idleAge: number | null;
  readonly hardAge: number | null;
  readonly importance: number;
  readonly flags: readonly FlowFlag[];
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly actions: readonly OfAction[];
}

export interface FlowStatsReplyMessage {
  readonly kind: 'flow_stats_reply';
  readonly flows: readonly OfFlowStats[];
}

export interface AggregateReplyMessage {
  readonly kind: 'aggregate_reply';
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly flows: number;
}

export type FlowStatsMessage = FlowStatsRequestMessage | FlowStatsReplyMessage | AggregateReplyMessage;

type RequestKind = FlowStatsRequestMessage['kind'];

const decodeRequest10 =
  (kind: RequestKind) =>
  ({ body }: DecodeInput): Decoded<FlowStatsMessage> => {
    const match = decodeMatch(1, body);
    if (!match.ok) return match;
    const [table, outPort] = [body[40]!, u16At(body, 42)];
    return ok({ kind, table, match: match.value.match, outPort, outGroup: OFPG_ANY, cookie: 0n, cookieMask: 0n });
  };

const decodeRequest11 =
  (kind: RequestKind) =>
  ({ version, body }: DecodeInput): Decoded<FlowStatsMessage> => {
    const port = portAt(version, body, 4);
    if (!port.ok) return port;
    const match = decodeMatch(version as OfVersion, body.subarray(32));
    if (!match.ok) return match;
    return ok({
      kind,
      table: body[0]!,
      match: match.value.match,
      outPort: port.value,
      outGroup: u32At(body, 8),
      cookie: u64At(body, 16),
      cookieMask: u64At(body, 24),
    });
  };

const decodeNiciraRequest =
  (kind: RequestKind) =>
  ({ body }: DecodeInput): Decoded<FlowStatsMessage> => {
    const matchSize = u16At(body, 2);
    if (8 + roundUp8(matchSize) > body.length) return ofFail('OFPBMC_BAD_LEN');
    const read = decodeNxm(body.subarray(8, 8 + matchSize));
    if (!read.ok) return read;
    if (8 + roundUp8(matchSize) !== body.length) return ofFail('OFPBRC_BAD_LEN');
    const { match, cookie } = read.value;
    return ok({
      kind,
      table: body[4]!,
      match,
      outPort: u16At(body, 0),
      outGroup: OFPG_ANY,
      cookie: cookie?.value ?? 0n,
      cookieMask: cookie?.mask ?? 0n,
    });
  };

function encodeNiciraRequest(m: FlowStatsRequestMessage): Encoded {
  const match = encodeNxm(m.match, { value: m.cookie, mask: m.cookieMask });
  const out = new Writer().u16(m.outPort).u16(match.length).u8(m.table).zeros(3).bytes(match).pad8();
  const raw = m.kind === 'flow_stats_request' ? 'NXST_FLOW_REQUEST' : 'NXST_AGGREGATE_REQUEST';
  return { spec: messageSpec(raw), body: out.done() };
}

function encodeRequest(m: FlowStatsRequestMessage, version: OfVersion, { isNxm }: FlowForm): Encoded {
  if (version === 1 && isNxm) return encodeNiciraRequest(m);
  const out = new Writer();
  if (version === 1) out.bytes(encodeMatch(1, m.match)).u8(m.table).zeros(1).u16(m.outPort);
  else {
    out.u8(m.table).zeros(3).u32(portTo32(m.outPort)).u32(m.outGroup).zeros(4).u64(m.cookie).u64(m.cookieMask);
    out.bytes(encodeMatch(version, m.match));
  }
  const name = m.kind === 'flow_stats_request' ? 'FLOW' : 'AGGREGATE';
  return { spec: specIn(version, `OFPST10_${name}_REQUEST`, `OFPST11_${name}_REQUEST`)!, body: out.done() };
}

function formatRequest(m: FlowStatsRequestMessage): string {
  let text = '';
  if (m.table !== ANY_TABLE) text += ` table=${m.table}`;
  if (m.outPort !== OFPP_ANY) text += ` out_port=${formatOfPort(m.outPort)}`;
  const match = matchText(m.match);
  return match === '' ? text : `${text} ${match}`;
}

const known = (age: number): number | null => (age === 0 ? null : age - 1);

interface Part {
  readonly flow: OfFlowStats;
  readonly size: number;
}

/** Size is checked by the caller; the list follows the match. */
function readFlow10(bytes: Uint8Array, size: number): Decoded<Part> {
  if (size < 88) return ofFail('OFPBRC_BAD_LEN');
  const match = decodeMatch(1, bytes.subarray(4));
  if (!match.ok) return match;
  const actions = decodeActions(1, bytes.subarray(88, size));
  if (!actions.ok) return actions;
  const flow: OfFlowStats = {
    table: bytes[2]!,
    match: match.value.match,
    seconds: u32At(bytes, 44),
    nanoseconds: u32At(bytes, 48),
    priority: u16At(bytes, 52),
    idleTimeout: u16At(bytes, 54),
    hardTimeout: u16At(bytes, 56),
    cookie: u64At(bytes, 64),
    packets: u64At(bytes, 72),
    bytes: u64At(bytes, 80),
    idleAge: null,
    hardAge: null,
    importance: 0,
    flags: [],
    actions: actions.value,
  };
  return ok({ flow, size });
}

function readFlow11(version: OfVersion, bytes: Uint8Array, size: number): Decoded<Part> {
  if (size < 56) return ofFail('OFPBRC_BAD_LEN');
  const match = decodeMatch(version, bytes.subarray(48, size));
  if (!match.ok) return match;
  const actions = decodeInstructions(version, bytes.subarray(48 + match.value.size, size));
  if (!actions.ok) return actions;
  const flow: OfFlowStats = {
    table: bytes[2]!,
    match: match.value.match,
    seconds: u32At(bytes, 4),
    nanoseconds: u32At(bytes, 8),
    priority: u16At(bytes, 12),
    idleTimeout: u16At(bytes, 14),
    hardTimeout: u16At(bytes, 16),
    flags: version >= 4 ? flowFlags(u16At(bytes, 18)) : [],
    importance: version >= 5 ? u16At(bytes, 20) : 0,
    cookie: u64At(bytes, 24),
    packets: u64At(bytes, 32),
    bytes: u64At(bytes, 40),
    idleAge: null,
    hardAge: null,
    actions: actions.value,
  };
  return ok({ flow, size });
}

function readFlow15(bytes: Uint8Array, size: number): Decoded<Part> {
  if (size < 32) return ofFail('OFPBRC_BAD_LEN');
  const match = decodeMatch(6, bytes.subarray(24, size));
  if (!match.ok) return match;
  const statsAt = 24 + match.value.size;
  const stats = readFlowStats(bytes.subarray(statsAt, size));
  if (!stats.ok) return stats;
  const actions = decodeInstructions(6, bytes.subarray(statsAt + stats.value.size, size));
  if (!actions.ok) return actions;
  const { seconds, nanoseconds, packets, bytes: byteCount, idleSeconds } = stats.value;
  const flow: OfFlowStats = {
    table: bytes[4]!,
    match: match.value.match,
    seconds,
    nanoseconds,
    priority: u16At(bytes, 6),
    idleTimeout: u16At(bytes, 8),
    hardTimeout: u16At(bytes, 10),
    flags: flowFlags(u16At(bytes, 12)),
    importance: u16At(bytes, 14),
    cookie: u64At(bytes, 16),
    packets,
    bytes: byteCount,
    idleAge: idleSeconds,
    hardAge: null,
    actions: actions.value,
  };
  return ok({ flow, size });
}

function readNiciraFlow(bytes: Uint8Array, size: number): Decoded<Part> {
  if (size < 48) return ofFail('OFPBRC_BAD_LEN');
  const matchSize = u16At(bytes, 18);
  const at = 48 + roundUp8(matchSize);
  if (at > size) return ofFail('OFPBRC_BAD_LEN');
  const match = decodeNxm(bytes.subarray(48, 48 + matchSize));
  if (!match.ok) return match;
  const actions = decodeActions(1, bytes.subarray(at, size));
  if (!actions.ok) return actions;
  const flow: OfFlowStats = {
    table: bytes[2]!,
    match: match.value.match,
    seconds: u32At(bytes, 4),
    nanoseconds: u32At(bytes, 8),
    priority: u16At(bytes, 12),
    idleTimeout: u16At(bytes, 14),
    hardTimeout: u16At(bytes, 16),
    idleAge: known(u16At(bytes, 20)),
    hardAge: known(u16At(bytes, 22)),
    cookie: u64At(bytes, 24),
    packets: u64At(bytes, 32),
    bytes: u64At(bytes, 40),
    importance: 0,
    flags: [],
    actions: actions.value,
  };
  return ok({ flow, size });
}

const readReply =
  (read: (bytes: Uint8Array, size: number, version: OfVersion) => Result<Part, OfError>) =>
  ({ version, body }: DecodeInput): Decoded<FlowStatsReplyMessage> => {
    const flows: OfFlowStats[] = [];
    for (let at = 0; at < body.length; ) {
      const left = body.length - at;
      if (left < 4) return ofFail('OFPBRC_BAD_LEN');
      const size = u16At(body, at);
      if (size > left) return ofFail('OFPBRC_BAD_LEN');
      const one = read(body.subarray(at, at + size), size, version as OfVersion);
      if (!one.ok) return one;
      flows.push(one.value.flow);
      at += size;
    }
    return ok({ kind: 'flow_stats_reply', flows });
  };

function writeFlow(out: Writer, f: OfFlowStats, version: OfVersion): void {
  const start = out.size;
  out.zeros(2);
  // The reference writes OpenFlow 1.1's statistics with the entries of 1.2, which say more than its own match
  const match = version === 2 ? encodeOxm(2, f.match) : encodeMatch(version, f.match);
  if (version === 1) {
    out.u8(f.table).zeros(1).bytes(match).u32(f.seconds).u32(f.nanoseconds).u16(f.priority);
    out.u16(f.idleTimeout).u16(f.hardTimeout).zeros(6).u64(f.cookie).u64(f.packets).u64(f.bytes);
    out.bytes(encodeActions(1, f.actions));
  } else if (version < 6) {
    out.u8(f.table).zeros(1).u32(f.seconds).u32(f.nanoseconds).u16(f.priority).u16(f.idleTimeout).u16(f.hardTimeout);
    out
      .u16(version >= 4 ? flowFlagBits(f.flags, version) : 0)
      .u16(version >= 5 ? f.importance : 0)
      .zeros(2);
    out.u64(f.cookie).u64(f.packets).u64(f.bytes).bytes(match).bytes(encodedInstructions(version, f.actions));
  } else {
    out.zeros(2).u8(f.table).zeros(1).u16(f.priority).u16(f.idleTimeout).u16(f.hardTimeout);
    out.u16(flowFlagBits(f.flags, version)).u16(f.importance).u64(f.cookie).bytes(match);
    writeFlowStats(out, { ...f, idleSeconds: f.idleAge });
    out.bytes(encodedInstructions(version, f.actions));
  }
  out.putU16(start, out.size - start);
}

/** Ages stand one higher, and 0 for one that is not known. */
const ageOnWire = (age: number | null): number => (age === null ? 0 : Math.min(age, 0xfffe) + 1);

function writeNiciraFlow(out: Writer, f: OfFlowStats): void {
  const start = out.size;
  const match = encodeNxm(f.match);
  out.zeros(2).u8(f.table).zeros(1).u32(f.seconds).u32(f.nanoseconds).u16(f.priority);
  out.u16(f.idleTimeout).u16(f.hardTimeout).u16(match.length).u16(ageOnWire(f.idleAge)).u16(ageOnWire(f.hardAge));
  out
    .u64(f.cookie)
    .u64(f.packets)
    .u64(f.bytes)
    .bytes(match)
    .zeros(roundUp8(match.length) - match.length);
  out.bytes(encodeActions(1, f.actions));
  out.putU16(start, out.size - start);
}

function encodeReply(m: FlowStatsReplyMessage, version: OfVersion, { isNxm }: FlowForm): Encoded {
  const out = new Writer();
  if (version === 1 && isNxm) {
    for (const flow of m.flows) writeNiciraFlow(out, flow);
    return { spec: messageSpec('NXST_FLOW_REPLY'), body: out.done() };
  }
  for (const flow of m.flows) writeFlow(out, flow, version);
  const spec = specIn(version, 'OFPST10_FLOW_REPLY', 'OFPST11_FLOW_REPLY', 'OFPST13_FLOW_REPLY', 'OFPST15_FLOW_REPLY')!;
  return { spec, body: out.done() };
}

const count = (value: bigint): string => (value === UNKNOWN_COUNT ? '?' : String(value));

export function formatFlow(f: OfFlowStats): string {
  let text =
    ` cookie=0x${f.cookie.toString(16)}, duration=${durationText(f.seconds, f.nanoseconds)}, table=${f.table}, ` +
    `n_packets=${count(f.packets)}, n_bytes=${count(f.bytes)}, `;
  if (f.idleTimeout !== 0) text += `idle_timeout=${f.idleTimeout}, `;
  if (f.hardTimeout !== 0) text += `hard_timeout=${f.hardTimeout}, `;
  if (f.flags.length > 0) text += `${f.flags.join(' ')} `;
  if (f.importance !== 0) text += `importance=${f.importance}, `;
  if (f.idleAge !== null) text += `idle_age=${f.idleAge}, `;
  if (f.hardAge !== null && f.hardAge !== f.seconds) text += `hard_age=${f.hardAge}, `;
  const match = matchText(f.match, f.priority);
  return `${text}${match}${match === '' ? '' : ' '}actions=${formatActions(f.actions)}`;
}

function decodeAggregate15({ body }: DecodeInput): Decoded<AggregateReplyMessage> {
  const stats = readFlowStats(body);
  if (!stats.ok) return stats;
  const { packets, bytes, flows } = stats.value;
  return ok({ kind: 'aggregate_reply', packets, bytes, flows });
}

const decodeAggregate = ({ body }: DecodeInput): Decoded<AggregateReplyMessage> =>
  ok({ kind: 'aggregate_reply', packets: u64At(body, 0), bytes: u64At(body, 8), flows: u32At(body, 16) });

export const flowStatsFamily: Family<FlowStatsMessage> = {
  decode: {
    OFPST10_FLOW_REQUEST: decodeRequest10('flow_stats_request'),
    OFPST11_FLOW_REQUEST: decodeRequest11('flow_stats_request'),
    NXST_FLOW_REQUEST: decodeNiciraRequest('flow_stats_request'),
    OFPST10_AGGREGATE_REQUEST: decodeRequest10('aggregate_request'),
    OFPST11_AGGREGATE_REQUEST: decodeRequest11('aggregate_request'),
    NXST_AGGREGATE_REQUEST: decodeNiciraRequest('aggregate_request'),
    OFPST10_FLOW_REPLY: readReply(readFlow10),
    OFPST11_FLOW_REPLY: readReply((bytes, size, version) => readFlow11(version, bytes, size)),
    OFPST13_FLOW_REPLY: readReply((bytes, size, version) => readFlow11(version, bytes, size)),
    OFPST15_FLOW_REPLY: readReply(readFlow15),
    NXST_FLOW_REPLY: readReply(readNiciraFlow),
    OFPST_AGGREGATE_REPLY: decodeAggregate,
    OFPST15_AGGREGATE_REPLY: decodeAggregate15,
    NXST_AGGREGATE_REPLY: decodeAggregate,
  },
  encode: {
    flow_stats_request: encodeRequest,
    aggregate_request: encodeRequest,
    flow_stats_reply: encodeReply,
    aggregate_reply: ({ packets, bytes, flows }, version, { isNxm }) => {
      const out = new Writer();
      if (version < 6) out.u64(packets).u64(bytes).u32(flows).zeros(4);
      else writeAggregate(out, packets, bytes, flows);
      if (version === 1 && isNxm) return { spec: messageSpec('NXST_AGGREGATE_REPLY'), body: out.done() };
      return { spec: specIn(version, 'OFPST_AGGREGATE_REPLY', 'OFPST15_AGGREGATE_REPLY')!, body: out.done() };
    },
  },
  format: {
    flow_stats_request: formatRequest,
    aggregate_request: formatRequest,
    flow_stats_reply: ({ flows }) => `\n${flows.map((flow) => `${formatFlow(flow)}\n`).join('')}`,
    aggregate_reply: ({ packets, bytes, flows }) =>
      ` packet_count=${packets} byte_count=${bytes} flow_count=${flows}\n`,
  },
};
