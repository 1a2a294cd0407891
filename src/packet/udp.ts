/** UDP (RFC 768, RFC 8200 §8.1). */
import { putU16, u16At } from '../lib/bytes.ts';
import { foldSum, onesSum, type PseudoHeader, pseudoHeaderSum } from './checksum.ts';
import type { ParsedChecked } from './parsed.ts';

const SRC_PORT = 0;
const DST_PORT = 2;
const SIZE = 4;
const CHECKSUM = 6;
const HEADER_SIZE = 8;

export interface Udp {
  readonly srcPort: number;
  readonly dstPort: number;
}

/** A zero checksum means none was computed, which IPv4 allows and IPv6 does not (RFC 8200 §8.1). */
export function parseUdp(bytes: Uint8Array, pseudo: PseudoHeader): ParsedChecked<Udp> | null {
  if (bytes.length < HEADER_SIZE) return null;
  const size = u16At(bytes, SIZE);
  if (size < HEADER_SIZE || size > bytes.length) return null;
  const datagram = bytes.subarray(0, size);
  const isUnchecked = u16At(bytes, CHECKSUM) === 0;
  return {
    header: { srcPort: u16At(bytes, SRC_PORT), dstPort: u16At(bytes, DST_PORT) },
    payload: datagram.subarray(HEADER_SIZE),
    checksumOk: isUnchecked ? pseudo.src.length === 4 : foldSum(onesSum(datagram, pseudoHeaderSum(pseudo, size))) === 0,
  };
}

/** Writes the header at the start of `bytes`; all of `bytes` is the datagram, its payload in place. */
export function emitUdp(header: Udp, bytes: Uint8Array, pseudo: PseudoHeader): void {
  putU16(bytes, SRC_PORT, header.srcPort);
  putU16(bytes, DST_PORT, header.dstPort);
  putU16(bytes, SIZE, bytes.length);
  putU16(bytes, CHECKSUM, 0);
  // 0 would mean "no checksum": its other form in ones' complement stands for it
  putU16(bytes, CHECKSUM, foldSum(onesSum(bytes, pseudoHeaderSum(pseudo, bytes.length))) || 0xffff);
}

export function buildUdp(header: Udp, payload: Uint8Array, pseudo: PseudoHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + payload.length);
  bytes.set(payload, HEADER_SIZE);
  emitUdp(header, bytes, pseudo);
  return bytes;
}

export const formatUdp = (header: Udp, payloadSize: number): string =>
  `UDP ${header.srcPort} > ${header.dstPort} size ${payloadSize}`;
