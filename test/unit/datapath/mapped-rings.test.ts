import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RING_PAGE_SIZE } from '../../../src/datapath/memory.ts';
import { mappedRingsSize, placeMappedRings } from '../../../src/datapath/ring-space.ts';

const offsets = { producer: 0, consumer: 128, entries: 320 };
const kernel = { rx: offsets, tx: offsets, fill: offsets, comp: offsets };

for (const isRxProducerApart of [false, true]) {
  it(`rings that a kernel maps have whole pages of their own, rx producer apart: ${isRxProducerApart}`, () => {
    const all = { ...kernel, isRxProducerApart };
    for (const entries of [8, 256, 2048, 65536]) {
      const start = 7 * RING_PAGE_SIZE;
      const end = start + mappedRingsSize(entries, all);
      const { rx, tx, fill, comp } = placeMappedRings(start, entries, 0, 2048, all);
      let free = start + RING_PAGE_SIZE;
      for (const [ring, size] of [
        [rx, 16],
        [tx, 16],
        [fill, 8],
        [comp, 8],
      ] as const) {
        const page = ring.entries - offsets.entries;
        assert.equal(page % RING_PAGE_SIZE, 0);
        assert.ok(page >= free);
        assert.equal(ring.consumer, page + offsets.consumer);
        assert.equal(ring.producer, ring === rx && isRxProducerApart ? start : page);
        free = Math.ceil((ring.entries + entries * size) / RING_PAGE_SIZE) * RING_PAGE_SIZE;
      }
      assert.equal(free, end);
    }
  });
}
