/**
 * Random frames for property tests: every protocol that the parser knows, well formed and with right checksums
 * (randomFrame), and frames with something broken in them (mutate).
 *
 * Addresses and ports come from small pools half of the time, so that keys of different frames meet.
 */
import { concatBytes, putU16, putU32 } from '../../src/lib/bytes.ts';
import type { Random } from '../../src/lib/random.ts';

/** Ones' complement sum of 16-bit words in network order, not folded (RFC 1071). */
function wordSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  return sum;
}

/** The Internet checksum of all parts in a row; every part but the last has an even size (RFC 1071). */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = parts.reduce((total, part) => total + wordSum(part), 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** CRC-32C as SCTP puts it on the wire: least significant byte first (RFC 9260 appendix A). */
export function sctpChecksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1));
  }
  return ~crc >>> 0;
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value);
const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

export function randomMac(random: Random): Uint8Array {
  if (random.chance(0.5)) return Uint8Array.of(0x02, 0, 0, 0, 0, random.below(8));
  if (random.chance(0.1)) return new Uint8Array(6).fill(0xff);
  if (random.chance(0.05)) return new Uint8Array(6);
  return random.bytes(6);
}

export function randomIpv4(random: Random): Uint8Array {
  if (random.chance(0.5)) return Uint8Array.of(10, 0, 0, random.below(8));
  return random.chance(0.05) ? new Uint8Array(4) : random.bytes(4);
}

export function randomIpv6(random: Random): Uint8Array {
  if (random.chance(0.05)) return new Uint8Array(16);
  const out = random.bytes(16);
  if (random.chance(0.5)) {
    out.fill(0);
    out.set([0xfe, 0x80]);
    out[15] = random.below(8);
  }
  return out;
}

export const randomPort = (random: Random): number =>
  random.chance(0.5) ? random.pick([0, 53, 80, 443, 4789, 6081]) : random.below(0x10000);

const payload = (random: Random): Uint8Array => random.bytes(random.chance(0.3) ? 0 : random.below(100));

/** A transport header and its payload; `pseudo` is what the checksum counts before it (ICMP counts nothing). */
type Transport = (random: Random, pseudo: (proto: number, size: number) => Uint8Array) => Uint8Array;

const tcp: Transport = (random, pseudo) => {
  const options = random.bytes(random.chance(0.7) ? 0 : random.below(11) * 4);
  const segment = concatBytes(new Uint8Array(20), options, payload(random));
  putU16(segment, 0, randomPort(random));
  putU16(segment, 2, randomPort(random));
  putU32(segment, 4, random.u32());
  putU32(segment, 8, random.u32());
  putU16(segment, 12, ((5 + options.length / 4) << 12) | random.below(0x1000));
  putU16(segment, 14, random.below(0x10000));
  putU16(segment, 16, internetChecksum(pseudo(6, segment.length), segment));
  return segment;
};

const udp: Transport = (random, pseudo) => {
  const datagram = concatBytes(new Uint8Array(8), payload(random));
  putU16(datagram, 0, randomPort(random));
  putU16(datagram, 2, randomPort(random));
  putU16(datagram, 4, datagram.length);
  const sum = internetChecksum(pseudo(17, datagram.length), datagram);
  putU16(datagram, 6, random.chance(0.1) ? 0 : sum || 0xffff);
  return datagram;
};

const sctp: Transport = (random) => {
  const packet = concatBytes(new Uint8Array(12), payload(random));
  putU16(packet, 0, randomPort(random));
  putU16(packet, 2, randomPort(random));
  putU32(packet, 4, random.u32());
  const crc = sctpChecksum(packet);
  new DataView(packet.buffer).setUint32(8, crc, true);
  return packet;
};

const icmp: Transport = (random) => {
  const message = concatBytes(Uint8Array.of(random.pick([0, 3, 8, 11, 255]), random.below(4)), random.bytes(6));
  const all = concatBytes(message, payload(random));
  putU16(all, 2, 0);
  putU16(all, 2, internetChecksum(all));
  return all;
};

const igmp: Transport = (random) => {
  const message = concatBytes(
    Uint8Array.of(random.pick([0x11, 0x16, 0x17, 0x22]), random.below(256), 0, 0),
    randomIpv4(random),
  );
  putU16(message, 2, internetChecksum(message));
  return message;
};

/** A neighbour discovery option: link-layer address, another type, or one of another size. */
function ndOption(random: Random): Uint8Array {
  if (random.chance(0.8)) return concatBytes(Uint8Array.of(random.pick([1, 2]), 1), randomMac(random));
  const units = 1 + random.below(3);
  return concatBytes(Uint8Array.of(random.pick([1, 2, 5, 14]), units), random.bytes(units * 8 - 2));
}

