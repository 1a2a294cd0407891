/** A packet for a controller, in all forms: OpenFlow 1.0 to 1.5, Nicira's first, and its second, which can be resumed. */
import { KEY } from '../../flow/key.ts';
import { concatBytes } from '../../lib/bytes.ts';
import { ok } from '../../lib/result.ts';
import { formatHexBytes } from '../action/text.ts';
import { ofFail } from '../error.ts';
import { decodeMatch, decodeNxm, encodeMatch, encodeNxm, type OfMatch } from '../match.ts';
import { tlvBytes } from '../oxm/tlv.ts';
import type { OfVersion } from '../version.ts';
import { u16At, u32At, u64At, Writer } from '../wire.ts';
import {
  type Decoded,
  type DecodeInput,
  type Encoded,
  type Family,
  OFPP_ANY,
  portFrom32,
  portTo32,
  readProperties,
  unknownProperty,
  writeProperty,
} from './codec.ts';
import { messageSpec, specIn } from './header.ts';
import { matchText, packetText } from './match-text.ts';
import { inPortMatch, inPortOfMatch, NO_BUFFER } from './packet-out.ts';

export interface PacketInMessage {
  /** resume: a controller gives back what a packet-in with a continuation was. */
  readonly kind: 'packet_in' | 'resume';
  readonly format: 'standard' | 'nxt_packet_in' | 'nxt_packet_in2';
  readonly buffer: number;
  readonly totalLength: number;
  /** 0 no match, 1 action, 2 invalid TTL, 3 action set, 4 group, 5 packet-out. */
  readonly reason: number;
  /** Null where the version does not say. */
  readonly table: number | null;
  readonly cookie: bigint | null;
  /** Pipeline fields. */
  readonly metadata: OfMatch;
  readonly userdata: Uint8Array;
  /** Properties of the continuation, as they are: only the switch that wrote them reads them. Null for none. */
  readonly continuation: Uint8Array | null;
  readonly data: Uint8Array;
}

const NO_COOKIE = 0xffffffffffffffffn;
const noBytes = new Uint8Array(0);

const plain = { kind: 'packet_in', format: 'standard', userdata: noBytes, continuation: null } as const;

const decode10 = ({ body }: DecodeInput): Decoded<PacketInMessage> =>
  ok({
    ...plain,
    buffer: u32At(body, 0),
    totalLength: u16At(body, 4),
    reason: body[8]!,
    table: null,
    cookie: null,
    metadata: inPortMatch(u16At(body, 6)),
    data: body.slice(10),
  });

function decode11({ body }: DecodeInput): Decoded<PacketInMessage> {
  const port = portFrom32(u32At(body, 4));
  if (port === null) return ofFail('OFPBAC_BAD_OUT_PORT');
  return ok({
    ...plain,
    buffer: u32At(body, 0),
    totalLength: u16At(body, 12),
    reason: body[14]!,
    table: body[15]!,
    cookie: null,
    metadata: inPortMatch(port),
    data: body.slice(16),
  });
}

/** OpenFlow 1.2 has no cookie; an OXM match and two bytes of nothing stand before the packet. */
function decode12({ version, body }: DecodeInput): Decoded<PacketInMessage> {
  const head = version === 3 ? 8 : 16;
  const match = decodeMatch(version as OfVersion, body.subarray(head));
  if (!match.ok) return match;
  const at = head + match.value.size + 2;
  if (at > body.length) return ofFail('OFPBRC_BAD_LEN');
  return ok({
    ...plain,
    buffer: u32At(body, 0),
    totalLength: u16At(body, 4),
    reason: body[6]!,
    table: body[7]!,
    cookie: version === 3 ? null : u64At(body, 8),
    metadata: match.value.match,
    data: body.slice(at),
  });
}

function decodeNicira({ body }: DecodeInput): Decoded<PacketInMessage> {
  const matchSize = u16At(body, 16);
  const at = 24 + ((matchSize + 7) & ~7) + 2;
  if (24 + ((matchSize + 7) & ~7) > body.length) return ofFail('OFPBMC_BAD_LEN');
  const match = decodeNxm(body.subarray(24, 24 + matchSize));
  if (!match.ok) return match;
  if (at > body.length) return ofFail('OFPBRC_BAD_LEN');
  return ok({
    ...plain,
    format: 'nxt_packet_in',
    buffer: u32At(body, 0),
    totalLength: u16At(body, 4),
    reason: body[6]!,
    table: body[7]!,
    cookie: u64At(body, 8),
    metadata: match.value.match,
    data: body.slice(at),
  });
}

