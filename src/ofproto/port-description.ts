/** Ports as OpenFlow tells them: description bits, and the order in which the reference does. */
import type { OfPort } from '../openflow/message/port-desc.ts';

/** OFPPC. */
export const PORT_CONFIG = { down: 1, noReceive: 4, noFlood: 0x10, noForward: 0x20, noPacketIn: 0x40 } as const;
/** OFPPS. */
export const STATE_LINK_DOWN = 1;
export const STATE_LIVE = 4;

/** What a bridge says of a port. */
interface PortFacts {
  readonly name: string;
  readonly ofport: number;
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** Bits of OFPPC. */
  readonly config: number;
  /** Its device has a link. */
  readonly isUp: boolean;
}

export function describePort({ name, ofport, mac, config, isUp }: PortFacts): OfPort {
  // A device that is switched off has no link
  const hasLink = isUp && (config & PORT_CONFIG.down) === 0;
  return {
    port: ofport,
    mac,
    name,
    config,
    state: hasLink ? STATE_LIVE : STATE_LINK_DOWN,
    current: 0,
    advertised: 0,
    supported: 0,
    peer: 0,
    speed: 0,
    speedMax: 0,
  };
}

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

/** MurmurHash3 of two words, the number and nothing: what the reference files port and meter numbers under. */
function hashNumber(value: number): number {
  let hash = value | 0;
  for (let round = 0; round < 2; round++) hash = (Math.imul(rotate(hash, 13), 5) + 0xe6546b64) | 0;
  hash ^= 8;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** One less than the number of buckets, a power of two, for so many items; never two. */
function maskFor(count: number): number {
  let mask = count >>> 1;
  for (const shift of [1, 2, 4, 8, 16]) mask |= mask >>> shift;
  return mask | ((mask & 1) << 1);
}

/**
 * The order of a hash table that grows as the reference's does: newer items come first in a bucket, and moving to a larger
 * table turns the order of a bucket round.
 * @param items in the order in which they were put in
 */
export function inReferenceOrder<T>(items: readonly T[], numberOf: (item: T) => number): T[] {
  let mask = 0;
  let buckets: T[][] = [[]];
  const put = (item: T): void => void buckets[(hashNumber(numberOf(item)) & mask) >>> 0]!.unshift(item);
  items.forEach((item, index) => {
    put(item);
    if ((index + 1) >>> 1 <= mask) return;
    mask = maskFor(index + 1);
    const old = buckets.flat();
    buckets = Array.from({ length: mask + 1 }, () => []);
    for (const moved of old) put(moved);
  });
  return buckets.flat();
}