const icmp6: Transport = (random, pseudo) => {
  const isNd = random.chance(0.7);
  const type = isNd ? random.pick([135, 136]) : random.pick([1, 128, 129, 133, 134, 137]);
  const code = random.chance(0.9) ? 0 : random.below(256);
  const options = isNd ? Array.from({ length: random.below(4) }, () => ndOption(random)) : [payload(random)];
  const reserved = random.chance(0.5) ? new Uint8Array(4) : random.bytes(4);
  const body = isNd ? [reserved, randomIpv6(random), ...options] : [reserved, ...options];
  const message = concatBytes(Uint8Array.of(type, code, 0, 0), ...body);
  putU16(message, 2, internetChecksum(pseudo(58, message.length), message));
  return message;
};

const opaque: Transport = (random) => payload(random);

function randomTransport(random: Random): readonly [proto: number, build: Transport] {
  const rows: readonly (readonly [number, Transport])[] = [
    [6, tcp],
    [6, tcp],
    [17, udp],
    [17, udp],
    [132, sctp],
    [1, icmp],
    [2, igmp],
    [58, icmp6],
    [58, icmp6],
    [random.below(256), opaque],
  ];
  return random.pick(rows);
}

export function randomIpv4Packet(random: Random): Uint8Array {
  const [proto, build] = randomTransport(random);
  const options = random.bytes(random.chance(0.8) ? 0 : random.below(11) * 4);
  const src = randomIpv4(random);
  const dst = randomIpv4(random);
  const body = build(random, (next, size) => concatBytes(src, dst, Uint8Array.of(0, next), u16(size)));
  const header = concatBytes(new Uint8Array(12), src, dst, options);
  header[0] = 0x40 | (header.length / 4);
  header[1] = random.chance(0.5) ? 0 : random.below(256);
  putU16(header, 2, header.length + body.length);
  putU16(header, 4, random.below(0x10000));
  putU16(
    header,
    6,
    random.pick([0, 0, 0, 0x4000, 0x4000, 0x2000, 0x2000 | random.below(0x2000), random.below(0x2000)]),
  );
  header[8] = random.pick([64, 64, 255, 1, 0, random.below(256)]);
  header[9] = proto;
  putU16(header, 10, internetChecksum(header));
  return concatBytes(header, body);
}

/** One IPv6 extension header of this type in front of `next` (RFC 8200 §4; authentication header RFC 4302). */
function extensionHeader(random: Random, type: number, next: number): Uint8Array {
  if (type === 44) {
    const offset = random.pick([0, 0, 1, random.below(0x10000) & 0xfff8, random.below(0x10000)]);
    return concatBytes(Uint8Array.of(next, 0), u16(offset), random.bytes(4));
  }
  const units = random.below(3);
  const size = type === 51 ? (units + 2) * 4 : (units + 1) * 8;
  return concatBytes(Uint8Array.of(next, units), random.bytes(size - 2));
}

export function randomIpv6Packet(random: Random): Uint8Array {
  const [proto, build] = randomTransport(random);
  const src = randomIpv6(random);
  const dst = randomIpv6(random);
  let body = build(random, (next, size) => concatBytes(src, dst, u32(size), u32(next)));
  let next = proto;
  for (let n = random.chance(0.7) ? 0 : 1 + random.below(3); n > 0; n--) {
    const type = random.pick([0, 43, 44, 51, 60]);
    body = concatBytes(extensionHeader(random, type, next), body);
    next = type;
  }
  const first = ((6 << 28) | (random.below(256) << 20) | (random.chance(0.5) ? 0 : random.below(0x100000))) >>> 0;
  return concatBytes(u32(first), u16(body.length), Uint8Array.of(next, random.pick([64, 255, 1, 0])), src, dst, body);
}

export function randomArpPacket(random: Random): Uint8Array {
  const op = random.chance(0.8) ? 1 + random.below(2) : random.below(0x400);
  const fixed = concatBytes(u16(1), u16(0x0800), Uint8Array.of(6, 4), u16(op));
  return concatBytes(fixed, randomMac(random), randomIpv4(random), randomMac(random), randomIpv4(random));
}

/** RFC 8300: MD type 1, 2 or something else, then a payload. */
export function randomNshPacket(random: Random): Uint8Array {
  const mdType = random.pick([1, 1, 1, 2, 3]);
  const context = random.bytes(mdType === 1 ? 16 : random.below(5) * 4);
  const words = (8 + context.length) / 4;
  const first = (random.below(4) << 12) | (random.below(64) << 6) | words;
  const base = concatBytes(u16(first), Uint8Array.of(mdType, random.pick([1, 2, 3, 4])), random.bytes(4));
  return concatBytes(base, context, payload(random));
}

