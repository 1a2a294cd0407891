/**
 * How a select group chooses, as far as it can be said of the group alone: by which method, and for a method by hash values
 * which bucket each value leads to (Webster's method, by which seats in parliaments are given out).
 */
import type { BucketView, GroupView } from './types.ts';

/** Hash values at the most: for a group that asks for dp_hash, and for one that leaves the method open. */
const VALUES_MAX = 256;
const VALUES_DEFAULT_MAX = 64;
const VALUES_MIN = 16;

/** Hash algorithms of the datapath, by number. */
const algorithms = ['l4', 'sym_l4'] as const;

export type Selector =
  | {
      readonly method: 'dp_hash';
      readonly algorithm: (typeof algorithms)[number];
      readonly basis: number;
      /** By hash value; their number is a power of two. */
      readonly map: readonly BucketView[];
    }
  /** Of the group's own fields. */
  | { readonly method: 'hash' }
  /** Of what tells connections apart, both directions alike. */
  | { readonly method: 'default' };

const powerOfTwo = (atLeast: number): number => {
  let power = 1;
  while (power < atLeast) power *= 2;
  return power;
};

/** Hash values given out in proportion to the weights; null when that takes too many of them, or there is nothing to give. */
export function shareHashValues(buckets: readonly BucketView[], valuesMax: number): BucketView[] | null {
  const weights = buckets.map(({ weight }) => weight).filter((weight) => weight > 0);
  if (weights.length === 0) return null;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const count = Math.max(VALUES_MIN, powerOfTwo(Math.ceil(total / weights.reduce((a, b) => Math.min(a, b)))));
  if (count > valuesMax) return null;
  const seats = buckets.map((bucket) => ({ bucket, divisor: 1, value: bucket.weight }));
  return Array.from({ length: count }, () => {
    const winner = seats.reduce((best, seat) => (seat.value > best.value ? seat : best));
    winner.divisor += 2;
    winner.value = winner.bucket.weight / winner.divisor;
    return winner.bucket;
  });
}

function choose({ selection, buckets }: GroupView): Selector {
  const method = selection?.method ?? 'default';
  if (method === 'hash') return { method: selection!.fields.size > 0 ? 'hash' : 'default' };
  const map = shareHashValues(buckets, method === 'dp_hash' ? VALUES_MAX : VALUES_DEFAULT_MAX);
  if (!map) return { method: 'default' };
  if (method === 'default') return { method: 'dp_hash', algorithm: 'sym_l4', basis: 0, map };
  const { parameter } = selection!;
  const algorithm = algorithms[Number(parameter >> 32n)] ?? 'l4';
  return { method: 'dp_hash', algorithm, basis: Number(parameter & 0xffffffffn), map };
}

/** Groups are never changed: what was worked out for one is good as long as it lives. */
const known = new WeakMap<GroupView, Selector>();

export function selectorOf(group: GroupView): Selector {
  let selector = known.get(group);
  if (!selector) known.set(group, (selector = choose(group)));
  return selector;
}