/** Properties of NXT_PACKET_IN2. */
const P = {
  packet: 0,
  fullLength: 1,
  buffer: 2,
  table: 3,
  cookie: 4,
  reason: 5,
  metadata: 6,
  userdata: 7,
  continuation: 8,
};
const sizes: Readonly<Record<number, number>> = {
  [P.fullLength]: 8,
  [P.buffer]: 8,
  [P.table]: 5,
  [P.cookie]: 16,
  [P.reason]: 5,
};

const decodeNicira2 =
  (kind: PacketInMessage['kind']) =>
  ({ body, isLoose }: DecodeInput): Decoded<PacketInMessage> => {
    const properties = readProperties(body);
    if (!properties.ok) return properties;
    let message: PacketInMessage = {
      ...plain,
      kind,
      format: 'nxt_packet_in2',
      buffer: NO_BUFFER,
      totalLength: 0,
      reason: 0,
      table: null,
      cookie: null,
      metadata: inPortMatch(OFPP_ANY),
      data: noBytes,
    };
    message.metadata.mask.set(KEY.in_port, 0);
    message.metadata.key.set(KEY.in_port, 0);
    for (const property of properties.value) {
      const { bytes, type } = property;
      if (type !== null && sizes[type] !== undefined && bytes.length !== sizes[type]) return ofFail('OFPBPC_BAD_LEN');
      const payload = bytes.subarray(4);
      if (type === P.packet) message = { ...message, data: payload.slice() };
      else if (type === P.fullLength) message = { ...message, totalLength: u32At(bytes, 4) };
      else if (type === P.buffer) message = { ...message, buffer: u32At(bytes, 4) };
      else if (type === P.table) message = { ...message, table: bytes[4]! };
      else if (type === P.cookie) message = { ...message, cookie: u64At(bytes, 8) };
      else if (type === P.reason) message = { ...message, reason: bytes[4]! };
      else if (type === P.metadata) {
        const match = decodeNxm(payload);
        if (!match.ok) return match;
        message = { ...message, metadata: match.value.match };
      } else if (type === P.userdata) message = { ...message, userdata: payload.slice() };
      else if (type === P.continuation) message = { ...message, continuation: bytes.slice(8) };
      else {
        const unknown = unknownProperty(property, isLoose);
        if (unknown) return unknown;
      }
    }
    if (message.data.length === 0) return ofFail('OFPBRC_BAD_LEN');
    if (message.totalLength === 0) return ok({ ...message, totalLength: message.data.length });
    return message.totalLength < message.data.length ? ofFail('OFPBRC_BAD_LEN') : ok(message);
  };

/** The fields in the forms of that version, but the port in OXM's even where the others are in NXM's. */
function metadataBytes(metadata: OfMatch, version: OfVersion): Uint8Array {
  if (version >= 3) return tlvBytes(metadata, version);
  const rest = { ...metadata, key: metadata.key.clone(), mask: metadata.mask.clone() } as OfMatch;
  rest.key.set(KEY.in_port, 0);
  rest.mask.set(KEY.in_port, 0);
  const hasPort = !metadata.mask.isZero(KEY.in_port);
  const port = hasPort ? tlvBytes(inPortMatch(inPortOfMatch(metadata)), 3) : noBytes;
  return concatBytes(port, tlvBytes(rest, version));
}

function encodeNicira2(m: PacketInMessage, version: OfVersion): Uint8Array {
  const out = new Writer();
  writeProperty(out, P.packet, (p) => p.bytes(m.data));
  if (m.totalLength !== m.data.length) writeProperty(out, P.fullLength, (p) => p.u32(m.totalLength));
  if (m.buffer !== NO_BUFFER) writeProperty(out, P.buffer, (p) => p.u32(m.buffer));
  if (m.table !== null) writeProperty(out, P.table, (p) => p.u8(m.table!));
  if (m.cookie !== null) writeProperty(out, P.cookie, (p) => p.zeros(4).u64(m.cookie!));
  writeProperty(out, P.reason, (p) => p.u8(m.reason));
  writeProperty(out, P.metadata, (p) => p.bytes(metadataBytes(m.metadata, version)));
  if (m.continuation) writeProperty(out, P.continuation, (p) => p.zeros(4).bytes(m.continuation!));
  if (m.userdata.length > 0) writeProperty(out, P.userdata, (p) => p.bytes(m.userdata));
  return out.done();
}

