/**
 * The order in which the reference visits things that it keeps by name: that of its hash table. It shows in port numbers, as
 * ports that come together are numbered in it.
 */

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

/** Steps of MurmurHash3 (32 bits). */
function add(hash: number, data: number): number {
  const mixed = Math.imul(rotate(Math.imul(data, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotate(hash ^ mixed, 13), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Hash of numbers of 32 bits. */
export const hashWords = (words: readonly number[], basis: number): number =>
  finish(words.reduce(add, basis) ^ (4 * words.length));

/** Hash of the text's bytes. */
export function hashName(name: string): number {
  const bytes = Buffer.from(name, 'utf8');
  let hash = 0;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) hash = add(hash, bytes.readInt32LE(at));
  if (at < bytes.length) {
    let rest = 0;
    for (let i = bytes.length - 1; i >= at; i--) rest = (rest << 8) | bytes[i]!;
    hash = add(hash, rest);
  }
  return finish(hash ^ bytes.length);
}

/** One less than the number of buckets for so many items: a power of two, never two. */
function maskFor(count: number): number {
  let mask = count >>> 1;
  for (const shift of [1, 2, 4, 8, 16]) mask |= mask >>> shift;
  return mask | ((mask & 1) << 1);
}

/**
 * Items in the order of a table that grows while it is filled: newer ones first in a bucket, and each growth turns the
 * order of a bucket round.
 * @param items in the order in which they were put in
 */
export function inNameOrder<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
  let mask = 0;
  let buckets: T[][] = [[]];
  const put = (item: T): void => void buckets[(hashName(nameOf(item)) & mask) >>> 0]!.unshift(item);
  items.forEach((item, i) => {
    put(item);
    if ((i + 1) >>> 1 <= mask) return;
    mask = maskFor(i + 1);
    const old = buckets.flat();
    buckets = Array.from({ length: mask + 1 }, () => []);
    for (const moved of old) put(moved);
  });
  return buckets.flat();
}
