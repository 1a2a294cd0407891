/** Order statistics of a few measurements, and the distributions that traffic is drawn from. */
import type { Random } from '../src/lib/random.ts';

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** @throws for an empty list */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('no values to take a median of');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min: sorted[0]!, median, max: sorted[sorted.length - 1]! };
}

/**
 * The median of the ratios of two series, round by round: rounds that lie side by side in time share the machine's
 * mood, so their ratio moves less than either number.
 */
export function medianRatio(over: readonly number[], under: readonly number[]): number {
  const count = Math.min(over.length, under.length);
  return spreadOf(Array.from({ length: count }, (_, i) => over[i]! / under[i]!)).median;
}

/** Draws a number from 0 to count - 1. */
export type Draw = () => number;

export const uniform = (random: Random, count: number): Draw => {
  return () => random.below(count);
};

/** Item k (from 1) is drawn with a probability in proportion to 1 / k^exponent. */
export function zipf(random: Random, count: number, exponent: number): Draw {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let k = 0; k < count; k++) {
    sum += 1 / (k + 1) ** exponent;
    sums[k] = sum;
  }
  return () => {
    // 53 random bits: a million items need more than 32
    const at = ((random.u32() * 0x200000 + (random.u32() >>> 11)) / 2 ** 53) * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > at) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** A permutation of 0 to count - 1 (Fisher and Yates). */
export function shuffled(random: Random, count: number): Uint32Array {
  const out = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const kept = out[i]!;
    out[i] = out[j]!;
    out[j] = kept;
  }
  return out;
}
