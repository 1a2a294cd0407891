/**
 * Flow monitors: what a controller wants to hear of, and what became of flows (nicira extension; its form in OpenFlow 1.3
 * is an ONF extension; OpenFlow 1.4 §7.3.5.20 has its own).
 */
import { formatOfPort } from '../../flow/text.ts';
import { ok } from '../../lib/result.ts';
import { decodeActions, encodeActions, formatActions, type OfAction } from '../action/index.ts';
import { ofFail } from '../error.ts';
import { decodeInstructions, encodeInstructions } from '../instruction/index.ts';
import { decodeMatch, decodeNxm, encodeMatch, encodeNxm, type OfMatch } from '../match.ts';
import type { OfVersion } from '../version.ts';
import { roundUp8, u16At, u32At, u64At, Writer } from '../wire.ts';
import { type Decoded, type DecodeInput, type Encoded, type Family, OFPP_ANY, portAt, portTo32 } from './codec.ts';
import { ANY_TABLE, OFPG_ANY } from './flow-mod.ts';
import { flowRemovedReason } from './flow-removed.ts';
import { specIn } from './header.ts';
import { matchText } from './match-text.ts';

export type FlowMonitorFlag = (typeof flagRows)[number][0];
export type FlowMonitorCommand = (typeof commands)[number];

export interface OfFlowMonitor {
  readonly id: number;
  /** Before OpenFlow 1.4 always add. */
  readonly command: FlowMonitorCommand;
  readonly flags: readonly FlowMonitorFlag[];
  /** OFPP_ANY, OFPG_ANY and ANY_TABLE for all. */
  readonly outPort: number;
  readonly outGroup: number;
  readonly table: number;
  readonly match: OfMatch;
}

export interface FlowMonitorRequestMessage {
  readonly kind: 'flow_monitor_request';
  readonly monitors: readonly OfFlowMonitor[];
}

export interface FullFlowUpdate {
  /** initial: it was there when the monitor was made; before OpenFlow 1.4 that is `added`. */
  readonly event: 'initial' | 'added' | 'deleted' | 'modified';
  /** Of `deleted`: as in flow-removed. */
  readonly reason: number;
  readonly table: number;
  readonly priority: number;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly cookie: bigint;
  readonly match: OfMatch;
  readonly actions: readonly OfAction[];
}

export type OfFlowUpdate =
  | FullFlowUpdate
  /** The flow-mod with this transaction, which the receiver sent itself, did what it said. */
  | { readonly event: 'abbrev'; readonly xid: number }
  /** OpenFlow 1.4 and later; earlier ones have messages of their own. */
  | { readonly event: 'paused' }
  | { readonly event: 'resumed' };

export interface FlowMonitorReplyMessage {
  readonly kind: 'flow_monitor_reply';
  readonly updates: readonly OfFlowUpdate[];
}

export type FlowMonitorMessage = FlowMonitorRequestMessage | FlowMonitorReplyMessage;

/** Name, bit before OpenFlow 1.4, bit from then on. */
const flagRows = [
  ['initial', 1, 1],
  ['add', 2, 2],
  ['delete', 4, 4],
  ['modify', 8, 8],
  ['actions', 16, 16],
  ['own', 32, 64],
] as const;
const commands = ['add', 'modify', 'delete'] as const;
const commandDelete = 2;

/** The flags' names, or null when some bit has none or nothing is to be told. */
function readFlags(bits: number, column: 1 | 2): FlowMonitorFlag[] | null {
  const rows = flagRows.filter((row) => (bits & row[column]) !== 0);
  const isKnown = rows.reduce((rest, row) => rest & ~row[column], bits) === 0;
  const names = rows.map(([name]) => name);
  return isKnown && names.some((name) => name === 'add' || name === 'delete' || name === 'modify') ? names : null;
}

const flagBits = (flags: readonly FlowMonitorFlag[], column: 1 | 2): number =>
  flagRows.filter(([name]) => flags.includes(name)).reduce((all, row) => all | row[column], 0);

interface Sized<T> {
  readonly value: T;
  readonly size: number;
}

const HEAD = 16;
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