/** 0xff says that the table is not known; all bits of the cookie that it is not. */
function encodeStandard(m: PacketInMessage, version: OfVersion): Uint8Array {
  const port = inPortOfMatch(m.metadata);
  const out = new Writer().u32(m.buffer);
  if (version === 1) return out.u16(m.totalLength).u16(port).u8(m.reason).zeros(1).bytes(m.data).done();
  const table = m.table ?? 0xff;
  if (version === 2) {
    out.u32(portTo32(port)).u32(portTo32(port)).u16(m.totalLength).u8(m.reason).u8(table);
    return out.bytes(m.data).done();
  }
  out.u16(m.totalLength).u8(m.reason).u8(table);
  if (version > 3) out.u64(m.cookie ?? NO_COOKIE);
  return out.bytes(encodeMatch(version, m.metadata)).zeros(2).bytes(m.data).done();
}

function encodeNicira(m: PacketInMessage): Uint8Array {
  const match = encodeNxm(m.metadata);
  const out = new Writer()
    .u32(m.buffer)
    .u16(m.totalLength)
    .u8(m.reason)
    .u8(m.table ?? 0xff);
  out
    .u64(m.cookie ?? NO_COOKIE)
    .u16(match.length)
    .zeros(6)
    .bytes(match)
    .pad8(24);
  return concatBytes(out.zeros(2).done(), m.data);
}

function encode(m: PacketInMessage, version: OfVersion): Encoded {
  if (m.kind === 'resume') return { spec: messageSpec('NXT_RESUME'), body: encodeNicira2(m, version) };
  if (m.format === 'nxt_packet_in2') return { spec: messageSpec('NXT_PACKET_IN2'), body: encodeNicira2(m, version) };
  if (m.format === 'nxt_packet_in') return { spec: messageSpec('NXT_PACKET_IN'), body: encodeNicira(m) };
  const spec = specIn(version, 'OFPT10_PACKET_IN', 'OFPT11_PACKET_IN', 'OFPT12_PACKET_IN', 'OFPT13_PACKET_IN')!;
  return { spec, body: encodeStandard(m, version) };
}

const reasonWords = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'];

function lengthText({ totalLength, data, buffer }: PacketInMessage): string {
  const isBuffered = buffer !== NO_BUFFER;
  const size = ` data_len=${data.length}`;
  const text = isBuffered ? `${size} buffer=0x${buffer.toString(16).padStart(8, '0')}` : `${size} (unbuffered)`;
  if (isBuffered) return totalLength < data.length ? `${text} (***total_len < data_len***)` : text;
  return totalLength === data.length ? text : `${text} (***total_len != data_len***)`;
}

function format(m: PacketInMessage, verbosity: number): string {
  const table = m.table === null || m.table === 0 ? '' : ` table_id=${m.table}`;
  const cookie = m.cookie === null || m.cookie === NO_COOKIE ? '' : ` cookie=0x${m.cookie.toString(16)}`;
  const head = `${table}${cookie} total_len=${m.totalLength} ${matchText(m.metadata)}`;
  const reason = reasonWords[m.reason] ?? String(m.reason);
  const userdata = m.userdata.length === 0 ? '' : ` userdata=${formatHexBytes(m.userdata)}\n`;
  return `${head} (via ${reason})${lengthText(m)}\n${userdata}${packetText(m.data, verbosity)}`;
}

export const packetInFamily: Family<PacketInMessage> = {
  decode: {
    OFPT10_PACKET_IN: decode10,
    OFPT11_PACKET_IN: decode11,
    OFPT12_PACKET_IN: decode12,
    OFPT13_PACKET_IN: decode12,
    NXT_PACKET_IN: decodeNicira,
    NXT_PACKET_IN2: decodeNicira2('packet_in'),
    NXT_RESUME: decodeNicira2('resume'),
  },
  encode: { packet_in: encode, resume: encode } as Family<PacketInMessage>['encode'],
  format: {
    packet_in: (m: PacketInMessage, { verbosity }) => format(m, verbosity),
    resume: (m: PacketInMessage, { verbosity }) => format(m, verbosity),
  },
};
