/** Queues: their configuration (in a message of its own until OpenFlow 1.3, later as a description) and statistics. */
import { formatOfPort } from '../../flow/text/ports.ts';
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { u16At, u32At, u64At, Writer } from '../wire.ts';
import {
  type Decoded,
  type DecodeInput,
  durationText,
  type Encoded,
  type Family,
  OFPP_ANY,
  portAt,
  portFrom32,
  portTo32,
  readProperties,
} from './codec.ts';
import { specIn } from './header.ts';
import { UNKNOWN_COUNT } from './port-stats.ts';

/** All queues of a port. */
export const OFPQ_ALL = 0xffffffff;
const OFPP_ALL = 0xfffc;
/** Rates are in tenths of a percent; above 1000 they are off. */
const RATE_UNKNOWN = 0xffff;
const RATE_MAX = 1000;

export interface OfQueue {
  readonly port: number;
  readonly queue: number;
  /** Tenths of a percent; null when not known. */
  readonly minRate: number | null;
  readonly maxRate: number | null;
}

export interface OfQueueStats {
  readonly port: number;
  readonly queue: number;
  readonly txBytes: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly duration: { readonly seconds: number; readonly nanoseconds: number } | null;
}

export interface QueueConfigRequestMessage {
  readonly kind: 'queue_config_request';
  readonly port: number;
  readonly queue: number;
}

export interface QueueConfigReplyMessage {
  readonly kind: 'queue_config_reply';
  /** Of the request, where the version says it once for all queues. */
  readonly port: number;
  readonly queues: readonly OfQueue[];
}

export interface QueueStatsRequestMessage {
  readonly kind: 'queue_stats_request';
  readonly port: number;
  readonly queue: number;
}

export interface QueueStatsReplyMessage {
  readonly kind: 'queue_stats_reply';
  readonly stats: readonly OfQueueStats[];
}

export type QueueMessage =
  | QueueConfigRequestMessage
  | QueueConfigReplyMessage
  | QueueStatsRequestMessage
  | QueueStatsReplyMessage;

/** OpenFlow 1.0 cannot ask for all ports. */
const isQueuePort = (version: number, port: number): boolean => port < 0xff00 || (port === OFPP_ANY && version > 1);

function decodeConfigRequest({ version, body, spec }: DecodeInput): Decoded<QueueConfigRequestMessage> {
  const port = portAt(version, body, 0);
  if (!port.ok) return port;
  if (!isQueuePort(version, port.value)) return ofFail('OFPQOFC_BAD_PORT');
  const queue = spec.raw === 'OFPST14_QUEUE_DESC_REQUEST' ? u32At(body, 4) : OFPQ_ALL;
  return ok({ kind: 'queue_config_request', port: port.value, queue });
}

function encodeConfigRequest(message: QueueConfigRequestMessage, version: number): Encoded {
  const out = new Writer();
  if (version === 1) out.u16(message.port).zeros(2);
  else if (version < 5) out.u32(portTo32(message.port)).zeros(4);
  else out.u32(portTo32(message.port)).u32(message.queue);
  const spec = specIn(
    version,
    'OFPT10_QUEUE_GET_CONFIG_REQUEST',
    'OFPT11_QUEUE_GET_CONFIG_REQUEST',
    'OFPST14_QUEUE_DESC_REQUEST',
  )!;
  return { spec, body: out.done() };
}

interface Rates {
  minRate: number | null;
  maxRate: number | null;
}

/** OpenFlow 1.1: from 1.2 on a queue names its port. */
const SHORT_QUEUES_LAST = 2;
const MIN_RATE = 1;
const MAX_RATE = 2;

function setRate(rates: Rates, type: number | null, value: number): void {
  if (type === MIN_RATE) rates.minRate = value === RATE_UNKNOWN ? null : value;
  if (type === MAX_RATE) rates.maxRate = value === RATE_UNKNOWN ? null : value;
}

/** Properties of OpenFlow 1.0 to 1.3: type, length, four bytes of nothing, rate, six bytes of nothing. */
function readOldRates(bytes: Uint8Array): Decoded<Rates> {
  const rates: Rates = { minRate: null, maxRate: null };
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < 8) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(bytes, at + 2);
    if (size < 8 || size > left || size % 8 !== 0) return ofFail('OFPBRC_BAD_LEN');
    const type = u16At(bytes, at);
    if (type === MIN_RATE || type === MAX_RATE) {
      if (size < 16) return ofFail('OFPBRC_BAD_LEN');
      setRate(rates, type, u16At(bytes, at + 8));
    }
    at += size;
  }
  return ok(rates);
}

function readRates(bytes: Uint8Array): Decoded<Rates> {
  const rates: Rates = { minRate: null, maxRate: null };
  const properties = readProperties(bytes);
  if (!properties.ok) return properties;
  for (const property of properties.value) {
    if (property.type !== MIN_RATE && property.type !== MAX_RATE) continue;
    if (property.bytes.length < 6 || property.bytes.length > 8) return ofFail('OFPBPC_BAD_LEN');
    setRate(rates, property.type, u16At(property.bytes, 4));
  }
  return ok(rates);
}

