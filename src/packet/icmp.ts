/** ICMP (RFC 792). The four bytes behind the checksum are one number; for echo, identifier << 16 | sequence. */
import { putU16, putU32, u32At } from '../lib/bytes.ts';
import { checksum } from './checksum.ts';
import type { ParsedChecked } from './parsed.ts';

export const ICMP = { ECHO_REPLY: 0, UNREACHABLE: 3, ECHO_REQUEST: 8, TIME_EXCEEDED: 11 } as const;

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;
const HEADER_SIZE = 8;

export interface Icmp {
  readonly type: number;
  readonly code: number;
  /** Rest of the header, 32 bits. */
  readonly rest: number;
}

export function parseIcmp(bytes: Uint8Array): ParsedChecked<Icmp> | null {
  if (bytes.length < HEADER_SIZE) return null;
  return {
    header: { type: bytes[TYPE]!, code: bytes[CODE]!, rest: u32At(bytes, REST) },
    payload: bytes.subarray(HEADER_SIZE),
    checksumOk: checksum(bytes) === 0,
  };
}

/** Writes the header at the start of `bytes`; all of `bytes` is the message, its payload in place. */
export function emitIcmp(header: Icmp, bytes: Uint8Array): void {
  bytes[TYPE] = header.type;
  bytes[CODE] = header.code;
  putU16(bytes, CHECKSUM, 0);
  putU32(bytes, REST, header.rest);
  putU16(bytes, CHECKSUM, checksum(bytes));
}

export function buildIcmp(header: Icmp, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + payload.length);
  bytes.set(payload, HEADER_SIZE);
  emitIcmp(header, bytes);
  return bytes;
}

export function formatIcmp(header: Icmp): string {
  const echo = `id ${header.rest >>> 16} seq ${header.rest & 0xffff}`;
  if (header.type === ICMP.ECHO_REQUEST) return `ICMP echo request ${echo}`;
  if (header.type === ICMP.ECHO_REPLY) return `ICMP echo reply ${echo}`;
  return `ICMP type ${header.type} code ${header.code}`;
}
