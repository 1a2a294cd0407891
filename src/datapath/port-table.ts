/** The ports of one worker: numbers, rings and devices, and how they come and go. */
import type { DpPort } from '../flow/odp/action.ts';
import { BURST_MAX, PORTS_MAX } from '../gen/limits.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { Netdev } from '../netdev/netdev.ts';
import { DeviceRings } from '../netdev/rings.ts';
import type { MemoryPlan } from './memory.ts';
import { clearPort, type PortEntry, type TunnelPortOptions, writePort, writeTunnelPort } from './ports.ts';
import { mappedRingsSize, placeMappedRings, placePortRings, portRingsSize, RingSpace } from './ring-space.ts';
import type { Views } from './views.ts';
import type { WorkerHost } from './worker.ts';

export interface PortOptions {
  /** Entries of each of the four rings, a power of two from 8 to 65536; 256 when left out. */
  readonly ringEntries?: number;
  /** Chunks to keep on the fill ring, at the most ringEntries; 64 or ringEntries when left out. */
  readonly fillTarget?: number;
  readonly ifindex?: number;
}

export class PortTable {
  readonly #views: Views;
  readonly #plan: MemoryPlan;
  readonly #worker: WorkerHost;
  readonly #ringSpace: RingSpace;
  /** By port number. */
  readonly #ports: (PortEntry | null)[] = new Array<PortEntry | null>(PORTS_MAX).fill(null);
  readonly #tunnels = new Set<number>();
  /** Ports with a device, in order of number. Replaced whole when one comes or goes. */
  entries: readonly PortEntry[] = [];

  constructor(views: Views, plan: MemoryPlan, worker: WorkerHost) {
    this.#views = views;
    this.#plan = plan;
    this.#worker = worker;
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

  add(number: DpPort, netdev: Netdev, options: PortOptions): Result<void> {
    const { ringEntries = 256, ifindex = number } = options;
    const fillTarget = options.fillTarget ?? Math.min(64, ringEntries);
    const wrong = this.#wrongNumber(number) ?? this.#wrongRings(ringEntries, fillTarget);
    if (wrong) return fail(wrong);
    const offsets = netdev.ringOffsets;
    const extent = this.#ringSpace.take(offsets ? mappedRingsSize(ringEntries, offsets) : portRingsSize(ringEntries));
    if (!extent) return fail(`no ring space left for port ${number}`);
    const frames = [this.#plan.frames.start, this.#plan.sizes.chunkSize] as const;
    const places = offsets
      ? placeMappedRings(extent.start, ringEntries, ...frames, offsets)
      : placePortRings(extent.start, ringEntries, ...frames);
    const entry = { number, netdev, extent, places, fillTarget, isUp: netdev.isUp, mtu: netdev.mtu };
    writePort(this.#views, this.#plan, entry, this.#worker.plan.index, ifindex);
    const attached = netdev.attach(new DeviceRings(this.#views.memory, places));
    if (!attached.ok) {
      clearPort(this.#views, this.#plan, number);
      this.#ringSpace.give(extent);
      return attached;
    }
    this.#ports[number] = entry;
    this.entries = [...this.entries, entry].sort((a, b) => a.number - b.number);
    return ok(undefined);
  }

  #wrongNumber(number: number): string | null {
    if (!Number.isInteger(number) || number < 0 || number >= PORTS_MAX)
      return `port ${number} is not below ${PORTS_MAX}`;
    return this.has(number) ? `port ${number} is there already` : null;
  }

  #wrongRings(ringEntries: number, fillTarget: number): string | null {
    if (ringEntries < 8 || ringEntries > 65536 || Math.log2(ringEntries) % 1 !== 0)
      return `ringEntries must be a power of two from 8 to 65536, not ${ringEntries}`;
    if (!Number.isInteger(fillTarget) || fillTarget < 1 || fillTarget > ringEntries)
      return `fillTarget must be from 1 to ${ringEntries}, not ${fillTarget}`;
    const filled = this.entries.reduce((sum, entry) => sum + entry.fillTarget, fillTarget);
    if (filled > this.#plan.sizes.framesCount - BURST_MAX)
      return `the fill rings would hold ${filled} of ${this.#plan.sizes.framesCount} chunks`;
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
    entry.netdev.flush(this.#worker.now);
    entry.netdev.close();
    this.#worker.wasm.drainPort(this.#worker.w, number);
    this.#ports[number] = null;
    this.entries = this.entries.filter((other) => other !== entry);
    clearPort(this.#views, this.#plan, number);
    this.#ringSpace.give(entry.extent);
    return ok(undefined);
  }
}
