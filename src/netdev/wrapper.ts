/**
 * What the wrappers have in common: a Netdev around a Netdev, and rings around the rings.
 *
 * A wrapper gives its inner device an InterposedRings in place of the real ones, so it sees every frame that the
 * device delivers or takes. That works for devices that move frames themselves; where a kernel moves the ring
 * indices (AF_XDP), nothing passes through here, and a wrapper sees nothing.
 *
 * Not supported: devices of several queues, which are refused: wrap each queue.
 */
import type { Micros } from '../lib/clock.ts';
import { fail, type Result } from '../lib/result.ts';
import type { Netdev, NetdevStats } from './netdev.ts';
import { DeviceRings, type FrameVisitor, type PortRingOffsets } from './rings.ts';

/** The face of DeviceRings, with the frames handed on to other rings. */
export class InterposedRings extends DeviceRings {
  protected readonly inner: DeviceRings;

  constructor(inner: DeviceRings) {
    super(inner.memory, inner.places);
    this.inner = inner;
  }

  override get rxDropped(): number {
    return this.inner.rxDropped;
  }

  override get rxOversize(): number {
    return this.inner.rxOversize;
  }

  override canDeliver(): boolean {
    return this.inner.canDeliver();
  }

  override deliver(frame: Uint8Array): boolean {
    return this.inner.deliver(frame);
  }

  override take(visit: FrameVisitor, limit?: number): number {
    return this.inner.take(visit, limit);
  }
}

export abstract class NetdevWrapper implements Netdev {
  protected readonly inner: Netdev;

  constructor(inner: Netdev) {
    this.inner = inner;
  }

  /** The rings that the inner device is to see. */
  protected abstract interpose(rings: DeviceRings): DeviceRings;

  get name(): string {
    return this.inner.name;
  }

  get type(): string {
    return this.inner.type;
  }

  get mac(): Uint8Array {
    return this.inner.mac;
  }

  get mtu(): number {
    return this.inner.mtu;
  }

  get isUp(): boolean {
    return this.inner.isUp;
  }

  get ringOffsets(): PortRingOffsets | undefined {
    return this.inner.ringOffsets;
  }

  attach(rings: DeviceRings): Result<void> {
    const { name, queues } = this.inner;
    if (queues && queues.length > 0) return fail(`${name} has ${queues.length + 1} queues, and a wrapper sees one`);
    return this.inner.attach(this.interpose(rings));
  }

  poll(now: Micros): number {
    return this.inner.poll(now);
  }

  flush(now: Micros): number {
    return this.inner.flush(now);
  }

  stats(): NetdevStats {
    return this.inner.stats();
  }

  close(): void {
    this.inner.close();
  }
}
