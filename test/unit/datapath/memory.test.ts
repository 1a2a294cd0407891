import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type MemoryPlan,
  type MemorySizes,
  memorySizesDefault,
  planMemory,
  RING_PAGE_SIZE,
  WASM_PAGE_SIZE,
} from '../../../src/datapath/memory.ts';
import { placePortRings, portRingsSize, RingSpace } from '../../../src/datapath/ring-space.ts';
import { SWITCH_BASE } from '../../../src/gen/layout.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';

function checkPlan(plan: MemoryPlan, seed: number): void {
  let end = SWITCH_BASE;
  for (const region of plan.regions) {
    assert.ok(region.start >= end, `seed ${seed}: ${region.name} overlaps what is before it`);
    assert.ok(region.start % 64 === 0, `seed ${seed}: ${region.name} is not on a cache line`);
    end = region.start + region.size;
  }
  assert.ok(plan.size >= end && plan.size - end < WASM_PAGE_SIZE);
  assert.equal(plan.pages * WASM_PAGE_SIZE, plan.size);
  assert.equal(plan.frames.start % WASM_PAGE_SIZE, 0);
  assert.equal(plan.ringSpace.start % WASM_PAGE_SIZE, 0);
  assert.equal(plan.frames.size, plan.sizes.framesCount * plan.sizes.chunkSize);
  for (const { worker } of plan.workers) assert.equal(worker.start % 4096, 0);
  // chunks are shared out whole: one range a worker, one behind the other
  let next = 0;
  for (const { chunkFirst, chunkCount } of plan.workers) {
    assert.equal(chunkFirst, next);
    next += chunkCount;
  }
  assert.equal(next, plan.sizes.framesCount);
}

test('regions never overlap, whatever the sizes', () => {
  const seed = Number(process.env.WEFT_SEED ?? 1);
  const random = new Random(seed);
  checkPlan(must(planMemory()), seed);
  for (let i = 0; i < 300; i++) {
    const sizes: MemorySizes = {
      workerCount: 1 + random.below(8),
      framesCount: 256 + random.below(8192),
      chunkSize: 2048 << random.below(6),
      flowMax: 1 + random.below(1 << 20),
      arenaSize: (1 << 20) + random.below(1 << 26),
      cacheEntries: 8 << random.below(14),
      packetSlots: 128 + random.below(4096),
      ringSpaceSize: 1 + random.below(1 << 22),
    };
    checkPlan(must(planMemory(sizes)), seed);
  }
});

test('a million megaflows can be planned for', () => {
  const plan = must(planMemory({ flowMax: 1 << 20, arenaSize: 512 << 20, framesCount: 16384 }));
  assert.ok(plan.pages < 16384);
});

test('sizes that make no sense are refused with the reason', () => {
  const refused: [sizes: Partial<MemorySizes>, why: RegExp][] = [
    [{ chunkSize: 3000 }, /chunkSize/],
    [{ chunkSize: 1024 }, /chunkSize/],
    [{ chunkSize: 131072 }, /chunkSize/],
    [{ cacheEntries: 1000 }, /cacheEntries/],
    [{ cacheEntries: 4 }, /cacheEntries/],
    [{ framesCount: 0 }, /framesCount must be a whole number/],
    [{ framesCount: 31 }, /framesCount must be at least/],
    [{ flowMax: 1.5 }, /flowMax/],
    [{ packetSlots: 64 }, /packetSlots/],
    [{ arenaSize: 1000 }, /arenaSize/],
    [{ workerCount: Number.NaN }, /workerCount/],
    [{ arenaSize: 0xffff0000 }, /32-bit memory/],
  ];
  for (const [sizes, why] of refused) {
    const planned = planMemory({ ...memorySizesDefault, ...sizes });
    assert.ok(!planned.ok, JSON.stringify(sizes));
    assert.match(planned.error, why);
  }
});

test('ring space is handed out page by page and comes back whole', () => {
  const seed = Number(process.env.WEFT_SEED ?? 1);
  const random = new Random(seed);
  const region = { name: 'ring space', start: 65536, size: 64 * RING_PAGE_SIZE };
  const space = new RingSpace(region);
  const taken: { start: number; size: number }[] = [];
  for (let i = 0; i < 5000; i++) {
    if (random.chance(0.55)) {
      const extent = space.take(1 + random.below(6 * RING_PAGE_SIZE));
      if (!extent) continue;
      assert.ok(extent.start >= region.start && extent.start + extent.size <= region.start + region.size);
      for (const other of taken)
        assert.ok(
          extent.start + extent.size <= other.start || other.start + other.size <= extent.start,
          `seed ${seed}`,
        );
      taken.push(extent);
    } else if (taken.length > 0) space.give(taken.splice(random.below(taken.length), 1)[0]!);
  }
  for (const extent of taken) space.give(extent);
  assert.equal(space.freeSize, region.size);
  // joined again: the whole region in one piece
  assert.deepEqual(space.take(region.size), { start: region.start, size: region.size });
  assert.equal(space.take(1), null);
});

test('the four rings of a port do not overlap and fill their extent', () => {
  const entries = 64;
  const { rx, tx, fill, comp } = placePortRings(8192, entries, 0, 2048);
  const ranges = [rx, tx, fill, comp].flatMap((ring, index) => [
    [ring.producer, 64],
    [ring.consumer, 64],
    [ring.entries, entries * (index < 2 ? 16 : 8)],
  ]) as [number, number][];
  ranges.sort((a, b) => a[0] - b[0]);
  let end = 8192;
  for (const [start, size] of ranges) {
    assert.equal(start, end);
    end = start + size;
  }
  assert.equal(end, 8192 + portRingsSize(entries));
});