function decodeConfigReply({ version, body }: DecodeInput): Decoded<QueueConfigReplyMessage> {
  const port = portAt(version, body, 0);
  // Without queues nothing belongs to the port, and it may be any number
  if (!port.ok) return body.length === 8 ? ok({ kind: 'queue_config_reply', port: OFPP_ANY, queues: [] }) : port;
  const head = version <= SHORT_QUEUES_LAST ? 8 : 16;
  const queues: OfQueue[] = [];
  for (let at = 8; at < body.length; ) {
    const left = body.length - at;
    if (left < head) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(body, at + (version <= SHORT_QUEUES_LAST ? 4 : 8));
    if (size < head || size > left || size % 8 !== 0) return ofFail('OFPBRC_BAD_LEN');
    const rates = readOldRates(body.subarray(at + head, at + size));
    if (!rates.ok) return rates;
    queues.push({ port: port.value, queue: u32At(body, at), ...rates.value });
    at += size;
  }
  return ok({ kind: 'queue_config_reply', port: port.value, queues });
}

function decodeDescReply({ body }: DecodeInput): Decoded<QueueConfigReplyMessage> {
  const queues: OfQueue[] = [];
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    if (left < 16) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(body, at + 8);
    const port = portFrom32(u32At(body, at));
    if (port === null) return ofFail('OFPBAC_BAD_OUT_PORT');
    if (size < 16 || size > left || size % 8 !== 0) return ofFail('OFPBRC_BAD_LEN');
    const rates = readRates(body.subarray(at + 16, at + size));
    if (!rates.ok) return rates;
    queues.push({ port, queue: u32At(body, at + 4), ...rates.value });
    at += size;
  }
  return ok({ kind: 'queue_config_reply', port: queues[0]?.port ?? OFPP_ANY, queues });
}

function writeQueue(out: Writer, version: number, queue: OfQueue): void {
  const start = out.size;
  if (version <= SHORT_QUEUES_LAST) out.u32(queue.queue).zeros(4);
  else if (version < 5) out.u32(queue.queue).u32(portTo32(queue.port)).zeros(8);
  else out.u32(portTo32(queue.port)).u32(queue.queue).zeros(8);
  for (const [type, rate] of [[MIN_RATE, queue.minRate] as const, [MAX_RATE, queue.maxRate] as const]) {
    if (rate === null) continue;
    if (version < 5) out.u16(type).u16(16).zeros(4).u16(rate).zeros(6);
    else out.u16(type).u16(8).u16(rate).zeros(2);
  }
  out.putU16(start + (version <= SHORT_QUEUES_LAST ? 4 : 8), out.size - start);
}

function encodeConfigReply(message: QueueConfigReplyMessage, version: number): Encoded {
  const out = new Writer();
  if (version === 1) out.u16(message.port).zeros(6);
  else if (version < 5) out.u32(portTo32(message.port)).zeros(4);
  for (const queue of message.queues) writeQueue(out, version, queue);
  const spec = specIn(
    version,
    'OFPT10_QUEUE_GET_CONFIG_REPLY',
    'OFPT11_QUEUE_GET_CONFIG_REPLY',
    'OFPST14_QUEUE_DESC_REPLY',
  )!;
  return { spec, body: out.done() };
}

const rateText = (name: string, rate: number | null): string => {
  if (rate === null) return '';
  return ` ${name}:${rate <= RATE_MAX ? `${Math.floor(rate / 10)}.${rate % 10}%` : '(disabled)'}`;
};

/** Queues of one port under a line with the port, in order of port and queue. */
function formatConfigReply(message: QueueConfigReplyMessage): string {
  const sorted = message.queues.toSorted((a, b) => a.port - b.port || a.queue - b.queue);
  let text = '';
  let port: number | null = null;
  for (const queue of sorted) {
    if (queue.port !== port) text += `${port === null ? ' ' : ''}port=${formatOfPort(queue.port)}\n`;
    port = queue.port;
    text += `queue ${queue.queue}:${rateText('min_rate', queue.minRate)}${rateText('max_rate', queue.maxRate)}\n`;
  }
  return text === '' ? '\n' : text;
}

function decodeStatsRequest({ version, body }: DecodeInput): Decoded<QueueStatsRequestMessage> {
  const port = portAt(version, body, 0);
  if (!port.ok) return port;
  // OpenFlow 1.0 asks for every port with another number than later versions
  const asked = version === 1 && port.value === OFPP_ALL ? OFPP_ANY : port.value;
  return ok({ kind: 'queue_stats_request', port: asked, queue: u32At(body, 4) });
}

function encodeStatsRequest({ port, queue }: QueueStatsRequestMessage, version: number): Encoded {
  const out = new Writer();
  if (version === 1) out.u16(port === OFPP_ANY ? OFPP_ALL : port).zeros(2);
  else out.u32(portTo32(port));
  return { spec: specIn(version, 'OFPST10_QUEUE_REQUEST', 'OFPST11_QUEUE_REQUEST')!, body: out.u32(queue).done() };
}

