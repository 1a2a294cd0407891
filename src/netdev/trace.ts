/** Tells a listener of every frame that a device delivers or sends. */
import type { Netdev } from './netdev.ts';
import type { DeviceRings, FrameVisitor } from './rings.ts';
import { InterposedRings, NetdevWrapper } from './wrapper.ts';

interface TraceEvent {
  readonly device: string;
  /** As the switch sees it: rx came in, tx went out. */
  readonly direction: 'rx' | 'tx';
  /** Valid during the call only. */
  readonly frame: Uint8Array;
  /** False when a frame that came in found no chunk or no room. */
  readonly isAccepted: boolean;
}

export type TraceListener = (event: TraceEvent) => void;

class TracedRings extends InterposedRings {
  readonly #device: string;
  readonly #listener: TraceListener;

  constructor(inner: DeviceRings, device: string, listener: TraceListener) {
    super(inner);
    this.#device = device;
    this.#listener = listener;
  }

  override deliver(frame: Uint8Array): boolean {
    const isAccepted = this.inner.deliver(frame);
    this.#listener({ device: this.#device, direction: 'rx', frame, isAccepted });
    return isAccepted;
  }

  override take(visit: FrameVisitor, limit?: number): number {
    return this.inner.take((memory, start, size) => {
      const frame = memory.subarray(start, start + size);
      this.#listener({ device: this.#device, direction: 'tx', frame, isAccepted: true });
      visit(memory, start, size);
    }, limit);
  }
}

export class TraceNetdev extends NetdevWrapper {
  readonly #listener: TraceListener;

  constructor(inner: Netdev, listener: TraceListener) {
    super(inner);
    this.#listener = listener;
  }

  protected interpose(rings: DeviceRings): DeviceRings {
    return new TracedRings(rings, this.name, this.#listener);
  }
}
