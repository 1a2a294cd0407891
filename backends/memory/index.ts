/**
 * A device whose other end is this process: tests, simulation and examples send frames in and get frames out.
 *
 * Terms. *send* is what the wire does: a frame arrives at the switch. What the switch sends goes to a visitor or, when
 * there is none, into a queue that `takeSent` empties. A *cable* joins two devices back to back.
 *
 * Invariants. Each frame that is not accepted is counted. The queue is bounded. Frames cross by copy: nobody holds a
 * view of the other side's memory after a call.
 *
 * Not supported: checksum or segmentation offload. Sharing flows out among queues: who sends says by which.
 */
import type { Micros } from '../../src/lib/clock.ts';
import { fail, ok, type Result } from '../../src/lib/result.ts';
import type { Netdev, NetdevStats } from '../../src/netdev/netdev.ts';
import type { DeviceRings, FrameVisitor } from '../../src/netdev/rings.ts';

export interface MemoryNetdevOptions {
  /** Six bytes; locally administered zeros when left out. */
  readonly mac?: Uint8Array;
  /** Bytes behind the Ethernet header; 1500 when left out. */
  readonly mtu?: number;
  /** `dummy` when left out. */
  readonly type?: string;
  /** Sees the frames that the switch sends; they are queued when left out. */
  readonly onFrame?: FrameVisitor;
  /** Frames that the queue holds at the most; 4096 when left out. */
  readonly queueMax?: number;
  /** How many: this object is the first, `queues` has the others. 1 when left out. */
  readonly queues?: number;
  /** Only this one of them. */
  readonly only?: number;
}

export class MemoryNetdev implements Netdev {
  readonly name: string;
  readonly type: string;
  readonly mac: Uint8Array;
  mtu: number;
  /** The further queues. */
  readonly queues: readonly MemoryNetdev[];
  #isUp = true;
  #rings: DeviceRings | null = null;
  #onFrame: FrameVisitor | null;
  readonly #queueMax: number;
  #sent: Uint8Array[] = [];
  #rxErrors = 0;
  #rxDropped = 0;
  #txDropped = 0;

  constructor(name: string, options: MemoryNetdevOptions = {}) {
    this.name = name;
    this.type = options.type ?? 'dummy';
    this.mac = options.mac ?? Uint8Array.of(2, 0, 0, 0, 0, 0);
    this.mtu = options.mtu ?? 1500;
    this.#onFrame = options.onFrame ?? null;
    this.#queueMax = options.queueMax ?? 4096;
    const { queues = 1, only, ...rest } = options;
    this.queues = only === undefined ? Array.from({ length: queues - 1 }, () => new MemoryNetdev(name, rest)) : [];
  }

  /** Carrier. While it is down, frames of both directions are dropped and counted. */
  get isUp(): boolean {
    return this.#isUp;
  }

  set isUp(up: boolean) {
    this.#isUp = up;
    for (const queue of this.queues) queue.isUp = up;
  }

  /** Who sees the frames that the switch sends; null queues them. */
  set onFrame(visitor: FrameVisitor | null) {
    this.#onFrame = visitor;
  }

  get isAttached(): boolean {
    return this.#rings !== null;
  }

  attach(rings: DeviceRings): Result<void> {
    if (this.#rings) return fail(`${this.name} is attached already`);
    this.#rings = rings;
    return ok(undefined);
  }

  /** A frame arrives at the switch. False when it was dropped: not attached, carrier down, too long, no free chunk. */
  send(frame: Uint8Array): boolean {
    if (!this.#rings || !this.#isUp) {
      this.#rxDropped++;
      return false;
    }
    // one VLAN tag is let through beyond the MTU, as network cards do; and a second one, for provider bridges
    if (frame.length > this.mtu + 14 + 8) {
      this.#rxErrors++;
      return false;
    }
    return this.#rings.deliver(frame);
  }

  /** Whether a send() now would find a free chunk. */
  canSend(): boolean {
    return this.#rings !== null && this.#isUp && this.#rings.canDeliver();
  }

  /** Frames are on the ring as soon as they are sent: there is nothing to move. */
  poll(_now: Micros): number {
    return 0;
  }

  flush(_now: Micros): number {
    return this.#rings ? this.#rings.take(this.#transmit) : 0;
  }

  readonly #transmit: FrameVisitor = (memory, start, size) => {
    if (!this.#isUp) this.#txDropped++;
    else if (this.#onFrame) this.#onFrame(memory, start, size);
    else if (this.#sent.length >= this.#queueMax) this.#txDropped++;
    else this.#sent.push(memory.slice(start, start + size));
  };

  /** Frames that the switch has sent since the last call, oldest first. */
  takeSent(): Uint8Array[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  stats(): NetdevStats {
    const rings = this.#rings;
    return {
      rxDropped: this.#rxDropped + (rings?.rxDropped ?? 0),
      rxErrors: this.#rxErrors + (rings?.rxOversize ?? 0),
      txDropped: this.#txDropped,
      txErrors: 0,
    };
  }

  /** Gives the rings back; the device can be attached again. */
  close(): void {
    for (const queue of this.queues) queue.close();
    this.#rings = null;
  }
}

/** Joins two devices back to back: what one switch sends arrives at the other. They may belong to one switch. */
function cable(a: MemoryNetdev, b: MemoryNetdev): void {
  a.onFrame = (memory, start, size) => void b.send(memory.subarray(start, start + size));
  b.onFrame = (memory, start, size) => void a.send(memory.subarray(start, start + size));
}

/** Two new devices, joined. */
export function memoryPair(
  nameA: string,
  nameB: string,
  options: MemoryNetdevOptions = {},
): [MemoryNetdev, MemoryNetdev] {
  const pair: [MemoryNetdev, MemoryNetdev] = [new MemoryNetdev(nameA, options), new MemoryNetdev(nameB, options)];
  cable(...pair);
  return pair;
}