function randomMplsPacket(random: Random): Uint8Array {
  const count = 1 + random.below(5);
  const labels = Array.from({ length: count }, (_, i) =>
    u32(((random.u32() & ~0x100) | (i === count - 1 ? 0x100 : 0)) >>> 0),
  );
  return concatBytes(...labels, random.chance(0.5) ? randomIpv4Packet(random) : payload(random));
}

/** An IEEE 802.2 frame's length field and body; with a SNAP header about half of the time. */
function lengthAndBody(random: Random): Uint8Array {
  const [type, body] = random.chance(0.7) ? randomNetwork(random) : [random.below(0x600), payload(random)];
  const organisation = random.chance(0.8) ? [0, 0, 0] : [0, 0, 0x0c];
  const isSnap = random.chance(0.6);
  const llc = isSnap ? [0xaa, 0xaa, 0x03, ...organisation, type >>> 8, type & 0xff] : [0x42, 0x42, 0x03];
  return concatBytes(u16(Math.min(llc.length + body.length, 0x5dc)), Uint8Array.from(llc), body);
}

/** An Ethertype and what lies behind it. */
function randomNetwork(random: Random): readonly [type: number, body: Uint8Array] {
  const dice = random.below(100);
  if (dice < 45) return [0x0800, randomIpv4Packet(random)];
  if (dice < 75) return [0x86dd, randomIpv6Packet(random)];
  if (dice < 82) return [random.chance(0.8) ? 0x0806 : 0x8035, randomArpPacket(random)];
  if (dice < 90) return [random.pick([0x8847, 0x8848]), randomMplsPacket(random)];
  if (dice < 95) return [0x894f, randomNshPacket(random)];
  return [0x600 + random.below(0xfa00), payload(random)];
}

/** A plausible, well-formed Ethernet frame of any protocol that the parser knows, 14 bytes to about 300. */
export function randomFrame(random: Random): Uint8Array {
  const parts = [randomMac(random), randomMac(random)];
  const tags = random.pick([0, 0, 0, 0, 1, 1, 2, 3]);
  for (let i = 0; i < tags; i++) parts.push(u16(random.pick([0x8100, 0x88a8])), u16(random.below(0x10000)));
  if (random.chance(0.04)) {
    parts.push(lengthAndBody(random));
  } else {
    const [type, body] = randomNetwork(random);
    parts.push(u16(type), body);
  }
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size < 60 && random.chance(0.5)) parts.push(new Uint8Array(60 - size));
  else if (random.chance(0.1)) parts.push(random.bytes(random.below(20)));
  return concatBytes(...parts);
}

/** A plain frame: no tag or one, IPv4, TCP or UDP, no options, no fragments; what most traffic is. */
export function plainFrame(random: Random): Uint8Array {
  const [proto, build] = random.pick([[6, tcp] as const, [17, udp] as const]);
  const src = randomIpv4(random);
  const dst = randomIpv4(random);
  const body = build(random, (next, size) => concatBytes(src, dst, Uint8Array.of(0, next), u16(size)));
  const header = concatBytes(
    Uint8Array.of(0x45, 0),
    u16(20 + body.length),
    new Uint8Array(4),
    Uint8Array.of(64, proto, 0, 0),
  );
  const packet = concatBytes(header, src, dst);
  putU16(packet, 10, internetChecksum(packet));
  const tag = random.chance(0.3) ? concatBytes(u16(0x8100), u16(random.below(0x10000))) : new Uint8Array(0);
  return concatBytes(randomMac(random), randomMac(random), tag, u16(0x0800), packet, body);
}

/** Bytes that the parser branches on, worth writing anywhere. */
const telling = [0, 1, 2, 5, 6, 0x08, 0x11, 0x3a, 0x2c, 0x33, 0x3c, 0x2b, 0x45, 0x46, 0x81, 0x86, 0x88, 0xa8, 0xff];

/** A copy of the frame with something broken in it: bytes changed, cut short or made longer. Can be of any size. */
export function mutate(random: Random, frame: Uint8Array): Uint8Array {
  let out: Uint8Array = frame.slice();
  for (let n = 1 + random.below(3); n > 0; n--) {
    // headers are where it hurts
    const at = random.below(Math.max(1, Math.min(out.length, random.chance(0.8) ? 80 : out.length)));
    const dice = random.below(6);
    if (dice === 0) out = out.slice(0, random.below(out.length + 1));
    else if (dice === 1) out = concatBytes(out, random.bytes(random.below(40)));
    else if (dice === 2)
      out = concatBytes(out.subarray(0, at), out.subarray(Math.min(out.length, at + 1 + random.below(8))));
    else if (out.length > 0 && dice === 3) out[at] = random.pick(telling);
    else if (out.length > 0 && dice === 4) out[at]! ^= 1 << random.below(8);
    else if (out.length > 0) out[at] = random.below(256);
  }
  return out;
}
