/** The Internet checksum (RFC 1071) and the pseudo-headers it covers. Sums are kept unfolded until `foldSum`. */
import { u16At } from '../lib/bytes.ts';

/** What a transport checksum covers of the IP header: addresses of 4 or of 16 bytes, and the protocol. */
export interface PseudoHeader {
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly protocol: number;
}

/** Sum of the 16-bit words of `bytes`, an odd last byte counting as the high one. Not folded: exact below 8 GiB. */
export function onesSum(bytes: Uint8Array, initial = 0): number {
  let sum = initial;
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) sum += u16At(bytes, i);
  if (even !== bytes.length) sum += bytes[even]! << 8;
  return sum;
}

/** Folds the carries in and complements: the checksum field. */
export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

/** Checksum of bytes whose checksum field is zero; 0 for bytes whose checksum field is right. */
export const checksum = (bytes: Uint8Array, initial = 0): number => foldSum(onesSum(bytes, initial));

/** RFC 9293 §3.1 for IPv4, RFC 8200 §8.1 for IPv6; `size` is the length of the transport header and its payload. */
export const pseudoHeaderSum = (pseudo: PseudoHeader, size: number): number =>
  onesSum(pseudo.src) + onesSum(pseudo.dst) + pseudo.protocol + (size >>> 16) + (size & 0xffff);
