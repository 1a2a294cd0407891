/** TCP (RFC 9293), with the options that a handshake needs: MSS (RFC 9293 §3.7.1) and window scale (RFC 7323 §2.2). */
import { putU16, putU32, u16At, u32At } from '../lib/bytes.ts';
import { foldSum, onesSum, type PseudoHeader, pseudoHeaderSum } from './checksum.ts';
import type { ParsedChecked } from './parsed.ts';

export const TCP_FLAG = {
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  PSH: 0x08,
  ACK: 0x10,
  URG: 0x20,
  ECE: 0x40,
  CWR: 0x80,
} as const;

const SRC_PORT = 0;
const DST_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGMENT = 8;
const OFFSET_FLAGS = 12;
const WINDOW = 14;
const CHECKSUM = 16;
const URGENT = 18;
const HEADER_SIZE = 20;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;

export interface Tcp {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  /** TCP_FLAG bits. */
  readonly flags: number;
  /** As it stands in the header, not scaled. */
  readonly window: number;
  readonly urgent: number;
  /** Bytes; null when the option is not there. */
  readonly mss: number | null;
  /** Bits to shift the window by; null when the option is not there. */
  readonly windowScale: number | null;
}

interface Options {
  mss: number | null;
  windowScale: number | null;
}

/** Null when an option runs over the end. */
function parseOptions(bytes: Uint8Array): Options | null {
  const options: Options = { mss: null, windowScale: null };
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at]!;
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const size = bytes[at + 1] ?? 0;
    if (size < 2 || at + size > bytes.length) return null;
    if (kind === OPTION_MSS && size === 4) options.mss = u16At(bytes, at + 2);
    if (kind === OPTION_WINDOW_SCALE && size === 3) options.windowScale = bytes[at + 2]!;
    at += size;
  }
  return options;
}

export function parseTcp(bytes: Uint8Array, pseudo: PseudoHeader): ParsedChecked<Tcp> | null {
  if (bytes.length < HEADER_SIZE) return null;
  const headerSize = (bytes[OFFSET_FLAGS]! >>> 4) * 4;
  if (headerSize < HEADER_SIZE || headerSize > bytes.length) return null;
  const options = parseOptions(bytes.subarray(HEADER_SIZE, headerSize));
  if (!options) return null;
  return {
    header: {
      srcPort: u16At(bytes, SRC_PORT),
      dstPort: u16At(bytes, DST_PORT),
      sequence: u32At(bytes, SEQUENCE),
      acknowledgment: u32At(bytes, ACKNOWLEDGMENT),
      flags: bytes[OFFSET_FLAGS + 1]!,
      window: u16At(bytes, WINDOW),
      urgent: u16At(bytes, URGENT),
      ...options,
    },
    payload: bytes.subarray(headerSize),
    checksumOk: foldSum(onesSum(bytes, pseudoHeaderSum(pseudo, bytes.length))) === 0,
  };
}

/** Bytes of the header with its options. */
export const tcpSize = (header: Tcp): number =>
  HEADER_SIZE + (header.mss === null ? 0 : 4) + (header.windowScale === null ? 0 : 4);

/** Writes the header at the start of `bytes`; all of `bytes` is the segment, its payload in place. */
export function emitTcp(header: Tcp, bytes: Uint8Array, pseudo: PseudoHeader): void {
  putU16(bytes, SRC_PORT, header.srcPort);
  putU16(bytes, DST_PORT, header.dstPort);
  putU32(bytes, SEQUENCE, header.sequence);
  putU32(bytes, ACKNOWLEDGMENT, header.acknowledgment);
  bytes[OFFSET_FLAGS] = (tcpSize(header) / 4) << 4;
  bytes[OFFSET_FLAGS + 1] = header.flags;
  putU16(bytes, WINDOW, header.window);
  putU16(bytes, CHECKSUM, 0);
  putU16(bytes, URGENT, header.urgent);
  let at = HEADER_SIZE;
  if (header.mss !== null) {
    putU16(bytes, at, (OPTION_MSS << 8) | 4);
    putU16(bytes, at + 2, header.mss);
    at += 4;
  }
  if (header.windowScale !== null) {
    putU16(bytes, at, (OPTION_NOP << 8) | OPTION_WINDOW_SCALE);
    putU16(bytes, at + 2, (3 << 8) | header.windowScale);
  }
  putU16(bytes, CHECKSUM, foldSum(onesSum(bytes, pseudoHeaderSum(pseudo, bytes.length))));
}

export function buildTcp(header: Tcp, payload: Uint8Array, pseudo: PseudoHeader): Uint8Array {
  const size = tcpSize(header);
  const bytes = new Uint8Array(size + payload.length);
  bytes.set(payload, size);
  emitTcp(header, bytes, pseudo);
  return bytes;
}

const flagLetters: readonly (readonly [number, string])[] = [
  [TCP_FLAG.SYN, 'S'],
  [TCP_FLAG.FIN, 'F'],
  [TCP_FLAG.RST, 'R'],
  [TCP_FLAG.PSH, 'P'],
  [TCP_FLAG.ACK, '.'],
  [TCP_FLAG.URG, 'U'],
  [TCP_FLAG.ECE, 'E'],
  [TCP_FLAG.CWR, 'C'],
];

export function formatTcp(header: Tcp, payloadSize: number): string {
  const flags = flagLetters
    .filter(([bit]) => (header.flags & bit) !== 0)
    .map(([, letter]) => letter)
    .join('');
  const ack = header.flags & TCP_FLAG.ACK ? ` ack ${header.acknowledgment}` : '';
  return `TCP ${header.srcPort} > ${header.dstPort} [${flags}] seq ${header.sequence}${ack} win ${header.window} size ${payloadSize}`;
}
