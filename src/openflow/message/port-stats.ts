/** Statistics of ports (multipart). */
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
  portAt,
  portTo32,
  readProperties,
  unknownProperty,
  writeProperty,
} from './codec.ts';
import { specIn } from './header.ts';

/** All bits set: not known. */
export const UNKNOWN_COUNT = 0xffffffffffffffffn;

/** In the order of OpenFlow 1.0 to 1.3. */
const counters = [
  'rxPackets',
  'txPackets',
  'rxBytes',
  'txBytes',
  'rxDropped',
  'txDropped',
  'rxErrors',
  'txErrors',
  'rxFrameErrors',
  'rxOverErrors',
  'rxCrcErrors',
  'collisions',
] as const;
const COMMON = 8;

export type PortCounters = Readonly<Record<(typeof counters)[number], bigint>>;

export interface OfPortStats extends PortCounters {
  readonly port: number;
  /** Null where the version does not say. */
  readonly duration: { readonly seconds: number; readonly nanoseconds: number } | null;
  /** Counters that only this device has, by name; told since OpenFlow 1.4. */
  readonly custom?: readonly (readonly [name: string, value: bigint])[];
}

export interface PortStatsRequestMessage {
  readonly kind: 'port_stats_request';
  /** OFPP_ANY for all. */
  readonly port: number;
}

export interface PortStatsReplyMessage {
  readonly kind: 'port_stats_reply';
  readonly stats: readonly OfPortStats[];
}

export type PortStatsMessage = PortStatsRequestMessage | PortStatsReplyMessage;

const readCounters = (bytes: Uint8Array, at: number, names: readonly string[]): Record<string, bigint> =>
  Object.fromEntries(names.map((name, i) => [name, u64At(bytes, at + 8 * i)]));

const unknownCounters = Object.fromEntries(counters.map((name) => [name, UNKNOWN_COUNT])) as unknown as PortCounters;

const durationAt = (bytes: Uint8Array, at: number) =>
  u32At(bytes, at) === 0xffffffff ? null : { seconds: u32At(bytes, at), nanoseconds: u32At(bytes, at + 4) };

function readFixed({ version, body }: DecodeInput): Decoded<PortStatsReplyMessage> {
  const size = version >= 4 ? 112 : 104;
  const stats: OfPortStats[] = [];
  for (let at = 0; at < body.length; at += size) {
    const port = portAt(version, body, at);
    if (!port.ok) return port;
    const values = readCounters(body, at + 8, counters) as unknown as PortCounters;
    stats.push({ port: port.value, ...values, duration: version >= 4 ? durationAt(body, at + 104) : null });
  }
  return ok({ kind: 'port_stats_reply', stats });
}

const ETHERNET = 0;
/** Intel's properties, as Open vSwitch writes them: counters of RFC 2819, and counters with names. */
const EXPERIMENTER = 0xffff;
const INTEL = 0xaa01;
const RFC2819 = 1;
const RFC2819_COUNTERS = 21;
const CUSTOM = 2;
const CUSTOM_HEAD = 16;
const HEAD_14 = 80;

/** Counters with names: a byte with the length, the name, the value; null when they do not fit in. */
function readCustom(bytes: Uint8Array): (readonly [string, bigint])[] | null {
  const counts: (readonly [string, bigint])[] = [];
  let at = CUSTOM_HEAD;
  for (let left = u16At(bytes, CUSTOM_HEAD - 2); left > 0; left--) {
    const size = bytes[at] ?? 0;
    if (at + 1 + size + 8 > bytes.length) return null;
    counts.push([String.fromCharCode(...bytes.subarray(at + 1, at + 1 + size)), u64At(bytes, at + 1 + size)]);
    at += 1 + size + 8;
  }
  return counts;
}

const isCustom = ({ type, bytes }: { readonly type: number | null; readonly bytes: Uint8Array }): boolean =>
  type === null && bytes.length >= CUSTOM_HEAD && u32At(bytes, 4) === INTEL && u32At(bytes, 8) === CUSTOM;

function readOne(bytes: Uint8Array): Decoded<OfPortStats> {
  const port = portAt(6, bytes, 4);
  if (!port.ok) return port;
  const properties = readProperties(bytes.subarray(HEAD_14));
  if (!properties.ok) return properties;
  let values: PortCounters = { ...unknownCounters, ...readCounters(bytes, 16, counters.slice(0, COMMON)) };
  let custom: (readonly [string, bigint])[] | null = null;
  for (const property of properties.value) {
    if (property.type === ETHERNET) {
      if (property.bytes.length !== 40) return ofFail('OFPBPC_BAD_LEN');
      values = { ...values, ...readCounters(property.bytes, 8, counters.slice(COMMON)) };
    } else if (isCustom(property)) {
      custom = readCustom(property.bytes);
      if (!custom) return ofFail('OFPBPC_BAD_LEN');
    } else {
      const unknown = unknownProperty(property, true);
      if (unknown) return unknown;
    }
  }
  return ok({ port: port.value, ...values, duration: durationAt(bytes, 8), ...(custom && { custom }) });
}

function readWithProperties({ body }: DecodeInput): Decoded<PortStatsReplyMessage> {
  const stats: OfPortStats[] = [];
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    if (left < HEAD_14) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(body, at);
    if (size < HEAD_14 || size > left) return ofFail('OFPBRC_BAD_LEN');
    const one = readOne(body.subarray(at, at + size));
    if (!one.ok) return one;
    stats.push(one.value);
    at += size;
  }
  return ok({ kind: 'port_stats_reply', stats });
}