function readNicira(bytes: Uint8Array): Decoded<Sized<OfFlowMonitor>> {
  const flags = readFlags(u16At(bytes, 4), 1);
  if (!flags) return ofFail('OFPMOFC_BAD_FLAGS');
  if (!isZero(bytes.subarray(11, HEAD))) return ofFail('NXBRC_MUST_BE_ZERO');
  const matchSize = u16At(bytes, 8);
  const size = HEAD + roundUp8(matchSize);
  if (size > bytes.length) return ofFail('OFPBMC_BAD_LEN');
  const match = decodeNxm(bytes.subarray(HEAD, HEAD + matchSize));
  if (!match.ok) return match;
  const value: OfFlowMonitor = {
    id: u32At(bytes, 0),
    command: 'add',
    flags,
    outPort: u16At(bytes, 6),
    outGroup: OFPG_ANY,
    table: bytes[10]!,
    match: match.value.match,
  };
  return ok({ value, size });
}

function readOnf(bytes: Uint8Array): Decoded<Sized<OfFlowMonitor>> {
  const flags = readFlags(u16At(bytes, 4), 1);
  if (!flags) return ofFail('OFPMOFC_BAD_FLAGS');
  if (!isZero(bytes.subarray(13, HEAD))) return ofFail('NXBRC_MUST_BE_ZERO');
  const outPort = portAt(4, bytes, 8);
  if (!outPort.ok) return outPort;
  const match = decodeMatch(4, bytes.subarray(HEAD));
  if (!match.ok) return match;
  const value: OfFlowMonitor = {
    id: u32At(bytes, 0),
    command: 'add',
    flags,
    outPort: outPort.value,
    outGroup: OFPG_ANY,
    table: bytes[12]!,
    match: match.value.match,
  };
  return ok({ value, size: HEAD + match.value.size });
}

function readStandard(bytes: Uint8Array, version: OfVersion): Decoded<Sized<OfFlowMonitor>> {
  const code = bytes[15]!;
  // Who takes a monitor away need not say what it told
  const flags = code === commandDelete ? (readFlags(u16At(bytes, 12), 2) ?? []) : readFlags(u16At(bytes, 12), 2);
  if (!flags) return ofFail('OFPMOFC_BAD_FLAGS');
  const command = commands[code];
  if (!command) return ofFail('OFPMOFC_BAD_COMMAND');
  const outPort = portAt(version, bytes, 4);
  if (!outPort.ok) return outPort;
  const match = decodeMatch(version, bytes.subarray(HEAD));
  if (!match.ok) return match;
  const value: OfFlowMonitor = {
    id: u32At(bytes, 0),
    command,
    flags,
    outPort: outPort.value,
    outGroup: u32At(bytes, 8),
    table: bytes[14]!,
    match: match.value.match,
  };
  return ok({ value, size: HEAD + match.value.size });
}

function decodeRequest({ version, body }: DecodeInput): Decoded<FlowMonitorRequestMessage> {
  const monitors: OfFlowMonitor[] = [];
  for (let at = 0; at < body.length; ) {
    const bytes = body.subarray(at);
    if (bytes.length < HEAD) return ofFail('OFPBRC_BAD_LEN');
    const one =
      version < 4 ? readNicira(bytes) : version === 4 ? readOnf(bytes) : readStandard(bytes, version as OfVersion);
    if (!one.ok) return one;
    monitors.push(one.value.value);
    at += one.value.size;
  }
  return ok({ kind: 'flow_monitor_request', monitors });
}

function writeMonitor(out: Writer, m: OfFlowMonitor, version: OfVersion): void {
  if (version < 4) {
    const match = encodeNxm(m.match);
    out.u32(m.id).u16(flagBits(m.flags, 1)).u16(m.outPort).u16(match.length).u8(m.table).zeros(5).bytes(match).pad8();
    return;
  }
  const match = encodeMatch(version, m.match);
  if (version === 4) {
    out.u32(m.id).u16(flagBits(m.flags, 1)).u16(u16At(match, 2)).u32(portTo32(m.outPort)).u8(m.table).zeros(3);
  } else {
    out.u32(m.id).u32(portTo32(m.outPort)).u32(m.outGroup).u16(flagBits(m.flags, 2)).u8(m.table);
    out.u8(commands.indexOf(m.command));
  }
  out.bytes(match);
}

const requestRaws = ['NXST_FLOW_MONITOR_REQUEST', 'ONFST13_FLOW_MONITOR_REQUEST', 'OFPST14_FLOW_MONITOR_REQUEST'];
const replyRaws = ['NXST_FLOW_MONITOR_REPLY', 'ONFST13_FLOW_MONITOR_REPLY', 'OFPST14_FLOW_MONITOR_REPLY'];

