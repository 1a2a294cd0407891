import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../src/lib/random.ts';
import { FakeWorker } from './support.ts';

const frame = (size: number, fill = size): Uint8Array => new Uint8Array(size).fill(fill);

test('a delivered frame arrives whole, headroom in front of it', () => {
  const worker = new FakeWorker();
  assert.ok(worker.rings.deliver(frame(60)));
  assert.ok(worker.rings.deliver(frame(1500)));
  assert.deepEqual(worker.receive(), [frame(60), frame(1500)]);
  assert.equal(worker.rings.frameSizeMax, 2048 - 256);
});

test('short frames begin at different cache lines behind the headroom, a long one where there is room', () => {
  const worker = new FakeWorker(8);
  for (let i = 0; i < 8; i++) assert.ok(worker.rings.deliver(frame(60)));
  worker.receive();
  assert.deepEqual(
    worker.places.toSorted((a, b) => a - b),
    [256, 320, 384, 448, 512, 576, 640, 704],
  );
  worker.fill(8);
  for (let i = 0; i < 8; i++) assert.ok(worker.rings.deliver(frame(2048 - 256 - 63)));
  worker.receive();
  assert.deepEqual(new Set(worker.places.slice(8)), new Set([256]));
});

test('without a free chunk a frame is dropped and counted', () => {
  const worker = new FakeWorker(8);
  for (let i = 0; i < 8; i++) assert.ok(worker.rings.deliver(frame(64)));
  assert.equal(worker.rings.canDeliver(), false);
  assert.equal(worker.rings.deliver(frame(64)), false);
  assert.equal(worker.rings.rxDropped, 1);
  worker.receive();
  worker.fill(1);
  assert.ok(worker.rings.canDeliver());
  assert.ok(worker.rings.deliver(frame(64)));
});

test('without room on the rx ring a frame is dropped, and its chunk stays on the fill ring', () => {
  const worker = new FakeWorker(8);
  for (let i = 0; i < 8; i++) worker.rings.deliver(frame(64));
  worker.fill(1);
  assert.equal(worker.rings.canDeliver(), false);
  assert.equal(worker.rings.deliver(frame(64)), false);
  worker.receive();
  assert.ok(worker.rings.deliver(frame(64)));
});

test('a frame longer than a chunk is refused and counted', () => {
  const { rings } = new FakeWorker();
  assert.equal(rings.deliver(frame(2048 - 255)), false);
  assert.equal(rings.rxOversize, 1);
  assert.ok(rings.deliver(frame(2048 - 256)));
});

test('frames to send are shown in order, at most as many as wanted, and their chunks come back', () => {
  const worker = new FakeWorker();
  const seen: number[] = [];
  for (const size of [60, 61, 62]) worker.transmit(frame(size));
  assert.equal(
    worker.rings.take((_memory, _start, size) => seen.push(size), 2),
    2,
  );
  assert.equal(worker.complete(), 2);
  assert.equal(
    worker.rings.take((_memory, _start, size) => seen.push(size)),
    1,
  );
  assert.equal(worker.complete(), 1);
  assert.deepEqual(seen, [60, 61, 62]);
});

test('taking within a visit shows nothing twice', () => {
  const worker = new FakeWorker();
  const seen: number[] = [];
  for (const size of [60, 61]) worker.transmit(frame(size));
  worker.rings.take((_memory, _start, size) => {
    seen.push(size);
    assert.equal(
      worker.rings.take(() => seen.push(-1)),
      0,
    );
  });
  assert.deepEqual(seen, [60, 61]);
  assert.equal(worker.complete(), 2);
});

test('a visitor that throws leaves the frames and the rings as they were', () => {
  const worker = new FakeWorker();
  worker.transmit(frame(60));
  assert.throws(() =>
    worker.rings.take(() => {
      throw new Error('stop');
    }),
  );
  assert.equal(worker.complete(), 0);
  assert.equal(
    worker.rings.take(() => {}),
    1,
  );
});

test('indices run over the end of their range', () => {
  const worker = new FakeWorker(8);
  worker.startNearWrap();
  for (let i = 0; i < 100; i++) {
    assert.ok(worker.rings.deliver(frame(20 + i)), `frame ${i}`);
    assert.deepEqual(worker.receive(), [frame(20 + i)]);
    worker.transmit(frame(20 + i));
    assert.equal(
      worker.rings.take((_memory, _start, size) => assert.equal(size, 20 + i)),
      1,
    );
    worker.complete();
    worker.fill(1);
  }
});

test('random traffic loses no chunk', () => {
  const seed = Number(process.env.WEFT_SEED ?? 1);
  const random = new Random(seed);
  const worker = new FakeWorker(16);
  let waiting = 0;
  for (let i = 0; i < (process.env.WEFT_NIGHTLY ? 500_000 : 5000); i++) {
    const what = random.below(4);
    if (what === 0) worker.rings.deliver(random.bytes(14 + random.below(200)));
    if (what === 1) worker.receive();
    if (what === 2 && waiting < 16 && worker.free.length > 0) {
      worker.transmit(random.bytes(60));
      waiting++;
    }
    if (what === 3) {
      waiting -= worker.rings.take(() => {});
      worker.complete();
      worker.fill(random.below(3));
    }
    if (!worker.rings.canDeliver()) worker.fill(1);
  }
  worker.receive();
  worker.rings.take(() => {});
  worker.complete();
  while (worker.rings.deliver(frame(60)) && worker.receive());
  assert.deepEqual(
    worker.free,
    Array.from({ length: 32 }, (_, i) => i * 2048),
    `seed ${seed}`,
  );
});
