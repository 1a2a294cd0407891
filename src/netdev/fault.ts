/**
 * Harms traffic on purpose: frames are lost, doubled, or get one bit flipped, with given probabilities and a seeded
 * generator, so that the same seed does the same harm.
 */
import type { Random } from '../lib/random.ts';
import type { Netdev } from './netdev.ts';
import type { DeviceRings, FrameVisitor } from './rings.ts';
import { InterposedRings, NetdevWrapper } from './wrapper.ts';

/** Probabilities from 0 to 1; what is left out is 0. */
interface FaultRates {
  readonly loss?: number;
  readonly duplication?: number;
  readonly corruption?: number;
}

export interface FaultOptions {
  readonly random: Random;
  /** Harm to frames that come in. */
  readonly rx?: FaultRates;
  /** Harm to frames that go out. */
  readonly tx?: FaultRates;
}

export interface FaultCounts {
  lost: number;
  duplicated: number;
  corrupted: number;
}

type Send = (memory: Uint8Array, start: number, size: number) => void;

/** One direction of a device: decides about one frame and hands on what is left of it. */
class Harm {
  readonly counts: FaultCounts = { lost: 0, duplicated: 0, corrupted: 0 };
  readonly #random: Random;
  readonly #rates: FaultRates;

  constructor(random: Random, rates: FaultRates = {}) {
    this.#random = random;
    this.#rates = rates;
  }

  apply(memory: Uint8Array, start: number, size: number, send: Send): void {
    const { loss = 0, duplication = 0, corruption = 0 } = this.#rates;
    if (this.#happens(loss)) {
      this.counts.lost++;
      return;
    }
    const copies = this.#happens(duplication) ? 2 : 1;
    if (copies === 2) this.counts.duplicated++;
    for (let i = 0; i < copies; i++) {
      if (size > 0 && this.#happens(corruption)) this.#sendCorrupted(memory, start, size, send);
      else send(memory, start, size);
    }
  }

  // a rate of 0 draws no number, so that turning one fault off leaves the others as they were
  #happens(probability: number): boolean {
    return probability > 0 && this.#random.chance(probability);
  }

  #sendCorrupted(memory: Uint8Array, start: number, size: number, send: Send): void {
    const copy = memory.slice(start, start + size);
    const bit = this.#random.below(size * 8);
    copy[bit >>> 3]! ^= 1 << (bit & 7);
    this.counts.corrupted++;
    send(copy, 0, size);
  }
}

class FaultyRings extends InterposedRings {
  readonly #rx: Harm;
  readonly #tx: Harm;

  constructor(inner: DeviceRings, rx: Harm, tx: Harm) {
    super(inner);
    this.#rx = rx;
    this.#tx = tx;
  }

  /** True as well for a frame that was lost here: the device has got rid of it. */
  override deliver(frame: Uint8Array): boolean {
    let isAccepted = true;
    this.#rx.apply(frame, 0, frame.length, (memory, start, size) => {
      isAccepted = this.inner.deliver(memory.subarray(start, start + size));
    });
    return isAccepted;
  }

  override take(visit: FrameVisitor, limit?: number): number {
    return this.inner.take((memory, start, size) => this.#tx.apply(memory, start, size, visit), limit);
  }
}

export class FaultNetdev extends NetdevWrapper {
  readonly #rx: Harm;
  readonly #tx: Harm;

  constructor(inner: Netdev, options: FaultOptions) {
    super(inner);
    this.#rx = new Harm(options.random, options.rx);
    this.#tx = new Harm(options.random, options.tx);
  }

  /** What was done so far, by direction. */
  get faults(): { readonly rx: Readonly<FaultCounts>; readonly tx: Readonly<FaultCounts> } {
    return { rx: this.#rx.counts, tx: this.#tx.counts };
  }

  protected interpose(rings: DeviceRings): DeviceRings {
    return new FaultyRings(rings, this.#rx, this.#tx);
  }
}
