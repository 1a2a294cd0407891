/**
 * The conservation check: walks the memory while the workers are quiet and finds every chunk in exactly one place, and
 * every frame that ever came in accounted for.
 *
 * A device that a kernel works at the other end of (AF_XDP) holds chunks that are on no ring: taken off the fill ring and
 * not on the rx ring yet, taken off the tx ring and not on the comp ring yet. All indices began at 0 together, so there
 * are as many as the indices differ by: so many chunks may be nowhere, and not one more. The kernel goes on while we
 * walk: indices of the places that chunks come to are read before those of the places that they come from.
 */
import * as L from '../gen/layout.ts';
import { HAND_OVER_ENTRIES } from '../gen/limits.ts';
import type { MemoryPlan } from './memory.ts';
import type { PortEntry } from './ports.ts';
import { frameBalance } from './stats.ts';
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
    /** Frames between two workers, and chunks on their way back. */
    readonly handed: number;
    readonly home: number;
    /** In the hands of devices, on no ring. */
    readonly device: number;
  };
  /** in = rx + injected + copied; out = tx + dropped + consumed + held + handed. They are equal. */
  readonly frames: {
    readonly in: number;
    readonly out: number;
  };
}

export interface AuditInput {
  readonly views: Views;
  readonly plan: MemoryPlan;
  readonly workers: readonly { readonly host: WorkerHost; readonly upcalls: UpcallQueue }[];
  readonly ports: readonly PortEntry[];
  /** Chunks that are known to be nowhere; 0 when left out. See strays.ts. */
  readonly strays?: number;
}

type Place = keyof Audit['chunks'];

const ENTRY_MASK = HAND_OVER_ENTRIES - 1;

/** Where each chunk is. */
export class ChunkMap {
  readonly problems: string[] = [];
  readonly counts: Record<Place, number> = {
    free: 0,
    fill: 0,
    rx: 0,
    tx: 0,
    comp: 0,
    held: 0,
    handed: 0,
    home: 0,
    device: 0,
  };
  readonly #where: (string | null)[];
  readonly #plan: MemoryPlan;

  constructor(plan: MemoryPlan) {
    this.#plan = plan;
    this.#where = new Array<string | null>(plan.sizes.framesCount).fill(null);
  }

  #index(address: number): number | null {
    const { start } = this.#plan.frames;
    const index = Math.floor((address - start) / this.#plan.sizes.chunkSize);
    return address < start || index >= this.#plan.sizes.framesCount ? null : index;
  }

  /** @param address absolute: of the chunk, or of a byte in it */
  see(address: number, place: Place, where: string): void {
    const index = this.#index(address);
    if (index === null) {
      this.problems.push(`${where} holds ${address}, which is no chunk's address`);
      return;
    }
    const before = this.#where[index];
    if (before) this.problems.push(`chunk ${index} is in two places: ${before} and ${where}`);
    this.#where[index] = where;
    this.counts[place]++;
  }

  /** The same for a chunk that may have been seen elsewhere since. */
  seeUnlessSeen(address: number, where: string): void {
    const index = this.#index(address);
    if (index !== null) this.#where[index] ??= where;
  }

  /** Addresses of the chunks that were not seen. */
  unseen(): number[] {
    const { start } = this.#plan.frames;
    return this.#where.flatMap((where, index) => (where === null ? [start + index * this.#plan.sizes.chunkSize] : []));
  }

  finish(strays: number): void {
    const lost = this.#where.flatMap((where, index) => (where === null ? [index] : []));
    const device = this.counts.device + strays;
    if (lost.length === device) return;
    const shown = `${lost.slice(0, 8).join(', ')}${lost.length > 8 ? ' …' : ''}`;
    this.problems.push(
      device === 0
        ? `${lost.length} chunks are nowhere: ${shown}`
        : `${lost.length} chunks are on no ring, and devices hold ${device}: ${shown}`,
    );
  }
}

/** Two indices of a port: what a device has put there, and what it has taken for it. */
export interface DeviceHeld {
  readonly received: number;
  readonly sending: number;
}

