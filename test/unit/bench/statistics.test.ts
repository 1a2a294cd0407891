import assert from 'node:assert/strict';
import { test } from 'node:test';
import { medianRatio, shuffled, spreadOf, uniform, zipf } from '../../../bench/statistics.ts';
import { Random } from '../../../src/lib/random.ts';

test('the spread of odd and even counts', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { min: 1, median: 2, max: 3 });
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { min: 1, median: 2.5, max: 4 });
  assert.throws(() => spreadOf([]), /no values/);
});

test('a ratio is taken round by round', () => {
  // the machine slows down threefold in the middle; each round's ratio stays 2
  assert.equal(medianRatio([2, 6, 2], [1, 3, 1]), 2);
});

test('Zipf draws item k in proportion to 1/k', () => {
  const counts = new Uint32Array(100);
  const draw = zipf(new Random(7), 100, 1.0);
  for (let i = 0; i < 200_000; i++) counts[draw()]!++;
  const sum = Array.from({ length: 100 }, (_, k) => 1 / (k + 1)).reduce((a, b) => a + b);
  for (const k of [1, 2, 5, 10, 50]) {
    const wanted = 200_000 / (k * sum);
    assert.ok(Math.abs(counts[k - 1]! - wanted) < wanted * 0.1 + 30, `item ${k}: ${counts[k - 1]} for ${wanted}`);
  }
});

test('uniform stays in range and shuffled is a permutation', () => {
  const draw = uniform(new Random(1), 10);
  for (let i = 0; i < 1000; i++) assert.ok(draw() < 10);
  assert.deepEqual(
    [...shuffled(new Random(2), 1000)].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  );
});