function encodeRequest({ monitors }: FlowMonitorRequestMessage, version: OfVersion): Encoded {
  const out = new Writer();
  for (const monitor of monitors) writeMonitor(out, monitor, version);
  return { spec: specIn(version, ...requestRaws)!, body: out.done() };
}

function formatMonitor(m: OfFlowMonitor, table: (table: number) => string): string {
  let text = `\n id=${m.id}`;
  if (m.command !== 'add') text += ` command=${m.command}`;
  if (m.command !== 'delete') text += ` flags=${m.flags.length === 0 ? '0' : m.flags.join(',')}`;
  if (m.outPort !== OFPP_ANY) text += ` out_port=${formatOfPort(m.outPort)}`;
  if (m.outGroup !== OFPG_ANY) text += ` out_group=${m.outGroup}`;
  if (m.table !== ANY_TABLE) text += ` table=${table(m.table)}`;
  const match = matchText(m.match);
  return m.command === 'delete' || match === '' ? text : `${text} ${match}`;
}

// Updates

const events = {
  old: ['added', 'deleted', 'modified', 'abbrev'],
  standard: ['initial', 'added', 'deleted', 'modified', 'abbrev', 'paused', 'resumed'],
} as const;

const eventsOf = (version: number): readonly OfFlowUpdate['event'][] => (version < 5 ? events.old : events.standard);
const FULL = 24;

function readFullOld(bytes: Uint8Array, version: OfVersion, event: FullFlowUpdate['event']): Decoded<OfFlowUpdate> {
  const isOnf = version === 4;
  const matchSize = u16At(bytes, 12);
  if (!isOnf && FULL + matchSize > bytes.length) return ofFail('OFPBRC_BAD_LEN');
  const framed = isOnf ? decodeMatch(4, bytes.subarray(FULL)) : null;
  if (framed && !framed.ok) return framed;
  const nxm = isOnf ? null : decodeNxm(bytes.subarray(FULL, FULL + matchSize));
  if (nxm && !nxm.ok) return nxm;
  const at = FULL + (framed ? framed.value.size : roundUp8(matchSize));
  if (at > bytes.length) return ofFail('OFPBMC_BAD_LEN');
  const rest = bytes.subarray(at);
  const actions = isOnf ? decodeInstructions(version, rest) : decodeActions(version, rest);
  if (!actions.ok) return actions;
  return ok({
    event,
    reason: u16At(bytes, 4),
    priority: u16At(bytes, 6),
    idleTimeout: u16At(bytes, 8),
    hardTimeout: u16At(bytes, 10),
    table: bytes[14]!,
    cookie: u64At(bytes, 16),
    match: framed ? framed.value.match : nxm!.value.match,
    actions: actions.value,
  });
}

function readFullStandard(
  bytes: Uint8Array,
  version: OfVersion,
  event: FullFlowUpdate['event'],
): Decoded<OfFlowUpdate> {
  const match = decodeMatch(version, bytes.subarray(FULL));
  if (!match.ok) return match;
  const actions = decodeInstructions(version, bytes.subarray(FULL + match.value.size));
  if (!actions.ok) return actions;
  return ok({
    event,
    table: bytes[4]!,
    reason: bytes[5]!,
    idleTimeout: u16At(bytes, 6),
    hardTimeout: u16At(bytes, 8),
    priority: u16At(bytes, 10),
    cookie: u64At(bytes, 16),
    match: match.value.match,
    actions: actions.value,
  });
}

function readUpdate(bytes: Uint8Array, version: OfVersion): Decoded<OfFlowUpdate> {
  const event = eventsOf(version)[u16At(bytes, 2)];
  if (event === undefined) return ofFail('NXBRC_FM_BAD_EVENT');
  if (event === 'abbrev' || event === 'paused' || event === 'resumed') {
    if (bytes.length !== 8) return ofFail('OFPBRC_BAD_LEN');
    if (event === 'abbrev') return ok({ event, xid: u32At(bytes, 4) });
    return ok(event === 'paused' ? { event } : { event });
  }
  if (bytes.length < FULL) return ofFail('OFPBRC_BAD_LEN');
  return version < 5 ? readFullOld(bytes, version, event) : readFullStandard(bytes, version, event);
}

