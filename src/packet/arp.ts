/** ARP for IPv4 over Ethernet (RFC 826). */
import { formatIpv4, formatMac } from '../lib/addresses.ts';
import { putU16, u16At } from '../lib/bytes.ts';
import { ETH_TYPE } from './ethernet.ts';

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

const HARDWARE_TYPE = 0;
const PROTOCOL_TYPE = 2;
const HARDWARE_SIZE = 4;
const PROTOCOL_SIZE = 5;
const OPERATION = 6;
const SHA = 8;
const SPA = 14;
const THA = 18;
const TPA = 24;
const SIZE = 28;
const ETHERNET = 1;

export interface Arp {
  readonly operation: number;
  /** Sender's hardware and protocol address, then the target's. */
  readonly sha: Uint8Array;
  readonly spa: Uint8Array;
  readonly tha: Uint8Array;
  readonly tpa: Uint8Array;
}

/** Null for another hardware or protocol type; bytes behind the message are padding. */
export function parseArp(bytes: Uint8Array): Arp | null {
  if (bytes.length < SIZE) return null;
  if (u16At(bytes, HARDWARE_TYPE) !== ETHERNET || u16At(bytes, PROTOCOL_TYPE) !== ETH_TYPE.IPV4) return null;
  if (bytes[HARDWARE_SIZE] !== 6 || bytes[PROTOCOL_SIZE] !== 4) return null;
  return {
    operation: u16At(bytes, OPERATION),
    sha: bytes.slice(SHA, SPA),
    spa: bytes.slice(SPA, THA),
    tha: bytes.slice(THA, TPA),
    tpa: bytes.slice(TPA, SIZE),
  };
}

export function emitArp(arp: Arp, bytes: Uint8Array): void {
  putU16(bytes, HARDWARE_TYPE, ETHERNET);
  putU16(bytes, PROTOCOL_TYPE, ETH_TYPE.IPV4);
  bytes[HARDWARE_SIZE] = 6;
  bytes[PROTOCOL_SIZE] = 4;
  putU16(bytes, OPERATION, arp.operation);
  bytes.set(arp.sha, SHA);
  bytes.set(arp.spa, SPA);
  bytes.set(arp.tha, THA);
  bytes.set(arp.tpa, TPA);
}

export function buildArp(arp: Arp): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  emitArp(arp, bytes);
  return bytes;
}

export function formatArp(arp: Arp): string {
  if (arp.operation === ARP_REQUEST) return `ARP who-has ${formatIpv4(arp.tpa)} tell ${formatIpv4(arp.spa)}`;
  if (arp.operation === ARP_REPLY) return `ARP ${formatIpv4(arp.spa)} is-at ${formatMac(arp.sha)}`;
  return `ARP operation ${arp.operation}`;
}