/** Sees what is on a port's rings. Returns the indices that say what its device holds. */
function seePort(map: ChunkMap, views: Views, port: PortEntry): DeviceHeld {
  const { rx, tx, fill, comp, umemBase } = port.places;
  const index = (address: number): number => Atomics.load(views.u32, address >>> 2);
  // the order matters: see above
  const [rxTo, fillFrom] = [index(rx.producer), index(fill.consumer)];
  const [compTo, txFrom] = [index(comp.producer), index(tx.consumer)];
  const see = (place: 'fill' | 'rx' | 'tx' | 'comp', from: number, to: number): void => {
    const { entries, mask } = port.places[place];
    const size = place === 'rx' || place === 'tx' ? 16 : 8;
    const where = `the ${place} ring of port ${port.number}`;
    const count = (to - from) >>> 0;
    if (count > mask + 1) map.problems.push(`${where} has ${count} of ${mask + 1} entries in use`);
    else
      for (let i = 0; i < count; i++)
        map.see(umemBase + views.getU32(entries + ((from + i) & mask) * size), place, where);
  };
  see('rx', views.getU32(rx.consumer), rxTo);
  see('fill', fillFrom, views.getU32(fill.producer));
  see('comp', views.getU32(comp.consumer), compTo);
  see('tx', txFrom, views.getU32(tx.producer));
  // less than none: it made descriptors up, which the worker has refused
  const held = { received: Math.max(0, (fillFrom - rxTo) | 0), sending: Math.max(0, (txFrom - compTo) | 0) };
  map.counts.device += held.received + held.sending;
  return held;
}

/** Sees what a port’s device holds, when it keeps the order: what it took last. */
export function seeHeld(map: ChunkMap, views: Views, { places, number }: PortEntry, held: DeviceHeld): void {
  const last = (ring: { consumer: number; entries: number; mask: number }, count: number, size: number): void => {
    const to = Atomics.load(views.u32, ring.consumer >>> 2);
    for (let i = 1; i <= count && i <= ring.mask + 1; i++)
      map.seeUnlessSeen(
        places.umemBase + views.getU32(ring.entries + ((to - i) & ring.mask) * size),
        `the device of port ${number}`,
      );
  };
  last(places.fill, held.received, 8);
  last(places.tx, held.sending, 16);
}

function seeHandOvers(map: ChunkMap, views: Views, plan: MemoryPlan): void {
  const count = plan.workers.length;
  for (let pair = 0; pair < count * count; pair++) {
    const at = plan.handOvers.start + pair * L.HAND_OVER_SIZEOF;
    const where = `the way from worker ${Math.floor(pair / count)} to worker ${pair % count}`;
    const see = (place: 'handed' | 'home', from: number, to: number, entries: number, size: number): void => {
      for (let i = from; i !== to; i = (i + 1) >>> 0)
        map.see(views.getU32(at + entries + (i & ENTRY_MASK) * size), place, where);
    };
    const word = (field: number): number => views.getU32(at + field);
    const [taken, given] = [word(L.HAND_OVER_FRAMES_CONSUMER), word(L.HAND_OVER_FRAMES_PRODUCER)];
    see('handed', taken, given, L.HAND_OVER_FRAMES, 16);
    see('home', word(L.HAND_OVER_HOME_CONSUMER), word(L.HAND_OVER_HOME_PRODUCER), L.HAND_OVER_HOME, 4);
  }
}

/**
 * Sees everything but the free stack of the worker that is left out.
 * @returns what each port's device holds
 */
export function seeAll(map: ChunkMap, { views, plan, workers, ports }: AuditInput, leftOut = -1): DeviceHeld[] {
  for (const { host, upcalls } of workers) {
    const { index, freeChunks } = host.plan;
    const freeCount = index === leftOut ? 0 : views.getU32(host.w + L.WORKER_FREE_COUNT);
    for (let i = 0; i < freeCount; i++)
      map.see(views.getU32(freeChunks.start + 4 * i), 'free', `the free stack of worker ${index}`);
    for (const slot of upcalls.heldSlots())
      map.see(views.getU32(upcalls.address(slot) + L.UPCALL_SLOT_CHUNK), 'held', `upcall slot ${slot}`);
  }
  const held = ports.map((port) => seePort(map, views, port));
  seeHandOvers(map, views, plan);
  return held;
}

export function auditDatapath(input: AuditInput): Audit {
  const map = new ChunkMap(input.plan);
  seeAll(map, input);
  map.finish(input.strays ?? 0);
  const balances = input.workers.map(({ host }) => frameBalance(host));
  const frames = {
    in: balances.reduce((sum, balance) => sum + balance.in, 0),
    out: balances.reduce((sum, balance) => sum + balance.out, 0) + map.counts.held + map.counts.handed,
  };
  if (frames.in !== frames.out)
    map.problems.push(`${frames.in} frames came in or were made, but ${frames.out} are accounted for`);
  return { problems: map.problems, chunks: map.counts, frames };
}
