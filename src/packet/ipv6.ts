/** IPv6 (RFC 8200). Hop-by-hop, routing and destination option headers are stepped over when reading. */
import { formatIpv6 } from '../lib/addresses.ts';
import { putU16, putU32, u16At, u32At } from '../lib/bytes.ts';
import type { Parsed } from './parsed.ts';

const VERSION_CLASS_LABEL = 0;
const PAYLOAD_SIZE = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SRC = 8;
const DST = 24;
const HEADER_SIZE = 40;

/** Hop-by-hop options, routing, destination options: { next header, length in units of 8 bytes - 1 }. */
const STEPPED_OVER: ReadonlySet<number> = new Set([0, 43, 60]);
const FRAGMENT = 44;

export interface Ipv6 {
  readonly trafficClass: number;
  /** Twenty bits (RFC 6437). */
  readonly flowLabel: number;
  /** Protocol of the payload, behind extension headers. */
  readonly protocol: number;
  readonly hopLimit: number;
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  /** True for a fragment other than a whole datagram: its payload is not a whole transport packet. */
  readonly isFragment: boolean;
}

/** The payload ends where the length says. Null when a length lies. */
export function parseIpv6Header(bytes: Uint8Array): Parsed<Ipv6> | null {
  if (bytes.length < HEADER_SIZE || bytes[VERSION_CLASS_LABEL]! >>> 4 !== 6) return null;
  const end = HEADER_SIZE + u16At(bytes, PAYLOAD_SIZE);
  if (end > bytes.length) return null;
  let protocol = bytes[NEXT_HEADER]!;
  let at = HEADER_SIZE;
  let isFragment = false;
  while (STEPPED_OVER.has(protocol) || protocol === FRAGMENT) {
    if (at + 8 > end) return null;
    const size = protocol === FRAGMENT ? 8 : (bytes[at + 1]! + 1) * 8;
    if (protocol === FRAGMENT && (u16At(bytes, at + 2) & 0xfff9) !== 0) isFragment = true;
    protocol = bytes[at]!;
    at += size;
    if (at > end) return null;
  }
  const word = u32At(bytes, VERSION_CLASS_LABEL);
  return {
    header: {
      trafficClass: (word >>> 20) & 0xff,
      flowLabel: word & 0xfffff,
      protocol,
      hopLimit: bytes[HOP_LIMIT]!,
      src: bytes.slice(SRC, DST),
      dst: bytes.slice(DST, HEADER_SIZE),
      isFragment,
    },
    payload: bytes.subarray(at, end),
  };
}

/** Writes a header without extensions at the start of `bytes`; all of `bytes` is the datagram. */
export function emitIpv6(header: Ipv6, bytes: Uint8Array): void {
  putU32(bytes, VERSION_CLASS_LABEL, ((6 << 28) | (header.trafficClass << 20) | header.flowLabel) >>> 0);
  putU16(bytes, PAYLOAD_SIZE, bytes.length - HEADER_SIZE);
  bytes[NEXT_HEADER] = header.protocol;
  bytes[HOP_LIMIT] = header.hopLimit;
  bytes.set(header.src, SRC);
  bytes.set(header.dst, DST);
}

export function buildIpv6(header: Ipv6, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + payload.length);
  emitIpv6(header, bytes);
  bytes.set(payload, HEADER_SIZE);
  return bytes;
}

export const formatIpv6Header = (header: Ipv6): string =>
  `${formatIpv6(header.src)} > ${formatIpv6(header.dst)} hlim ${header.hopLimit}${header.isFragment ? ' fragment' : ''}`;