const durationAt = (bytes: Uint8Array, at: number) =>
  u32At(bytes, at) === 0xffffffff ? null : { seconds: u32At(bytes, at), nanoseconds: u32At(bytes, at + 4) };

function decodeStats({ version, body }: DecodeInput): Decoded<QueueStatsReplyMessage> {
  const size = version >= 4 ? 40 : 32;
  const stats: OfQueueStats[] = [];
  for (let at = 0; at < body.length; at += size) {
    const port = portAt(version, body, at);
    if (!port.ok) return port;
    stats.push({
      port: port.value,
      queue: u32At(body, at + 4),
      txBytes: u64At(body, at + 8),
      txPackets: u64At(body, at + 16),
      txErrors: u64At(body, at + 24),
      duration: version >= 4 ? durationAt(body, at + 32) : null,
    });
  }
  return ok({ kind: 'queue_stats_reply', stats });
}

const HEAD_14 = 48;

function decodeStats14({ body }: DecodeInput): Decoded<QueueStatsReplyMessage> {
  const stats: OfQueueStats[] = [];
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    if (left < HEAD_14) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(body, at);
    if (size < HEAD_14 || size > left) return ofFail('OFPBRC_BAD_LEN');
    const port = portAt(5, body, at + 8);
    if (!port.ok) return port;
    stats.push({
      port: port.value,
      queue: u32At(body, at + 12),
      txBytes: u64At(body, at + 16),
      txPackets: u64At(body, at + 24),
      txErrors: u64At(body, at + 32),
      duration: durationAt(body, at + 40),
    });
    at += size;
  }
  return ok({ kind: 'queue_stats_reply', stats });
}

function encodeStats(message: QueueStatsReplyMessage, version: number): Encoded {
  const out = new Writer();
  for (const s of message.stats) {
    const { seconds, nanoseconds } = s.duration ?? { seconds: 0xffffffff, nanoseconds: 0xffffffff };
    if (version >= 5) out.u16(HEAD_14).zeros(6);
    if (version === 1) out.u16(s.port).zeros(2);
    else out.u32(portTo32(s.port));
    out.u32(s.queue).u64(s.txBytes).u64(s.txPackets).u64(s.txErrors);
    if (version >= 4) out.u32(seconds).u32(nanoseconds);
  }
  const spec = specIn(
    version,
    'OFPST10_QUEUE_REPLY',
    'OFPST11_QUEUE_REPLY',
    'OFPST13_QUEUE_REPLY',
    'OFPST14_QUEUE_REPLY',
  )!;
  return { spec, body: out.done() };
}

const count = (value: bigint): string => (value === UNKNOWN_COUNT ? '?' : String(value));
const formatOne = (s: OfQueueStats): string =>
  `  port ${formatOfPort(s.port)} queue ${s.queue === OFPQ_ALL ? 'ALL' : s.queue}: bytes=${count(s.txBytes)}, ` +
  `pkts=${count(s.txPackets)}, errors=${count(s.txErrors)}, ` +
  `duration=${s.duration ? durationText(s.duration.seconds, s.duration.nanoseconds) : '?'}\n`;

export const queueFamily: Family<QueueMessage> = {
  decode: {
    OFPT10_QUEUE_GET_CONFIG_REQUEST: decodeConfigRequest,
    OFPT11_QUEUE_GET_CONFIG_REQUEST: decodeConfigRequest,
    OFPST14_QUEUE_DESC_REQUEST: decodeConfigRequest,
    OFPT10_QUEUE_GET_CONFIG_REPLY: decodeConfigReply,
    OFPT11_QUEUE_GET_CONFIG_REPLY: decodeConfigReply,
    OFPST14_QUEUE_DESC_REPLY: decodeDescReply,
    OFPST10_QUEUE_REQUEST: decodeStatsRequest,
    OFPST11_QUEUE_REQUEST: decodeStatsRequest,
    OFPST10_QUEUE_REPLY: decodeStats,
    OFPST11_QUEUE_REPLY: decodeStats,
    OFPST13_QUEUE_REPLY: decodeStats,
    OFPST14_QUEUE_REPLY: decodeStats14,
  },
  encode: {
    queue_config_request: encodeConfigRequest,
    queue_config_reply: encodeConfigReply,
    queue_stats_request: encodeStatsRequest,
    queue_stats_reply: encodeStats,
  },
  format: {
    queue_config_request: ({ port, queue }) =>
      ` port=${formatOfPort(port)}${queue === OFPQ_ALL ? '' : ` queue=${queue}`}\n`,
    queue_config_reply: formatConfigReply,
    queue_stats_request: ({ port, queue }) =>
      ` port=${formatOfPort(port)} queue=${queue === OFPQ_ALL ? 'ALL' : queue}\n`,
    queue_stats_reply: ({ stats }, { verbosity }) =>
      ` ${stats.length} queues\n${verbosity < 1 ? '' : stats.map(formatOne).join('')}`,
  },
};
