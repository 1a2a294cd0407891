/**
 * The conservation check: walks the memory while the worker is quiet and finds every chunk in exactly one place, and
 * every frame that ever came in accounted for.
 */
import * as L from '../gen/layout.ts';
import type { RingPlace } from '../netdev/rings.ts';
import type { MemoryPlan } from './memory.ts';
import type { PortEntry } from './ports.ts';
import type { UpcallQueue } from './upcalls.ts';
import type { Views } from './views.ts';
import type { WorkerHost } from './worker.ts';

export interface Audit {
  /** Empty when all is well. */
  readonly problems: readonly string[];
  /** Chunks by place. */
  readonly chunks: {
    readonly free: number;
    readonly fill: number;
    readonly rx: number;
    readonly tx: number;
    readonly comp: number;
    readonly held: number;
  };
  /** in = rx + injected + copied; out = tx + dropped + consumed + held. They are equal. */
  readonly frames: {
    readonly in: number;
    readonly out: number;
  };
}

export interface AuditInput {
  readonly views: Views;
  readonly plan: MemoryPlan;
  readonly worker: WorkerHost;
  readonly upcalls: UpcallQueue;
  readonly ports: readonly PortEntry[];
  readonly frames: { readonly in: number; readonly out: number };
}

type Place = keyof Audit['chunks'];

class ChunkMap {
  readonly problems: string[] = [];
  readonly counts: Record<Place, number> = { free: 0, fill: 0, rx: 0, tx: 0, comp: 0, held: 0 };
  readonly #where: (string | null)[];
  readonly #plan: MemoryPlan;

  constructor(plan: MemoryPlan) {
    this.#plan = plan;
    this.#where = new Array<string | null>(plan.sizes.framesCount).fill(null);
  }

  /** @param address absolute: of the chunk, or of a byte in it */
  see(address: number, place: Place, where: string): void {
    const { start } = this.#plan.frames;
    const index = Math.floor((address - start) / this.#plan.sizes.chunkSize);
    if (address < start || index >= this.#plan.sizes.framesCount) {
      this.problems.push(`${where} holds ${address}, which is no chunk's address`);
      return;
    }
    const before = this.#where[index];
    if (before) this.problems.push(`chunk ${index} is in two places: ${before} and ${where}`);
    this.#where[index] = where;
    this.counts[place]++;
  }

  finish(): void {
    const lost = this.#where.flatMap((where, index) => (where === null ? [index] : []));
    if (lost.length > 0)
      this.problems.push(
        `${lost.length} chunks are nowhere: ${lost.slice(0, 8).join(', ')}${lost.length > 8 ? ' …' : ''}`,
      );
  }
}

function seeRing(map: ChunkMap, views: Views, port: PortEntry, place: 'fill' | 'rx' | 'tx' | 'comp'): void {
  const ring: RingPlace = port.places[place];
  const entrySize = place === 'rx' || place === 'tx' ? 16 : 8;
  const producer = views.getU32(ring.producer);
  const consumer = views.getU32(ring.consumer);
  const where = `the ${place} ring of port ${port.number}`;
  if ((producer - consumer) >>> 0 > ring.mask + 1) {
    map.problems.push(`${where} has ${(producer - consumer) >>> 0} of ${ring.mask + 1} entries in use`);
    return;
  }
  for (let index = consumer; index !== producer; index = (index + 1) >>> 0)
    map.see(port.places.umemBase + views.getU32(ring.entries + (index & ring.mask) * entrySize), place, where);
}

export function auditDatapath({ views, plan, worker, upcalls, ports, frames }: AuditInput): Audit {
  const map = new ChunkMap(plan);
  const freeCount = views.getU32(worker.w + L.WORKER_FREE_COUNT);
  for (let i = 0; i < freeCount; i++)
    map.see(views.getU32(worker.plan.freeChunks.start + 4 * i), 'free', 'the free stack');
  for (const port of ports) for (const place of ['fill', 'rx', 'tx', 'comp'] as const) seeRing(map, views, port, place);
  for (const slot of upcalls.heldSlots())
    map.see(views.getU32(upcalls.address(slot) + L.UPCALL_SLOT_CHUNK), 'held', `upcall slot ${slot}`);
  map.finish();
  const out = frames.out + map.counts.held;
  if (frames.in !== out) map.problems.push(`${frames.in} frames came in or were made, but ${out} are accounted for`);
  return { problems: map.problems, chunks: map.counts, frames: { in: frames.in, out } };
}
