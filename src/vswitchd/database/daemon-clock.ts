/** The daemon's clock: the machine's, until `time/stop`; after that it stands still, and goes on by warps only. */
import type { Micros } from '../../lib/clock.ts';

export class DaemonClock {
  #stopped: Micros | null = null;
  #offset: Micros = 0;

  get isStopped(): boolean {
    return this.#stopped !== null;
  }

  now(): Micros {
    return this.#stopped ?? Math.floor(performance.now() * 1000) + this.#offset;
  }

  stop(): void {
    this.#stopped ??= this.now();
  }

  /** Goes on by so much; stands still between two warps when it is stopped. */
  advance(by: Micros): void {
    if (this.#stopped === null) this.#offset += by;
    else this.#stopped += by;
  }
}
