/** Ethernet II with up to two VLAN tags (IEEE 802.3, 802.1Q, 802.1ad). */
import { formatMac } from '../lib/addresses.ts';
import { putU16, u16At } from '../lib/bytes.ts';
import type { Parsed } from './parsed.ts';

export const ETH_TYPE = {
  IPV4: 0x0800,
  ARP: 0x0806,
  VLAN: 0x8100,
  IPV6: 0x86dd,
  QINQ: 0x88a8,
} as const;

export const BROADCAST_MAC: Uint8Array = new Uint8Array(6).fill(0xff);

const DST = 0;
const SRC = 6;
const TYPE = 12;
const TAG_SIZE = 4;
const HEADER_SIZE = 14;
const TAGS_MAX = 2;

export interface VlanTag {
  /** 0x8100 or 0x88a8. */
  readonly tpid: number;
  /** Priority (3 bits), drop eligible (1), VLAN (12). */
  readonly tci: number;
}

export interface Ethernet {
  readonly dst: Uint8Array;
  readonly src: Uint8Array;
  /** Outermost first. */
  readonly tags: readonly VlanTag[];
  /** Behind the tags; below 0x600 it is an 802.3 length. */
  readonly ethType: number;
}

export const isMulticastMac = (mac: Uint8Array): boolean => (mac[0]! & 1) === 1;

/** Ethernet address of an IPv4 multicast group (RFC 1112 §6.4). */
export const multicastMac4 = (group: Uint8Array): Uint8Array =>
  Uint8Array.of(0x01, 0x00, 0x5e, group[1]! & 0x7f, group[2]!, group[3]!);

/** Ethernet address of an IPv6 multicast group (RFC 2464 §7). */
export const multicastMac6 = (group: Uint8Array): Uint8Array =>
  Uint8Array.of(0x33, 0x33, group[12]!, group[13]!, group[14]!, group[15]!);

const isTag = (ethType: number): boolean => ethType === ETH_TYPE.VLAN || ethType === ETH_TYPE.QINQ;

/** Bytes of the header with its tags. */
export const ethernetSize = (header: Ethernet): number => HEADER_SIZE + TAG_SIZE * header.tags.length;

export function parseEthernet(bytes: Uint8Array): Parsed<Ethernet> | null {
  if (bytes.length < HEADER_SIZE) return null;
  const tags: VlanTag[] = [];
  let at = TYPE;
  while (tags.length < TAGS_MAX && isTag(u16At(bytes, at))) {
    if (bytes.length < at + TAG_SIZE + 2) return null;
    tags.push({ tpid: u16At(bytes, at), tci: u16At(bytes, at + 2) });
    at += TAG_SIZE;
  }
  return {
    header: { dst: bytes.slice(DST, SRC), src: bytes.slice(SRC, TYPE), tags, ethType: u16At(bytes, at) },
    payload: bytes.subarray(at + 2),
  };
}

export function emitEthernet(header: Ethernet, bytes: Uint8Array): void {
  bytes.set(header.dst, DST);
  bytes.set(header.src, SRC);
  let at = TYPE;
  for (const tag of header.tags) {
    putU16(bytes, at, tag.tpid);
    putU16(bytes, at + 2, tag.tci);
    at += TAG_SIZE;
  }
  putU16(bytes, at, header.ethType);
}

export function buildEthernet(header: Ethernet, payload: Uint8Array): Uint8Array {
  const size = ethernetSize(header);
  const bytes = new Uint8Array(size + payload.length);
  emitEthernet(header, bytes);
  bytes.set(payload, size);
  return bytes;
}

export function formatEthernet(header: Ethernet): string {
  const tags = header.tags.map((tag) => {
    const priority = tag.tci >>> 13 === 0 ? '' : ` p${tag.tci >>> 13}`;
    return ` ${tag.tpid === ETH_TYPE.VLAN ? 'vlan' : 'svlan'} ${tag.tci & 0xfff}${priority}`;
  });
  return `${formatMac(header.src)} > ${formatMac(header.dst)}${tags.join('')} type 0x${header.ethType.toString(16).padStart(4, '0')}`;
}
