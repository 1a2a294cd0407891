/** Port numbers and the order in which ports are numbered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortNumbers } from '../../../src/vswitchd/database/port-numbers.ts';
import { hashName, inNameOrder } from '../../../src/vswitchd/database/reference-order.ts';

test('numbers that were never used come first, then the one that is free for longest', () => {
  const numbers = new PortNumbers();
  assert.deepEqual([numbers.take(null), numbers.take(null), numbers.take(7)], [1, 2, 7]);
  numbers.give(1);
  assert.equal(numbers.take(null), 3);
  assert.equal(numbers.take(7), 4);
  assert.equal(numbers.take(1), 1);
});

test('names are hashed as the reference does, and every one of them is in the order', () => {
  assert.equal(hashName('test'), 0xba6bd213);
  const names = ['br1', 'q1', 'q3', 'pa', 'ge', 'gr', 'bad1', 'bad2', 'bad3', 'int1', 'vx'];
  assert.deepEqual(inNameOrder(names, (name) => name).sort(), [...names].sort());
});
