/** Writes every frame that a device delivers or sends to a capture. */
import type { Clock } from '../lib/clock.ts';
import type { CaptureWriter } from '../packet/pcap.ts';
import type { Netdev } from './netdev.ts';
import type { DeviceRings, FrameVisitor } from './rings.ts';
import { InterposedRings, NetdevWrapper } from './wrapper.ts';

export interface CaptureOptions {
  readonly writer: CaptureWriter;
  readonly clock: Clock;
  /** As the switch sees it; both when left out. */
  readonly direction?: 'rx' | 'tx' | 'both';
  /** The writer's interface that the frames belong to (pcapng); 0 when left out. */
  readonly interfaceIndex?: number;
}

class CapturedRings extends InterposedRings {
  readonly #options: CaptureOptions;

  constructor(inner: DeviceRings, options: CaptureOptions) {
    super(inner);
    this.#options = options;
  }

  override deliver(frame: Uint8Array): boolean {
    const isAccepted = this.inner.deliver(frame);
    if (isAccepted && this.#options.direction !== 'tx') this.#write(frame);
    return isAccepted;
  }

  override take(visit: FrameVisitor, limit?: number): number {
    if (this.#options.direction === 'rx') return this.inner.take(visit, limit);
    return this.inner.take((memory, start, size) => {
      this.#write(memory.subarray(start, start + size));
      visit(memory, start, size);
    }, limit);
  }

  #write(frame: Uint8Array): void {
    const { writer, clock, interfaceIndex = 0 } = this.#options;
    writer.writeAt(clock.now(), frame, frame.length, interfaceIndex);
  }
}

/** Frames that found no free chunk on their way in are not captured: the switch has not seen them. */
export class CaptureNetdev extends NetdevWrapper {
  readonly #options: CaptureOptions;

  constructor(inner: Netdev, options: CaptureOptions) {
    super(inner);
    this.#options = options;
  }

  protected interpose(rings: DeviceRings): DeviceRings {
    return new CapturedRings(rings, this.#options);
  }
}
