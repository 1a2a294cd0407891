/** The ports of all workers: numbers, rings and devices, and how they come and go. */
import type { DpPort } from '../flow/odp/action.ts';
import { BURST_MAX, PORTS_MAX } from '../gen/limits.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { Netdev } from '../netdev/netdev.ts';
import { DeviceRings } from '../netdev/rings.ts';
import type { MemoryPlan } from './memory.ts';
import { clearPort, type PortEntry, portAddress, type TunnelPortOptions, writePort, writeTunnelPort } from './ports.ts';
import { RemoteNetdev } from './remote-netdev.ts';
import { mappedRingsSize, placeMappedRings, placePortRings, portRingsSize, RingSpace } from './ring-space.ts';
import type { ThreadLink } from './threads.ts';
import type { Views } from './views.ts';
import type { WorkerHost } from './worker.ts';

export interface PortOptions {
  /** Entries of each of the four rings, a power of two from 8 to 65536; 256, or 1024 for mapped ones, when left out. */
  readonly ringEntries?: number;
  /** Chunks to keep on the fill ring, at the most ringEntries; 64 or ringEntries when left out, 256 for mapped rings. */
  readonly fillTarget?: number;
  readonly ifindex?: number;
  /** Index of the worker that is to have the port; the one with the fewest ports when left out. */
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

export class PortTable {
  readonly #views: Views;
  readonly #plan: MemoryPlan;
  readonly #owners: readonly PortOwner[];
  readonly #ringSpace: RingSpace;
  /** By port number. */
  readonly #ports: (PortEntry | null)[] = new Array<PortEntry | null>(PORTS_MAX).fill(null);
  readonly #tunnels = new Set<number>();
  /** Ports with a device, in order of number. Replaced whole when one comes or goes. */
  entries: readonly PortEntry[] = [];

  constructor(views: Views, plan: MemoryPlan, owners: readonly PortOwner[]) {
    this.#views = views;
    this.#plan = plan;
    this.#owners = owners;
    this.#ringSpace = new RingSpace(plan.ringSpace);
  }

  get ringSpaceFree(): number {
    return this.#ringSpace.freeSize;
  }

  get(number: DpPort): PortEntry | null {
    return this.#ports[number] ?? null;
  }

  has(number: DpPort): boolean {
    return this.#tunnels.has(number) || this.get(number) !== null;
  }

  /** Of ports with a device and of tunnel ports. */
  numbers(): DpPort[] {
    return [...this.entries.map((entry) => entry.number), ...this.#tunnels];
  }

  /** The worker that the next port belongs to when nobody says: the one with the fewest. */
  #leastWorker(): number {
    const counts = this.#owners.map((_, index) => this.entries.filter(({ worker }) => worker === index).length);
    return counts.indexOf(Math.min(...counts));
  }

  /** The index of the worker that a new port is to have, or why it cannot be. */
  workerFor({ worker = this.#leastWorker() }: Pick<PortOptions, 'worker'>): Result<number> {
    return worker in this.#owners ? ok(worker) : fail(`there is no worker ${worker}`);
  }

  add(number: DpPort, netdev: Netdev, options: PortOptions): Result<void> {
    // a device that a thread opened stays with that thread's worker
    const worker = this.workerFor(netdev instanceof RemoteNetdev ? { worker: netdev.worker } : options);
    if (!worker.ok) return worker;
    const offsets = netdev.ringOffsets;
    const { ringEntries = offsets ? MAPPED_ENTRIES : 256, ifindex = number } = options;
    const fillTarget = options.fillTarget ?? Math.min(offsets ? MAPPED_FILL : 64, ringEntries);
    const wrong = this.#wrongNumber(number) ?? this.#wrongRings(ringEntries, fillTarget, worker.value);
    if (wrong) return fail(wrong);
    const extent = this.#ringSpace.take(offsets ? mappedRingsSize(ringEntries, offsets) : portRingsSize(ringEntries));
    if (!extent) return fail(`no ring space left for port ${number}`);
    const frames = [this.#plan.frames.start, this.#plan.sizes.chunkSize] as const;
    const places = offsets
      ? placeMappedRings(extent.start, ringEntries, ...frames, offsets)
      : placePortRings(extent.start, ringEntries, ...frames);
    const state = { isUp: netdev.isUp, mtu: netdev.mtu };
    const entry = { number, netdev, worker: worker.value, extent, places, fillTarget, ...state };
    writePort(this.#views, this.#plan, entry, ifindex);
    const attached = this.#attach(entry);
    if (!attached.ok) {
      clearPort(this.#views, this.#plan, number);
      this.#ringSpace.give(extent);
      return attached;
    }
    this.#ports[number] = entry;
    this.entries = [...this.entries, entry].sort((a, b) => a.number - b.number);
    return ok(undefined);
  }

  /** Gives a device its rings, and tells the worker's thread of a device that stays on this side. */
  #attach({ number, netdev, worker, places }: PortEntry): Result<void> {
    if (netdev instanceof RemoteNetdev) netdev.bind(number, portAddress(this.#plan, number));
    const attached = netdev.attach(new DeviceRings(this.#views.memory, places));
    const { link } = this.#owners[worker]!;
    if (!attached.ok || !link || netdev instanceof RemoteNetdev) return attached;
    const served = link.ask({ kind: 'serve', number });
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

  remove(number: DpPort): Result<void, 'not_found'> {
    if (this.#tunnels.delete(number)) {
      clearPort(this.#views, this.#plan, number);
      return ok(undefined);
    }
    const entry = this.get(number);
    if (!entry) return fail('not_found');
    const { host, link } = this.#owners[entry.worker]!;
    entry.netdev.flush(host.now);
    entry.netdev.close();
    // a thread that does not answer has died: its chunks are found again when it is brought back
    if (link) link.ask({ kind: 'drain', number });
    else host.wasm.drainPort(host.w, number);
    this.forget(entry);
    return ok(undefined);
  }

  /** Takes a port off the table: its device is closed, and its rings are empty or are to be forgotten. */
  forget(entry: PortEntry): void {
    const { number } = entry;
    this.#ports[number] = null;
    this.entries = this.entries.filter((other) => other !== entry);
    clearPort(this.#views, this.#plan, number);
    this.#ringSpace.give(entry.extent);
  }
}
