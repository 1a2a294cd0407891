/**
 * The ports of all workers: numbers, queues, rings and devices, and how they come and go.
 *
 * A port has one queue or several, each with rings, a device object and a worker of its own; the first lies in the memory's
 * port table at the port's number, the others in a row behind all ports. A queue is *suspended* while the thread that had its
 * device is dead: it has no rings then, and its place and number stay taken.
 */
import type { DpPort } from '../flow/odp/action.ts';
import { BURST_MAX, FURTHER_QUEUES_MAX, PORTS_MAX, QUEUES_MAX } from '../gen/limits.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { Netdev } from '../netdev/netdev.ts';
import { DeviceRings } from '../netdev/rings.ts';
import type { MemoryPlan } from './memory.ts';
import {
  clearPort,
  clearQueue,
  type PortEntry,
  portAddress,
  type TunnelPortOptions,
  writePort,
  writeQueues,
  writeTunnelPort,
} from './ports.ts';
import { RemoteNetdev } from './remote-netdev.ts';
import { mappedRingsSize, placeMappedRings, placePortRings, portRingsSize, RingSpace } from './ring-space.ts';
import type { ThreadLink } from './threads.ts';
import type { Views } from './views.ts';
import type { WorkerHost } from './worker.ts';

export interface PortOptions {
  /** Entries of each of a queue's four rings, a power of two from 8 to 65536; 256, or 1024 for mapped ones, when left out. */
  readonly ringEntries?: number;
  /** Chunks to keep on a fill ring, at the most ringEntries; 64 or ringEntries when left out, 256 for mapped rings. */
  readonly fillTarget?: number;
  readonly ifindex?: number;
  /**
   * Index of the worker that is to have the port, or its first queue; the one with the fewest queues when left out. Further
   * queues go to the workers behind it, in turn.
   */
  readonly worker?: number;
}

/** A kernel takes its time between two looks at a ring of its own: there is room for what comes meanwhile. */
const MAPPED_ENTRIES = 1024;
const MAPPED_FILL = 256;

/** What the table needs of each worker. */
export interface PortOwner {
  readonly host: WorkerHost;
  /** null when the worker has no thread of its own. */
  readonly link: ThreadLink | null;
}

const NO_QUEUES: readonly PortEntry[] = [];

export class PortTable {
  readonly #views: Views;
  readonly #plan: MemoryPlan;
  readonly #owners: readonly PortOwner[];
  readonly #ringSpace: RingSpace;
  /** By place. */
  readonly #places: (PortEntry | null)[] = new Array<PortEntry | null>(PORTS_MAX + FURTHER_QUEUES_MAX).fill(null);
  /** By port number; suspended ones left out. */
  readonly #queues: (readonly PortEntry[])[] = new Array<readonly PortEntry[]>(PORTS_MAX).fill(NO_QUEUES);
  /** Of the places behind all ports. */
  readonly #isTaken = new Uint8Array(FURTHER_QUEUES_MAX);
  readonly #suspended = new Set<PortEntry>();
  readonly #tunnels = new Set<number>();
  /** Queues with a device, in order of port number. Replaced whole when one comes or goes. */
  entries: readonly PortEntry[] = [];
  /** Chunks that are nowhere: see strays.ts. */
  strays = 0;

  constructor(views: Views, plan: MemoryPlan, owners: readonly PortOwner[]) {
    this.#views = views;
    this.#plan = plan;
    this.#owners = owners;
    this.#ringSpace = new RingSpace(plan.ringSpace);
  }

  get ringSpaceFree(): number {
    return this.#ringSpace.freeSize;
  }

  /** The first queue of a port. */
  get(number: DpPort): PortEntry | null {
    return number < PORTS_MAX ? this.at(number) : null;
  }

  /** The queue at a place of the table. */
  at(place: number): PortEntry | null {
    return this.#places[place] ?? null;
  }

  queuesOf(number: DpPort): readonly PortEntry[] {
    return this.#queues[number] ?? NO_QUEUES;
  }

