import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../../../src/lib/clock.ts';
import { Random } from '../../../src/lib/random.ts';
import { MacLearning, type MacObservation } from '../../../src/protocol/mac-learning.ts';

const address = (n: number): Uint8Array => Uint8Array.of(2, 0, 0, n >>> 16, n >>> 8, n);
const seen = (n: number, port: string, more: Partial<MacObservation> = {}): MacObservation => ({
  mac: address(n),
  vlan: 0,
  port,
  isGratuitousArp: false,
  ...more,
});

test('learns, moves, and tells what is news', () => {
  const macs = new MacLearning();
  assert.equal(macs.lookup(address(1), 0, 0), null);
  assert.equal(macs.learn(seen(1, 'p1'), 0), true);
  assert.equal(macs.lookup(address(1), 0, 0), 'p1');
  const generation = macs.generation;
  assert.equal(macs.learn(seen(1, 'p1'), 5 * SECOND), false);
  assert.equal(macs.generation, generation, 'a refresh is no news');
  assert.equal(macs.learn(seen(1, 'p2'), 5 * SECOND), true);
  assert.notEqual(macs.generation, generation);
  assert.equal(macs.lookup(address(1), 0, 5 * SECOND), 'p2');
});

test('a VLAN is a name space of its own', () => {
  const macs = new MacLearning();
  macs.learn(seen(1, 'p1', { vlan: 10 }), 0);
  macs.learn(seen(1, 'p2', { vlan: 20 }), 0);
  assert.equal(macs.lookup(address(1), 10, 0), 'p1');
  assert.equal(macs.lookup(address(1), 20, 0), 'p2');
  assert.equal(macs.lookup(address(1), 0, 0), null);
});

test('multicast sources are not learned', () => {
  const macs = new MacLearning();
  assert.equal(macs.learn({ ...seen(1, 'p1'), mac: Uint8Array.of(1, 0, 0x5e, 0, 0, 1) }, 0), false);
  assert.equal(macs.size, 0);
});

test('ages from the last packet, and no sooner', () => {
  const macs = new MacLearning(10 * SECOND);
  macs.learn(seen(1, 'p1'), 0);
  macs.learn(seen(2, 'p1'), 4 * SECOND);
  macs.learn(seen(1, 'p1'), 6 * SECOND);
  assert.equal(macs.wakeAt(), 14 * SECOND);
  assert.equal(macs.run(14 * SECOND - 1), false);
  assert.equal(macs.run(14 * SECOND), true);
  assert.equal(macs.lookup(address(1), 0, 14 * SECOND), 'p1');
  assert.equal(macs.lookup(address(1), 0, 16 * SECOND), null, 'expired though run() was not called');
  assert.equal(macs.run(16 * SECOND), true);
  assert.equal(macs.size, 0);
  assert.equal(macs.wakeAt(), null);
});

test('the port with the most entries gives up its oldest', () => {
  const macs = new MacLearning(300 * SECOND, 10);
  for (let n = 0; n < 3; n++) macs.learn(seen(n, 'quiet'), n);
  for (let n = 100; n < 200; n++) macs.learn(seen(n, 'flood'), n);
  assert.equal(macs.size, 10);
  for (let n = 0; n < 3; n++) assert.equal(macs.lookup(address(n), 0, 200), 'quiet');
  assert.equal(macs.lookup(address(199), 0, 200), 'flood');
  assert.equal(macs.lookup(address(100), 0, 200), null);
  assert.equal(macs.counters.evicted, 93);
});

test('static entries stay where they are', () => {
  const macs = new MacLearning(10 * SECOND, 10);
  macs.learn(seen(1, 'p1'), 0);
  macs.addStatic(address(1), 0, 'p9');
  assert.equal(macs.learn(seen(1, 'p1'), 0), false);
  macs.run(1000 * SECOND);
  macs.flush();
  assert.equal(macs.lookup(address(1), 0, 1000 * SECOND), 'p9');
  assert.deepEqual(macs.entries(0), [{ mac: address(1), vlan: 0, port: 'p9', age: 'static' }]);
  assert.equal(macs.removeStatic(address(1), 0), true);
  assert.equal(macs.removeStatic(address(1), 0), false);
  assert.equal(macs.size, 0);
});

test('a gratuitous ARP holds the entry against its echo over a bond for five seconds', () => {
  const macs = new MacLearning();
  const echo = seen(1, 'bond', { isGratuitousArp: true, isBond: true });
  macs.learn(seen(1, 'p1', { isGratuitousArp: true }), 0);
  assert.equal(macs.learn(echo, 4 * SECOND), false);
  assert.equal(macs.lookup(address(1), 0, 4 * SECOND), 'p1');
  assert.equal(macs.learn(echo, 6 * SECOND), true);
  assert.equal(macs.lookup(address(1), 0, 6 * SECOND), 'bond');
});

test('flush of one port leaves the others', () => {
  const macs = new MacLearning();
  macs.learn(seen(1, 'p1'), 0);
  macs.learn(seen(2, 'p2'), 0);
  macs.flush('p1');
  assert.equal(macs.lookup(address(1), 0, 0), null);
  assert.equal(macs.lookup(address(2), 0, 0), 'p2');
});

test('a day of churn leaves no entry behind', () => {
  const random = new Random(7);
  const macs = new MacLearning(300 * SECOND, 500);
  let now = 0;
  for (let i = 0; i < 20_000; i++) {
    now += random.below(8 * SECOND);
    macs.learn(seen(random.below(5000), `p${random.below(20)}`, { vlan: random.below(4) }), now);
    if (i % 10 === 0) macs.run(now);
    assert.ok(macs.size <= 500);
  }
  macs.run(now + 300 * SECOND);
  assert.equal(macs.size, 0);
  assert.deepEqual(macs.entries(now), []);
});

test('news of a while ago does not move an address back', () => {
  const macs = new MacLearning();
  const seenAt = (port: string, now: number, isGratuitousArp = false): boolean =>
    macs.learn({ mac: Uint8Array.of(2, 0, 0, 0, 0, 1), vlan: 0, port, isGratuitousArp }, now);
  seenAt('p1', 10);
  assert.equal(seenAt('p2', 20), true);
  assert.equal(seenAt('p1', 15), false);
  assert.equal(seenAt('p1', 15, true), false);
  assert.deepEqual(
    macs.entries(20).map(({ port }) => port),
    ['p2'],
  );
  assert.equal(seenAt('p1', 21), true);
});