function decodeReply({ version, body }: DecodeInput): Decoded<FlowMonitorReplyMessage> {
  const updates: OfFlowUpdate[] = [];
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    const size = u16At(body, at);
    if (left < 8 || size < 8 || size > left || size % 8 !== 0) return ofFail('OFPBRC_BAD_LEN');
    const update = readUpdate(body.subarray(at, at + size), version as OfVersion);
    if (!update.ok) return update;
    updates.push(update.value);
    at += size;
  }
  return ok({ kind: 'flow_monitor_reply', updates });
}

function writeFull(out: Writer, u: FullFlowUpdate, version: OfVersion): void {
  if (version >= 5) {
    out.u8(u.table).u8(u.reason).u16(u.idleTimeout).u16(u.hardTimeout).u16(u.priority).zeros(4).u64(u.cookie);
    out.bytes(encodeMatch(version, u.match)).bytes(encodeInstructions(version, u.actions));
    return;
  }
  const match = version === 4 ? encodeMatch(version, u.match) : encodeNxm(u.match);
  out.u16(u.reason).u16(u.priority).u16(u.idleTimeout).u16(u.hardTimeout);
  out
    .u16(version === 4 ? u16At(match, 2) : match.length)
    .u8(u.table)
    .zeros(1)
    .u64(u.cookie)
    .bytes(match);
  out.zeros(roundUp8(match.length) - match.length);
  out.bytes(version === 4 ? encodeInstructions(version, u.actions) : encodeActions(version, u.actions));
}

function writeUpdate(out: Writer, u: OfFlowUpdate, version: OfVersion): void {
  const start = out.size;
  const code = eventsOf(version).indexOf(u.event);
  // Before OpenFlow 1.4 what was there from the beginning is told as added
  out.u16(0).u16(Math.max(code, 0));
  if (u.event === 'abbrev') out.u32(u.xid);
  else if (u.event === 'paused' || u.event === 'resumed') out.zeros(4);
  else writeFull(out, u, version);
  out.putU16(start, out.size - start);
}

function encodeReply({ updates }: FlowMonitorReplyMessage, version: OfVersion): Encoded | null {
  if (version < 5 && updates.some((u) => u.event === 'paused' || u.event === 'resumed')) return null;
  const out = new Writer();
  for (const update of updates) writeUpdate(out, update, version);
  return { spec: specIn(version, ...replyRaws)!, body: out.done() };
}

function formatUpdate(u: OfFlowUpdate, table: (table: number) => string): string {
  const event = `\n event=${u.event.toUpperCase()}`;
  if (u.event === 'abbrev') return `${event} xid=0x${u.xid.toString(16)}`;
  if (u.event === 'paused' || u.event === 'resumed') return event;
  let text = event + (u.event === 'deleted' ? ` reason=${flowRemovedReason(u.reason)}` : '');
  text += ` table=${table(u.table)}`;
  if (u.idleTimeout !== 0) text += ` idle_timeout=${u.idleTimeout}`;
  if (u.hardTimeout !== 0) text += ` hard_timeout=${u.hardTimeout}`;
  text += ` cookie=${u.cookie === 0n ? '0' : `0x${u.cookie.toString(16)}`} `;
  const match = matchText(u.match);
  const actions = u.actions.length === 0 ? '' : `actions=${formatActions(u.actions)}`;
  return `${text}${match}${match === '' || actions === '' ? '' : ' '}${actions}`;
}

export const flowMonitorFamily: Family<FlowMonitorMessage> = {
  decode: {
    NXST_FLOW_MONITOR_REQUEST: decodeRequest,
    ONFST13_FLOW_MONITOR_REQUEST: decodeRequest,
    OFPST14_FLOW_MONITOR_REQUEST: decodeRequest,
    NXST_FLOW_MONITOR_REPLY: decodeReply,
    ONFST13_FLOW_MONITOR_REPLY: decodeReply,
    OFPST14_FLOW_MONITOR_REPLY: decodeReply,
  },
  encode: { flow_monitor_request: encodeRequest, flow_monitor_reply: encodeReply },
  format: {
    flow_monitor_request: ({ monitors }, { table }) => monitors.map((m) => formatMonitor(m, table)).join(''),
    flow_monitor_reply: ({ updates }, { table }) => updates.map((u) => formatUpdate(u, table)).join(''),
  },
};