  has(number: DpPort): boolean {
    if (this.#tunnels.has(number) || this.queuesOf(number).length > 0) return true;
    for (const entry of this.#suspended) if (entry.number === number) return true;
    return false;
  }

  /** Of ports with a device and of tunnel ports. */
  numbers(): DpPort[] {
    return [...new Set([...this.entries, ...this.#suspended].map((entry) => entry.number)), ...this.#tunnels];
  }

  /** The worker that the next port belongs to when nobody says: the one with the fewest queues. */
  #leastWorker(): number {
    const counts = this.#owners.map((_, index) => this.entries.filter(({ worker }) => worker === index).length);
    return counts.indexOf(Math.min(...counts));
  }

  /** The index of the worker that a new port is to have, or why it cannot be. */
  workerFor({ worker = this.#leastWorker() }: Pick<PortOptions, 'worker'>): Result<number> {
    return worker in this.#owners ? ok(worker) : fail(`there is no worker ${worker}`);
  }

  /** The worker of a queue whose port's first queue is another's. */
  workerAfter(worker: number, queue: number): number {
    return (worker + queue) % this.#owners.length;
  }

  // ---- a port comes ----

  add(number: DpPort, netdev: Netdev, options: PortOptions): Result<void> {
    // a device that a thread opened stays with that thread's worker
    const first = this.workerFor(netdev instanceof RemoteNetdev ? { worker: netdev.worker } : options);
    if (!first.ok) return first;
    const devices = [netdev, ...(netdev.queues ?? [])];
    const wrong = this.#wrongNumber(number);
    if (wrong) return fail(wrong);
    if (devices.length > QUEUES_MAX)
      return fail(`${netdev.name} has ${devices.length} queues, more than ${QUEUES_MAX}`);
    const behind = this.#takePlaces(devices.length - 1);
    if (behind === null) return fail(`no room in the port table for ${devices.length} queues`);
    for (const [queue, device] of devices.entries()) {
      const worker = device instanceof RemoteNetdev ? device.worker : this.workerAfter(first.value, queue);
      const place = queue === 0 ? number : behind + queue - 1;
      const added = this.#addQueue({ number, queue, place, netdev: device, worker }, options);
      if (added.ok) continue;
      // those that are there go again
      if (queue > 0) this.remove(number);
      this.#givePlaces(behind, devices.length - 1);
      return added;
    }
    writeQueues(this.#views, this.#plan, number, this.queuesOf(number));
    return ok(undefined);
  }

  /** The first of so many free places in a row. */
  #takePlaces(count: number): number | null {
    let run = 0;
    for (let i = 0; i <= FURTHER_QUEUES_MAX; i++) {
      if (run === count) {
        this.#isTaken.fill(1, i - count, i);
        return PORTS_MAX + i - count;
      }
      run = this.#isTaken[i] ? 0 : run + 1;
    }
    return null;
  }

  #givePlaces(first: number, count: number): void {
    this.#isTaken.fill(0, first - PORTS_MAX, first - PORTS_MAX + count);
  }

  #addQueue(
    queue: Pick<PortEntry, 'number' | 'queue' | 'place' | 'netdev' | 'worker'>,
    { ringEntries, fillTarget, ifindex }: PortOptions,
  ): Result<void> {
    const { number, netdev, worker } = queue;
    const offsets = netdev.ringOffsets;
    const count = ringEntries ?? (offsets ? MAPPED_ENTRIES : 256);
    const filled = fillTarget ?? Math.min(offsets ? MAPPED_FILL : 64, count);
    const wrong = this.#wrongRings(count, filled, worker);
    if (wrong) return fail(wrong);
    const extent = this.#ringSpace.take(offsets ? mappedRingsSize(count, offsets) : portRingsSize(count));
    if (!extent) return fail(`no ring space left for port ${number}`);
    const frames = [this.#plan.frames.start, this.#plan.sizes.chunkSize] as const;
    const places = offsets
      ? placeMappedRings(extent.start, count, ...frames, offsets)
      : placePortRings(extent.start, count, ...frames);
    const entry = { ...queue, extent, places, fillTarget: filled, isUp: netdev.isUp, mtu: netdev.mtu };
    writePort(this.#views, this.#plan, entry, ifindex ?? number);
    const attached = this.#attach(entry);
    if (!attached.ok) {
      clearQueue(this.#views, this.#plan, entry.place);
      this.#ringSpace.give(extent);
      return attached;
    }
    this.#places[entry.place] = entry;
    const order = (a: PortEntry, b: PortEntry): number => a.number - b.number || a.queue - b.queue;
    this.entries = [...this.entries, entry].sort(order);
    this.#queues[number] = [...this.queuesOf(number), entry].sort(order);
    return ok(undefined);
  }

  /** Gives a device its rings, and tells the worker's thread of a device that stays on this side. */
  #attach({ place, netdev, worker, places }: PortEntry): Result<void> {
    if (netdev instanceof RemoteNetdev) netdev.bind(place, portAddress(this.#plan, place));
    const attached = netdev.attach(new DeviceRings(this.#views.memory, places));
    const { link } = this.#owners[worker]!;
    if (!attached.ok || !link || netdev instanceof RemoteNetdev) return attached;
    const served = link.ask({ kind: 'serve', place });
    if (served.ok) return ok(undefined);
    netdev.close();
    return served;
  }

  #wrongNumber(number: number): string | null {
    if (!Number.isInteger(number) || number < 0 || number >= PORTS_MAX)
      return `port ${number} is not below ${PORTS_MAX}`;
    return this.has(number) ? `port ${number} is there already` : null;
  }

  #wrongRings(ringEntries: number, fillTarget: number, worker: number): string | null {
    if (ringEntries < 8 || ringEntries > 65536 || Math.log2(ringEntries) % 1 !== 0)
      return `ringEntries must be a power of two from 8 to 65536, not ${ringEntries}`;
    if (!Number.isInteger(fillTarget) || fillTarget < 1 || fillTarget > ringEntries)
      return `fillTarget must be from 1 to ${ringEntries}, not ${fillTarget}`;
    const own = this.entries.filter((entry) => entry.worker === worker);
    const filled = own.reduce((sum, entry) => sum + entry.fillTarget, fillTarget);
    const { chunkCount } = this.#plan.workers[worker]!;
    if (filled > chunkCount - BURST_MAX) return `the fill rings would hold ${filled} of ${chunkCount} chunks`;
    return null;
  }

  addTunnel(number: DpPort, options: TunnelPortOptions): Result<void> {
    const wrong = this.#wrongNumber(number);
    if (wrong) return fail(wrong);
    writeTunnelPort(this.#views, this.#plan, number, options);
    this.#tunnels.add(number);
    return ok(undefined);
  }

  // ---- a port goes ----

  remove(number: DpPort): Result<void, 'not_found'> {
    if (this.#tunnels.delete(number)) {
      clearPort(this.#views, this.#plan, number);
      return ok(undefined);
    }
    if (!this.has(number)) return fail('not_found');
    const queues = this.queuesOf(number);
    for (const { netdev, worker } of queues) netdev.flush(this.#owners[worker]!.host.now);
    for (const { netdev } of queues) netdev.close();
    for (const entry of queues) {
      const { host, link } = this.#owners[entry.worker]!;
      // a thread that does not answer has died: its chunks are found again when it is brought back
      if (link) link.ask({ kind: 'drain', place: entry.place });
      else host.wasm.drainPort(host.w, entry.place);
      this.#takeOut(entry);
    }
    const suspended = [...this.#suspended].filter((entry) => entry.number === number);
    for (const entry of suspended) this.#suspended.delete(entry);
    for (const { queue, place } of [...queues, ...suspended]) {
      clearPort(this.#views, this.#plan, place);
      if (queue > 0) this.#givePlaces(place, 1);
    }
    clearPort(this.#views, this.#plan, number);
    return ok(undefined);
  }

  #takeOut(entry: PortEntry): void {
    this.#places[entry.place] = null;
    this.entries = this.entries.filter((other) => other !== entry);
    this.#queues[entry.number] = this.queuesOf(entry.number).filter((other) => other !== entry);
    this.#ringSpace.give(entry.extent);
  }

  // ---- a thread dies with the device of a queue ----

  /** The queue's device and its rings are gone. */
  suspend(entry: PortEntry): void {
    this.#takeOut(entry);
    clearQueue(this.#views, this.#plan, entry.place);
    this.#suspended.add(entry);
  }

  /** Gives the device, open again, rings at its old place. A port that is not complete again is removed. */
  resume(entry: PortEntry): Result<void> {
    if (!this.#suspended.has(entry)) return fail(`port ${entry.number} was removed meanwhile`);
    const { netdev, number, queue, place, worker, places, fillTarget } = entry;
    const options = { ringEntries: places.rx.mask + 1, fillTarget };
    const added = this.#addQueue({ netdev, number, queue, place, worker }, options);
    if (added.ok) this.#suspended.delete(entry);
    return added;
  }
}
