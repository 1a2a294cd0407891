import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { CaptureNetdev } from '../../../src/netdev/capture.ts';
import { FaultNetdev } from '../../../src/netdev/fault.ts';
import { TraceNetdev } from '../../../src/netdev/trace.ts';
import { bytesSink, bytesSource, openCapture, PcapWriter } from '../../../src/packet/pcap.ts';
import { readAll } from '../pcap/support.ts';
import { FakeWorker } from './support.ts';

const frame = (fill: number): Uint8Array => new Uint8Array(60).fill(fill);

test('a trace tells of frames of both directions and of those not accepted', () => {
  const device = new MemoryNetdev('p1');
  const log: string[] = [];
  const traced = new TraceNetdev(device, ({ device: name, direction, frame: bytes, isAccepted }) =>
    log.push(`${name} ${direction} ${bytes[0]} ${isAccepted}`),
  );
  const worker = new FakeWorker(8);
  must(traced.attach(worker.rings));
  for (let i = 0; i < 9; i++) device.send(frame(i));
  worker.receive();
  worker.transmit(frame(99));
  assert.equal(traced.flush(0), 1);
  assert.deepEqual(log.slice(7), ['p1 rx 7 true', 'p1 rx 8 false', 'p1 tx 99 true']);
  assert.deepEqual(device.takeSent(), [frame(99)]);
  assert.equal(traced.stats().rxDropped, 1);
});

test('a wrapper has the face of its device', () => {
  const device = new MemoryNetdev('p1', { mtu: 9000, type: 'internal' });
  const wrapped = new TraceNetdev(device, () => {});
  assert.deepEqual([wrapped.name, wrapped.type, wrapped.mtu, wrapped.isUp], ['p1', 'internal', 9000, true]);
  assert.equal(wrapped.mac, device.mac);
  device.isUp = false;
  assert.equal(wrapped.isUp, false);
  must(wrapped.attach(new FakeWorker().rings));
  assert.equal(wrapped.poll(0), 0);
  assert.ok(!wrapped.attach(new FakeWorker().rings).ok);
  wrapped.close();
  assert.ok(wrapped.attach(new FakeWorker().rings).ok);
});

test('certain faults happen always, impossible ones never', () => {
  const cases = [
    { rates: {}, arrive: 4 },
    { rates: { loss: 1 }, arrive: 0 },
    { rates: { duplication: 1 }, arrive: 8 },
  ];
  for (const { rates, arrive } of cases) {
    const device = new MemoryNetdev('p1');
    const faulty = new FaultNetdev(device, { random: new Random(1), rx: rates, tx: rates });
    const worker = new FakeWorker(8);
    must(faulty.attach(worker.rings));
    for (let i = 0; i < 4; i++) assert.ok(device.send(frame(i)));
    assert.equal(worker.receive().length, arrive);
    for (let i = 0; i < 4; i++) worker.transmit(frame(i));
    assert.equal(faulty.flush(0), 4);
    assert.equal(device.takeSent().length, arrive);
    assert.equal(worker.complete(), 4);
  }
});

test('corruption flips one bit and leaves the original alone', () => {
  const device = new MemoryNetdev('p1');
  const faulty = new FaultNetdev(device, { random: new Random(7), rx: { corruption: 1 } });
  const worker = new FakeWorker();
  must(faulty.attach(worker.rings));
  const sent = frame(0);
  device.send(sent);
  assert.deepEqual(sent, frame(0));
  const [arrived] = worker.receive();
  const bits = arrived!.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  assert.equal(bits, 1);
  assert.deepEqual(faulty.faults.rx, { lost: 0, duplicated: 0, corrupted: 1 });
});

test('the same seed does the same harm', () => {
  const harm = (seed: number): string => {
    const device = new MemoryNetdev('p1');
    const rates = { loss: 0.2, duplication: 0.2, corruption: 0.2 };
    const faulty = new FaultNetdev(device, { random: new Random(seed), rx: rates });
    const worker = new FakeWorker(16);
    must(faulty.attach(worker.rings));
    let log = '';
    for (let i = 0; i < 200; i++) {
      device.send(frame(i));
      for (const arrived of worker.receive()) log += `${Buffer.from(arrived).toString('hex')}\n`;
      worker.fill(2);
    }
    return log;
  };
  assert.equal(harm(3), harm(3));
  assert.notEqual(harm(3), harm(4));
});

test('a capture holds what came in and what went out, at the time of the clock', () => {
  for (const direction of ['both', 'rx', 'tx'] as const) {
    const device = new MemoryNetdev('p1');
    const sink = bytesSink();
    const writer = new PcapWriter(sink, { resolution: 'nano' });
    const clock = new ManualClock(1_500_000);
    const captured = new CaptureNetdev(device, { writer, clock, direction });
    const worker = new FakeWorker();
    must(captured.attach(worker.rings));
    device.send(frame(1));
    clock.advance(0.25);
    worker.transmit(frame(2));
    captured.flush(clock.now());
    writer.close();
    const records = readAll(must(openCapture(bytesSource(sink.bytes()))));
    const rx = { seconds: 1, nanos: 500_000_000, data: frame(1), originalSize: 60, interfaceIndex: 0 };
    const tx = { seconds: 1, nanos: 500_000_250, data: frame(2), originalSize: 60, interfaceIndex: 0 };
    assert.deepEqual(records, { both: [rx, tx], rx: [rx], tx: [tx] }[direction]);
    assert.equal(device.takeSent().length, 1);
  }
});

test('wrappers wrap wrappers', () => {
  const device = new MemoryNetdev('p1');
  const seen: string[] = [];
  const faulty = new FaultNetdev(device, { random: new Random(1), rx: { duplication: 1 } });
  const worker = new FakeWorker();
  must(new TraceNetdev(faulty, ({ direction }) => seen.push(direction)).attach(worker.rings));
  device.send(frame(1));
  assert.deepEqual(seen, ['rx', 'rx']);
});

test('a device of several queues is refused: a wrapper would miss frames', () => {
  const wrapped = new TraceNetdev(new MemoryNetdev('p1', { queues: 2 }), () => {});
  assert.deepEqual(wrapped.attach(new FakeWorker().rings), {
    ok: false,
    error: 'p1 has 2 queues, and a wrapper sees one',
  });
});
