/**
 * Hands out the ring space, page by page, first fit, and takes it back: ports come and go for ever without loss.
 * A port's four rings lie in one extent: four pairs of indices, each on its own cache line, then the entries.
 */
import type { PortRingPlaces, RingPlace } from '../netdev/rings.ts';
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
