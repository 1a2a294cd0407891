/**
 * The order in which FLOOD and ALL visit ports. Any order would do; this is Open vSwitch's, whose ports lie in a hash table, so
 * that flows and traces can be compared: by the low bits of a hash of the port's number, as many bits as the table has.
 */
import type { BridgePicture, OfPort } from './types.ts';

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));

/** MurmurHash3's step for a word and its end, with the word and a zero word (A. Appleby, 2011). */
function hashWord(word: number): number {
  const mix = (hash: number, data: number): number => {
    const scrambled = Math.imul(rotate(Math.imul(data, 0xcc9e2d51), 15), 0x1b873593);
    return (Math.imul(rotate(hash ^ scrambled, 13), 5) + 0xe6546b64) | 0;
  };
  let hash = mix(mix(word, 0), 0) ^ 8;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Bits that choose among the buckets of a table with so many entries. */
function bucketMask(entries: number): number {
  let mask = entries >>> 1;
  for (const shift of [1, 2, 4, 8, 16]) mask |= mask >>> shift;
  return mask | ((mask & 1) << 1);
}

const orders = new WeakMap<BridgePicture, readonly OfPort[]>();

export function floodOrder(bridge: BridgePicture): readonly OfPort[] {
  let order = orders.get(bridge);
  if (!order) {
    const mask = bucketMask(bridge.ports.size);
    const place = (port: OfPort): number => (hashWord(port) & mask) >>> 0;
    order = [...bridge.ports.keys()].sort((a, b) => place(a) - place(b) || b - a);
    orders.set(bridge, order);
  }
  return order;
}