function writeOne(out: Writer, version: number, stats: OfPortStats): void {
  const { seconds, nanoseconds } = stats.duration ?? { seconds: 0xffffffff, nanoseconds: 0xffffffff };
  const start = out.size;
  if (version < 5) {
    if (version === 1) out.u16(stats.port).zeros(6);
    else out.u32(portTo32(stats.port)).zeros(4);
    for (const name of counters) out.u64(stats[name]);
    if (version >= 4) out.u32(seconds).u32(nanoseconds);
    return;
  }
  out.zeros(4).u32(portTo32(stats.port)).u32(seconds).u32(nanoseconds);
  for (const name of counters.slice(0, COMMON)) out.u64(stats[name]);
  writeProperty(out, ETHERNET, (property) => {
    property.zeros(4);
    for (const name of counters.slice(COMMON)) property.u64(stats[name]);
  });
  writeIntel(out, stats);
  out.putU16(start, out.size - start);
}

function writeIntel(out: Writer, { custom = [] }: OfPortStats): void {
  writeProperty(out, EXPERIMENTER, (property) => {
    property.u32(INTEL).u32(RFC2819).zeros(4);
    for (let i = 0; i < RFC2819_COUNTERS; i++) property.u64(UNKNOWN_COUNT);
  });
  if (custom.length === 0) return;
  writeProperty(out, EXPERIMENTER, (property) => {
    property.u32(INTEL).u32(CUSTOM).zeros(2).u16(custom.length);
    for (const [name, value] of custom) {
      property
        .u8(name.length)
        .bytes(Uint8Array.from(name, (letter) => letter.charCodeAt(0)))
        .u64(value);
    }
  });
}

function encodeReply(message: PortStatsReplyMessage, version: number): Encoded {
  const out = new Writer();
  for (const stats of message.stats) writeOne(out, version, stats);
  const spec = specIn(version, 'OFPST10_PORT_REPLY', 'OFPST11_PORT_REPLY', 'OFPST13_PORT_REPLY', 'OFPST14_PORT_REPLY')!;
  return { spec, body: out.done() };
}

const countText = (value: bigint): string => (value === UNKNOWN_COUNT ? '?' : String(value));
const listText = (pairs: readonly (readonly [name: string, value: bigint])[]): string =>
  pairs.map(([name, value]) => `${name}=${countText(value)}`).join(', ');

function formatStats(s: OfPortStats): string {
  const rx = listText([
    ['pkts', s.rxPackets],
    ['bytes', s.rxBytes],
    ['drop', s.rxDropped],
    ['errs', s.rxErrors],
    ['frame', s.rxFrameErrors],
    ['over', s.rxOverErrors],
    ['crc', s.rxCrcErrors],
  ]);
  const tx = listText([
    ['pkts', s.txPackets],
    ['bytes', s.txBytes],
    ['drop', s.txDropped],
    ['errs', s.txErrors],
    ['coll', s.collisions],
  ]);
  const text = `  port ${formatOfPort(s.port).padStart(2)}: rx ${rx}\n           tx ${tx}\n`;
  const { duration, custom = [] } = s;
  const time = duration && `           duration=${durationText(duration.seconds, duration.nanoseconds)}\n`;
  return `${text}${time ?? ''}${custom.length > 0 ? customText(custom) : ''}`;
}

/** Three in a line. */
function customText(custom: readonly (readonly [name: string, value: bigint])[]): string {
  const told = custom.filter(([, value]) => value !== UNKNOWN_COUNT).map(([name, value]) => `${name}=${value}, `);
  const lines = Array.from({ length: Math.ceil(told.length / 3) }, (_, i) => told.slice(3 * i, 3 * i + 3).join(''));
  const indent = ' '.repeat(22);
  return `           CUSTOM Statistics\n${lines.map((line) => `${indent}${line.trimEnd()}\n`).join('')}`;
}

export const portStatsFamily: Family<PortStatsMessage> = {
  decode: {
    OFPST10_PORT_REQUEST: ({ body }) => ok({ kind: 'port_stats_request', port: u16At(body, 0) }),
    OFPST11_PORT_REQUEST: ({ version, body }) => {
      const port = portAt(version, body, 0);
      return port.ok ? ok({ kind: 'port_stats_request', port: port.value }) : port;
    },
    OFPST10_PORT_REPLY: readFixed,
    OFPST11_PORT_REPLY: readFixed,
    OFPST13_PORT_REPLY: readFixed,
    OFPST14_PORT_REPLY: readWithProperties,
  },
  encode: {
    port_stats_request: ({ port }, version) => ({
      spec: specIn(version, 'OFPST10_PORT_REQUEST', 'OFPST11_PORT_REQUEST')!,
      body: version === 1 ? new Writer().u16(port).zeros(6).done() : new Writer().u32(portTo32(port)).zeros(4).done(),
    }),
    port_stats_reply: encodeReply,
  },
  format: {
    port_stats_request: ({ port }) => ` port_no=${formatOfPort(port)}\n`,
    port_stats_reply: ({ stats }, { verbosity }) =>
      ` ${stats.length} ports\n${verbosity < 1 ? '' : stats.map(formatStats).join('')}`,
  },
};
