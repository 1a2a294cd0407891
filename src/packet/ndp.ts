/** Neighbour solicitation and advertisement (RFC 4861 §4.3, §4.4), carried in ICMPv6. */
import { formatIpv6, formatMac } from '../lib/addresses.ts';
import type { PseudoHeader } from './checksum.ts';
import { buildIcmpv6, ICMPV6, parseIcmpv6 } from './icmpv6.ts';

const TARGET_SIZE = 16;
const OPTION_SIZE = 8;
const SOURCE_LINK_LAYER = 1;
const TARGET_LINK_LAYER = 2;

const ROUTER = 0x80000000;
const SOLICITED = 0x40000000;
const OVERRIDE = 0x20000000;

export interface Neighbor {
  readonly kind: 'solicitation' | 'advertisement';
  readonly target: Uint8Array;
  /** Source link-layer address of a solicitation, target's of an advertisement; null without the option. */
  readonly mac: Uint8Array | null;
  /** Of an advertisement; false in a solicitation. */
  readonly isRouter: boolean;
  readonly isSolicited: boolean;
  readonly isOverride: boolean;
}

/** The solicited-node group of an address (RFC 4291 §2.7.1). */
export function solicitedNode(address: Uint8Array): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(address.subarray(13), 13);
  return group;
}

/** Null for other messages, wrong checksums and malformed options (RFC 4861 §7.1). */
export function parseNeighbor(bytes: Uint8Array, pseudo: PseudoHeader): Neighbor | null {
  const message = parseIcmpv6(bytes, pseudo);
  if (!message?.checksumOk || message.header.code !== 0 || message.payload.length < TARGET_SIZE) return null;
  const { type, rest } = message.header;
  const isSolicitation = type === ICMPV6.NEIGHBOR_SOLICITATION;
  if (!isSolicitation && type !== ICMPV6.NEIGHBOR_ADVERTISEMENT) return null;
  const wanted = isSolicitation ? SOURCE_LINK_LAYER : TARGET_LINK_LAYER;
  let mac: Uint8Array | null = null;
  const options = message.payload.subarray(TARGET_SIZE);
  for (let at = 0; at < options.length; ) {
    const size = (options[at + 1] ?? 0) * 8;
    if (size === 0 || at + size > options.length) return null;
    if (options[at] === wanted && size === OPTION_SIZE) mac = options.slice(at + 2, at + OPTION_SIZE);
    at += size;
  }
  return {
    kind: isSolicitation ? 'solicitation' : 'advertisement',
    target: message.payload.slice(0, TARGET_SIZE),
    mac,
    isRouter: !isSolicitation && (rest & ROUTER) !== 0,
    isSolicited: !isSolicitation && (rest & SOLICITED) !== 0,
    isOverride: !isSolicitation && (rest & OVERRIDE) !== 0,
  };
}

export function buildNeighbor(neighbor: Neighbor, pseudo: PseudoHeader): Uint8Array {
  const isSolicitation = neighbor.kind === 'solicitation';
  const body = new Uint8Array(TARGET_SIZE + (neighbor.mac ? OPTION_SIZE : 0));
  body.set(neighbor.target);
  if (neighbor.mac) {
    body[TARGET_SIZE] = isSolicitation ? SOURCE_LINK_LAYER : TARGET_LINK_LAYER;
    body[TARGET_SIZE + 1] = 1;
    body.set(neighbor.mac, TARGET_SIZE + 2);
  }
  const flags =
    (neighbor.isRouter ? ROUTER : 0) | (neighbor.isSolicited ? SOLICITED : 0) | (neighbor.isOverride ? OVERRIDE : 0);
  const type = isSolicitation ? ICMPV6.NEIGHBOR_SOLICITATION : ICMPV6.NEIGHBOR_ADVERTISEMENT;
  return buildIcmpv6({ type, code: 0, rest: flags >>> 0 }, body, pseudo);
}

export function formatNeighbor(neighbor: Neighbor): string {
  if (neighbor.kind === 'solicitation') return `ND who-has ${formatIpv6(neighbor.target)}`;
  return `ND ${formatIpv6(neighbor.target)} is-at ${neighbor.mac ? formatMac(neighbor.mac) : 'an unknown address'}`;
}
