/**
 * Time is an argument. One unit everywhere inside the switch: microseconds as a number, from an arbitrary start.
 * Only vswitchd and main read a real clock; everything else is handed one, or is handed the time.
 */
export type Micros = number;

export const MILLISECOND: Micros = 1000;
export const SECOND: Micros = 1_000_000;

export interface Clock {
  now(): Micros;
}

/** A clock that stands until it is moved. */
export class ManualClock implements Clock {
  #now: Micros;

  constructor(start: Micros = 0) {
    this.#now = start;
  }

  now(): Micros {
    return this.#now;
  }

  advance(by: Micros): void {
    this.#now += by;
  }

  /** @throws when asked to go back */
  set(to: Micros): void {
    if (to < this.#now) throw new Error(`clock cannot go back from ${this.#now} to ${to}`);
    this.#now = to;
  }
}
