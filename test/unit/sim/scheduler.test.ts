import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../src/lib/random.ts';
import { Scheduler } from '../../../src/sim/scheduler.ts';

test('events run in the order of their times, equal times in the order they were made', () => {
  const scheduler = new Scheduler();
  const random = new Random(5);
  const expected: { time: number; index: number }[] = [];
  const ran: number[] = [];
  for (let index = 0; index < 2000; index++) {
    const time = random.below(100);
    expected.push({ time, index });
    scheduler.at(time, () => ran.push(index));
  }
  scheduler.run(100);
  expected.sort((a, b) => a.time - b.time || a.index - b.index);
  assert.deepEqual(
    ran,
    expected.map((e) => e.index),
  );
  assert.equal(scheduler.now(), 100);
});

test('a cancelled event never runs, an event may make others', () => {
  const scheduler = new Scheduler();
  const ran: string[] = [];
  const timer = scheduler.at(5, () => ran.push('cancelled'));
  scheduler.at(3, () => {
    timer.cancel();
    scheduler.after(0, () => ran.push('same time'));
    scheduler.after(10, () => ran.push('later'));
  });
  scheduler.run(12);
  assert.deepEqual(ran, ['same time']);
  assert.equal(scheduler.nextTime(), 13);
  scheduler.run(13);
  assert.deepEqual(ran, ['same time', 'later']);
  assert.equal(scheduler.nextTime(), null);
  assert.equal(scheduler.step(100), false);
});

test('nothing can be put before now', () => {
  const scheduler = new Scheduler();
  scheduler.run(10);
  assert.throws(() => scheduler.at(9, () => {}), /10 already/);
  assert.throws(() => scheduler.at(Number.NaN, () => {}));
});
