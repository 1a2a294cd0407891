/** ICMPv6 (RFC 4443). As ICMP, with a checksum that covers the pseudo-header. */
import { putU16, putU32, u32At } from '../lib/bytes.ts';
import { foldSum, onesSum, type PseudoHeader, pseudoHeaderSum } from './checksum.ts';
import type { ParsedChecked } from './parsed.ts';

export const ICMPV6 = {
  UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  NEIGHBOR_SOLICITATION: 135,
  NEIGHBOR_ADVERTISEMENT: 136,
} as const;

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;
const HEADER_SIZE = 8;

export interface Icmpv6 {
  readonly type: number;
  readonly code: number;
  /** Rest of the header, 32 bits: identifier and sequence of an echo, flags of an advertisement. */
  readonly rest: number;
}

export function parseIcmpv6(bytes: Uint8Array, pseudo: PseudoHeader): ParsedChecked<Icmpv6> | null {
  if (bytes.length < HEADER_SIZE) return null;
  return {
    header: { type: bytes[TYPE]!, code: bytes[CODE]!, rest: u32At(bytes, REST) },
    payload: bytes.subarray(HEADER_SIZE),
    checksumOk: foldSum(onesSum(bytes, pseudoHeaderSum(pseudo, bytes.length))) === 0,
  };
}

/** Writes the header at the start of `bytes`; all of `bytes` is the message, its payload in place. */
export function emitIcmpv6(header: Icmpv6, bytes: Uint8Array, pseudo: PseudoHeader): void {
  bytes[TYPE] = header.type;
  bytes[CODE] = header.code;
  putU16(bytes, CHECKSUM, 0);
  putU32(bytes, REST, header.rest);
  putU16(bytes, CHECKSUM, foldSum(onesSum(bytes, pseudoHeaderSum(pseudo, bytes.length))));
}

export function buildIcmpv6(header: Icmpv6, payload: Uint8Array, pseudo: PseudoHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + payload.length);
  bytes.set(payload, HEADER_SIZE);
  emitIcmpv6(header, bytes, pseudo);
  return bytes;
}

export function formatIcmpv6(header: Icmpv6): string {
  const echo = `id ${header.rest >>> 16} seq ${header.rest & 0xffff}`;
  if (header.type === ICMPV6.ECHO_REQUEST) return `ICMPv6 echo request ${echo}`;
  if (header.type === ICMPV6.ECHO_REPLY) return `ICMPv6 echo reply ${echo}`;
  return `ICMPv6 type ${header.type} code ${header.code}`;
}
