/** IPv4 (RFC 791). Options are kept as bytes. */
import { formatIpv4 } from '../lib/addresses.ts';
import { putU16, u16At } from '../lib/bytes.ts';
import { checksum } from './checksum.ts';
import type { ParsedChecked } from './parsed.ts';

export const IP_PROTO = { ICMP: 1, IGMP: 2, TCP: 6, UDP: 17, GRE: 47, ICMPV6: 58, SCTP: 132 } as const;

const VERSION_IHL = 0;
const TOS = 1;
const TOTAL_SIZE = 2;
const ID = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SRC = 12;
const DST = 16;
const OPTIONS = 20;

const DF = 0x4000;
const MF = 0x2000;

export interface Ipv4 {
  /** DSCP and ECN (RFC 2474, RFC 3168). */
  readonly tos: number;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Bytes, a multiple of eight. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  /** A multiple of four bytes, at most 40. */
  readonly options: Uint8Array;
}

/** The payload ends where the total length says. Null when a length lies. */
export function parseIpv4Header(bytes: Uint8Array): ParsedChecked<Ipv4> | null {
  if (bytes.length < OPTIONS || bytes[VERSION_IHL]! >>> 4 !== 4) return null;
  const headerSize = (bytes[VERSION_IHL]! & 15) * 4;
  const totalSize = u16At(bytes, TOTAL_SIZE);
  if (headerSize < OPTIONS || headerSize > totalSize || totalSize > bytes.length) return null;
  const fragment = u16At(bytes, FRAGMENT);
  return {
    header: {
      tos: bytes[TOS]!,
      id: u16At(bytes, ID),
      dontFragment: (fragment & DF) !== 0,
      moreFragments: (fragment & MF) !== 0,
      fragmentOffset: (fragment & 0x1fff) * 8,
      ttl: bytes[TTL]!,
      protocol: bytes[PROTOCOL]!,
      src: bytes.slice(SRC, DST),
      dst: bytes.slice(DST, OPTIONS),
      options: bytes.slice(OPTIONS, headerSize),
    },
    payload: bytes.subarray(headerSize, totalSize),
    checksumOk: checksum(bytes.subarray(0, headerSize)) === 0,
  };
}

/** Writes the header at the start of `bytes`; all of `bytes` is the datagram. */
export function emitIpv4(header: Ipv4, bytes: Uint8Array): void {
  const headerSize = OPTIONS + header.options.length;
  bytes[VERSION_IHL] = 0x40 | (headerSize / 4);
  bytes[TOS] = header.tos;
  putU16(bytes, TOTAL_SIZE, bytes.length);
  putU16(bytes, ID, header.id);
  const flags = (header.dontFragment ? DF : 0) | (header.moreFragments ? MF : 0);
  putU16(bytes, FRAGMENT, flags | (header.fragmentOffset / 8));
  bytes[TTL] = header.ttl;
  bytes[PROTOCOL] = header.protocol;
  putU16(bytes, CHECKSUM, 0);
  bytes.set(header.src, SRC);
  bytes.set(header.dst, DST);
  bytes.set(header.options, OPTIONS);
  putU16(bytes, CHECKSUM, checksum(bytes.subarray(0, headerSize)));
}

export function buildIpv4(header: Ipv4, payload: Uint8Array): Uint8Array {
  const headerSize = OPTIONS + header.options.length;
  const bytes = new Uint8Array(headerSize + payload.length);
  emitIpv4(header, bytes);
  bytes.set(payload, headerSize);
  return bytes;
}

export function formatIpv4Header(header: Ipv4): string {
  const isFragment = header.moreFragments || header.fragmentOffset > 0;
  const fragment = isFragment ? ` fragment at ${header.fragmentOffset}${header.moreFragments ? '+' : ''}` : '';
  return `${formatIpv4(header.src)} > ${formatIpv4(header.dst)} ttl ${header.ttl}${fragment}`;
}
