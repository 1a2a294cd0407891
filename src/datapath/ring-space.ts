/**
 * Hands out the ring space, page by page, first fit, and takes it back: ports come and go for ever without loss.
 * A port's four rings lie in one extent: four pairs of indices, each on its own cache line, then the entries. Where a
 * kernel maps rings of its own, each has whole pages and its indices lie where the kernel wants them.
 */
import type { PortRingOffsets, PortRingPlaces, RingOffsets, RingPlace } from '../netdev/rings.ts';
import { type Region, RING_PAGE_SIZE } from './memory.ts';

export interface Extent {
  readonly start: number;
  /** Bytes, a multiple of RING_PAGE_SIZE. */
  readonly size: number;
}

const INDEX_LINE = 64;
const DESCRIPTOR_SIZE = 16;
const ADDRESS_SIZE = 8;

export class RingSpace {
  /** In order of address; neighbours are always joined. */
  readonly #free: { start: number; size: number }[];

  constructor(region: Region) {
    this.#free = [{ start: region.start, size: region.size }];
  }

  get freeSize(): number {
    return this.#free.reduce((sum, extent) => sum + extent.size, 0);
  }

  /** Null when no free run of pages is long enough. */
  take(size: number): Extent | null {
    const whole = Math.ceil(size / RING_PAGE_SIZE) * RING_PAGE_SIZE;
    const index = this.#free.findIndex((extent) => extent.size >= whole);
    const found = this.#free[index];
    if (!found) return null;
    const start = found.start;
    found.start += whole;
    found.size -= whole;
    if (found.size === 0) this.#free.splice(index, 1);
    return { start, size: whole };
  }

  /** Takes back an extent that take() gave. */
  give(extent: Extent): void {
    const at = this.#free.findIndex((other) => other.start > extent.start);
    const index = at < 0 ? this.#free.length : at;
    this.#free.splice(index, 0, { start: extent.start, size: extent.size });
    this.#join(index);
    this.#join(index - 1);
  }

  #join(index: number): void {
    const here = this.#free[index];
    const next = this.#free[index + 1];
    if (!here || !next || here.start + here.size !== next.start) return;
    here.size += next.size;
    this.#free.splice(index + 1, 1);
  }
}

/** Bytes that the four rings of a port take. */
export const portRingsSize = (entries: number): number =>
  8 * INDEX_LINE + entries * 2 * (DESCRIPTOR_SIZE + ADDRESS_SIZE);

/** Places four rings of `entries` (a power of two) each from `start` on. */
export function placePortRings(start: number, entries: number, umemBase: number, chunkSize: number): PortRingPlaces {
  let index = start;
  let next = start + 8 * INDEX_LINE;
  const ring = (entrySize: number): RingPlace => {
    const place = { producer: index, consumer: index + INDEX_LINE, entries: next, mask: entries - 1 };
    index += 2 * INDEX_LINE;
    next += entries * entrySize;
    return place;
  };
  return {
    rx: ring(DESCRIPTOR_SIZE),
    tx: ring(DESCRIPTOR_SIZE),
    fill: ring(ADDRESS_SIZE),
    comp: ring(ADDRESS_SIZE),
    umemBase,
    chunkSize,
  };
}

const pagesOf = (size: number): number => Math.ceil(size / RING_PAGE_SIZE) * RING_PAGE_SIZE;

/** Bytes that the four rings of a port take when a kernel maps them: a page for an index that lies apart, and theirs. */
export function mappedRingsSize(entries: number, { rx, tx, fill, comp }: PortRingOffsets): number {
  const descriptors = pagesOf(rx.entries + entries * DESCRIPTOR_SIZE) + pagesOf(tx.entries + entries * DESCRIPTOR_SIZE);
  const addresses = pagesOf(fill.entries + entries * ADDRESS_SIZE) + pagesOf(comp.entries + entries * ADDRESS_SIZE);
  return RING_PAGE_SIZE + descriptors + addresses;
}

/** Places four rings, each from the start of a page on, as a kernel wants them. `start` is the start of a page. */
export function placeMappedRings(
  start: number,
  entries: number,
  umemBase: number,
  chunkSize: number,
  offsets: PortRingOffsets,
): PortRingPlaces {
  let page = start + RING_PAGE_SIZE;
  const ring = (at: RingOffsets, entrySize: number): RingPlace => {
    const place = {
      producer: page + at.producer,
      consumer: page + at.consumer,
      entries: page + at.entries,
      mask: entries - 1,
    };
    page += pagesOf(at.entries + entries * entrySize);
    return place;
  };
  const rx = ring(offsets.rx, DESCRIPTOR_SIZE);
  return {
    rx: offsets.isRxProducerApart ? { ...rx, producer: start } : rx,
    tx: ring(offsets.tx, DESCRIPTOR_SIZE),
    fill: ring(offsets.fill, ADDRESS_SIZE),
    comp: ring(offsets.comp, ADDRESS_SIZE),
    umemBase,
    chunkSize,
  };
}
