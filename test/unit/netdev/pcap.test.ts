import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PcapNetdev, type PcapNetdevOptions } from '../../../backends/pcap/index.ts';
import { must } from '../../../src/lib/result.ts';
import { bytesSink, bytesSource, type CaptureReader, openCapture, PcapngWriter } from '../../../src/packet/pcap.ts';
import { readAll } from '../pcap/support.ts';
import { FakeWorker } from './support.ts';

const frame = (size: number): Uint8Array => new Uint8Array(size).fill(size);

/** Frames of 60, 61 … bytes, a millisecond apart from second 100 on, on interfaces 0 and 1 by turns. */
function capture(count: number): CaptureReader {
  const sink = bytesSink();
  const writer = new PcapngWriter(sink, { interfaces: ['a', 'b'] });
  for (let i = 0; i < count; i++) writer.write(100, i * 1e6, frame(60 + i), 60 + i, i % 2);
  writer.close();
  return must(openCapture(bytesSource(sink.bytes())));
}

function attached(options: PcapNetdevOptions, entries = 8): { device: PcapNetdev; worker: FakeWorker } {
  const device = new PcapNetdev('p1', options);
  const worker = new FakeWorker(entries);
  must(device.attach(worker.rings));
  return { device, worker };
}

test('frames wait for free chunks, none is lost', () => {
  const { device, worker } = attached({ reader: capture(20) });
  const sizes: number[] = [];
  while (!device.isAtEnd) {
    device.poll(0);
    for (const received of worker.receive()) sizes.push(received.length);
    worker.fill(8);
  }
  assert.deepEqual(
    sizes,
    Array.from({ length: 20 }, (_, i) => 60 + i),
  );
  assert.equal(device.nextAt, null);
  assert.deepEqual(device.stats(), { rxDropped: 0, rxErrors: 0, txDropped: 0, txErrors: 0 });
});

test('with a pace, frames come at their time', () => {
  const { device, worker } = attached({ reader: capture(4), pace: 'timed', shift: -100e6 });
  assert.equal(device.nextAt, 0);
  assert.equal(device.poll(0), 1);
  assert.equal(device.nextAt, 1000);
  assert.equal(device.poll(999), 0);
  assert.equal(device.poll(2000), 2);
  assert.equal(worker.receive().length, 3);
  assert.equal(device.isAtEnd, false);
});

test('frames of one interface only', () => {
  const { device, worker } = attached({ reader: capture(6), interfaceIndex: 1 });
  device.poll(0);
  assert.deepEqual(worker.receive(), [frame(61), frame(63), frame(65)]);
  assert.ok(device.isAtEnd);
});

test('snapped frames are made up with zeros, left as they are, or dropped', () => {
  const snapped = (): CaptureReader => {
    const sink = bytesSink();
    const writer = new PcapngWriter(sink, { interfaces: ['a'], snapLen: 40 });
    writer.write(0, 0, frame(60));
    writer.write(0, 0, frame(30), 9000);
    writer.close();
    return must(openCapture(bytesSource(sink.bytes())));
  };
  const padded = new Uint8Array(60).fill(60, 0, 40);
  const cases = [
    { how: 'pad', arrive: [padded], stats: [0, 1] },
    { how: 'as_is', arrive: [padded.slice(0, 40), frame(30)], stats: [0, 0] },
    { how: 'drop', arrive: [], stats: [2, 0] },
  ] as const;
  for (const { how, arrive, stats } of cases) {
    const { device, worker } = attached({ reader: snapped(), snapped: how });
    assert.equal(device.poll(0), 2);
    assert.deepEqual(worker.receive(), arrive);
    assert.equal(device.snappedCount, 2);
    assert.deepEqual([device.stats().rxDropped, device.stats().rxErrors], stats);
  }
});

test('what leaves is written with the time of the flush', () => {
  const sink = bytesSink();
  const { device, worker } = attached({ writer: new PcapngWriter(sink, { interfaces: ['out'] }) });
  assert.ok(device.isAtEnd);
  worker.transmit(frame(60));
  device.flush(1_000_001.5);
  device.close();
  assert.deepEqual(readAll(must(openCapture(bytesSource(sink.bytes())))), [
    { seconds: 1, nanos: 1500, data: frame(60), originalSize: 60, interfaceIndex: 0 },
  ]);
  assert.equal(device.sentCount, 1);
});
