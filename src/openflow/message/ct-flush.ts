/** Forgetting connections that a tuple describes (NXT_CT_FLUSH; nicira extension of Open vSwitch 3.1). */
import { formatIpv4, formatIpv6 } from '../../lib/addresses.ts';
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { u16At, Writer } from '../wire.ts';
import { type Decoded, type DecodeInput, type Encoded, type Family, readProperties, writeProperty } from './codec.ts';
import { messageSpec } from './header.ts';

/** One direction of connections; what is zero is not asked for. */
export interface CtTuple {
  /** Sixteen bytes; IPv4 addresses are mapped into IPv6 (RFC 4291 §2.5.5.2). */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpId: number;
  readonly icmpType: number;
  readonly icmpCode: number;
}

export interface CtFlushMessage {
  readonly kind: 'ct_flush';
  /** Null: not said. */
  readonly zone: number | null;
  /** IP protocol; 0 for any. */
  readonly protocol: number;
  readonly original: CtTuple;
  readonly reply: CtTuple;
}

export const emptyTuple: CtTuple = {
  source: new Uint8Array(16),
  destination: new Uint8Array(16),
  sourcePort: 0,
  destinationPort: 0,
  icmpId: 0,
  icmpType: 0,
  icmpCode: 0,
};

const ORIGINAL = 0;
const REPLY = 1;
const ZONE = 2;

/** Properties of a tuple, and the bytes of their values. */
const members = [
  ['source', 16],
  ['destination', 16],
  ['sourcePort', 2],
  ['destinationPort', 2],
  ['icmpId', 2],
  ['icmpType', 1],
  ['icmpCode', 1],
] as const;

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
const isMapped = (a: Uint8Array): boolean => isZero(a.subarray(0, 10)) && a[10] === 0xff && a[11] === 0xff;

function readTuple(bytes: Uint8Array): Decoded<CtTuple> {
  if (bytes.length < 8) return ofFail('OFPBPC_BAD_LEN');
  const list = readProperties(bytes.subarray(8));
  if (!list.ok) return list;
  const tuple: Record<string, number | Uint8Array> = { ...emptyTuple };
  for (const property of list.value) {
    const member = property.type === null ? undefined : members[property.type];
    if (!member) continue;
    const [name, size] = member;
    const length = property.bytes.length - 4;
    if (size === 16 ? length < size : length !== size && length !== 4) return ofFail('OFPBPC_BAD_LEN');
    const at = property.bytes;
    tuple[name] = size === 16 ? at.slice(4, 20) : size === 2 ? u16At(at, 4) : at[4]!;
  }
  return ok(tuple as unknown as CtTuple);
}

/** Whether a tuple's addresses are of one version; addresses of nothing are of any. */
const isOneVersion = (...tuples: readonly CtTuple[]): boolean =>
  new Set(
    tuples
      .flatMap((t) => [t.source, t.destination])
      .filter((a) => !isZero(a))
      .map(isMapped),
  ).size <= 1;

function decode({ body }: DecodeInput): Decoded<CtFlushMessage> {
  if (!isZero(body.subarray(1, 8))) return ofFail('NXBRC_MUST_BE_ZERO');
  const list = readProperties(body.subarray(8));
  if (!list.ok) return list;
  let message: CtFlushMessage = {
    kind: 'ct_flush',
    zone: null,
    protocol: body[0]!,
    original: emptyTuple,
    reply: emptyTuple,
  };
  for (const { type, bytes } of list.value) {
    if (type === ORIGINAL || type === REPLY) {
      const tuple = readTuple(bytes);
      if (!tuple.ok) return tuple;
      message = type === ORIGINAL ? { ...message, original: tuple.value } : { ...message, reply: tuple.value };
      if (!isOneVersion(message.original, message.reply)) return ofFail('OFPBPC_BAD_VALUE');
    } else if (type === ZONE) {
      if (bytes.length !== 8 && bytes.length !== 6) return ofFail('OFPBPC_BAD_LEN');
      message = { ...message, zone: u16At(bytes, 4) };
    }
  }
  return ok(message);
}

const ICMP = 1;
const ICMPV6 = 58;
const isIcmp = (protocol: number): boolean => protocol === ICMP || protocol === ICMPV6;

function writeMember(out: Writer, type: number, value: number | Uint8Array): void {
  const size = members[type]![1];
  writeProperty(out, type, (p) => {
    if (typeof value !== 'number') p.bytes(value);
    else if (size === 2) p.u16(value).zeros(2);
    else p.u8(value);
  });
}

function writeTuple(out: Writer, type: number, tuple: CtTuple, protocol: number): void {
  const inner = new Writer();
  members.forEach(([name, size], i) => {
    const value = tuple[name];
    const isOfIcmp = name.startsWith('icmp');
    const isThere = typeof value === 'number' ? isIcmp(protocol) || value !== 0 : !isZero(value);
    if (size === 16 ? isThere : isThere && isOfIcmp === isIcmp(protocol)) writeMember(inner, i, value);
  });
  if (inner.size > 0) writeProperty(out, type, (p) => p.zeros(4).bytes(inner.done()));
}

function encode(m: CtFlushMessage): Encoded {
  const out = new Writer().u8(m.protocol).zeros(7);
  writeTuple(out, ORIGINAL, m.original, m.protocol);
  writeTuple(out, REPLY, m.reply, m.protocol);
  if (m.zone !== null) writeProperty(out, ZONE, (p) => p.u16(m.zone!).zeros(2));
  return { spec: messageSpec('NXT_CT_FLUSH'), body: out.done() };
}

const addressText = (a: Uint8Array): string => (isMapped(a) ? formatIpv4(a.subarray(12)) : formatIpv6(a));

function tupleText(t: CtTuple, protocol: number, version: 'nw' | 'ipv6'): string {
  const addresses = `ct_${version}_src=${addressText(t.source)},ct_${version}_dst=${addressText(t.destination)}`;
  if (isIcmp(protocol)) return `${addresses},icmp_id=${t.icmpId},icmp_type=${t.icmpType},icmp_code=${t.icmpCode}`;
  return `${addresses},ct_tp_src=${t.sourcePort},ct_tp_dst=${t.destinationPort}`;
}

function format({ zone, protocol, original, reply }: CtFlushMessage): string {
  const addresses = [original, reply].flatMap((t) => [t.source, t.destination]).filter((a) => !isZero(a));
  const version = addresses.length > 0 && isMapped(addresses[0]!) ? 'nw' : 'ipv6';
  const [first, second] = [original, reply].map((t) => tupleText(t, protocol, version));
  return ` zone=${zone ?? 0} '${first},ct_nw_proto=${protocol}' '${second}'\n`;
}

export const ctFlushFamily: Family<CtFlushMessage> = {
  decode: { NXT_CT_FLUSH: decode },
  encode: { ct_flush: encode },
  format: { ct_flush: format },
};
