import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev, memoryPair } from '../../../backends/memory/index.ts';
import { must } from '../../../src/lib/result.ts';
import { FakeWorker } from './support.ts';

const frame = (size: number): Uint8Array => new Uint8Array(size).fill(size);

test('a frame sent before the device is attached, or while it is down, is dropped and counted', () => {
  const device = new MemoryNetdev('p1');
  assert.equal(device.send(frame(60)), false);
  const worker = new FakeWorker();
  must(device.attach(worker.rings));
  device.isUp = false;
  assert.equal(device.canSend(), false);
  assert.equal(device.send(frame(60)), false);
  worker.transmit(frame(60));
  device.flush(0);
  assert.deepEqual(device.stats(), { rxDropped: 2, rxErrors: 0, txDropped: 1, txErrors: 0 });
  assert.equal(worker.complete(), 1);
  device.isUp = true;
  assert.ok(device.send(frame(60)));
  assert.deepEqual(worker.receive(), [frame(60)]);
});

test('a frame beyond the MTU and two tags is an error', () => {
  const device = new MemoryNetdev('p1', { mtu: 100 });
  must(device.attach(new FakeWorker().rings));
  assert.ok(device.send(frame(122)));
  assert.equal(device.send(frame(123)), false);
  assert.equal(device.stats().rxErrors, 1);
});

test('the queue of sent frames is bounded', () => {
  const device = new MemoryNetdev('p1', { queueMax: 2 });
  const worker = new FakeWorker();
  must(device.attach(worker.rings));
  for (let i = 0; i < 3; i++) worker.transmit(frame(60 + i));
  assert.equal(device.flush(0), 3);
  assert.deepEqual(device.takeSent(), [frame(60), frame(61)]);
  assert.deepEqual(device.takeSent(), []);
  assert.equal(device.stats().txDropped, 1);
});

test('what one end of a cable sends arrives at the other', () => {
  const [a, b] = memoryPair('a', 'b');
  const [left, right] = [new FakeWorker(), new FakeWorker()];
  must(a.attach(left.rings));
  must(b.attach(right.rings));
  left.transmit(frame(60));
  right.transmit(frame(61));
  a.flush(0);
  b.flush(0);
  assert.deepEqual(right.receive(), [frame(60)]);
  assert.deepEqual(left.receive(), [frame(61)]);
});

test('a closed device can be attached again', () => {
  const device = new MemoryNetdev('p1');
  must(device.attach(new FakeWorker().rings));
  assert.ok(!device.attach(new FakeWorker().rings).ok);
  device.close();
  assert.equal(device.isAttached, false);
  assert.equal(device.flush(0), 0);
  assert.ok(device.attach(new FakeWorker().rings).ok);
});
