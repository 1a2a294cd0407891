/** The virtual clock and what is to happen on it: a binary heap of events, first come first served among equals. */
import type { Clock, Micros } from '../lib/clock.ts';

/** Events that may wait at once; more is a runaway simulation. */
const EVENTS_MAX = 10_000_000;

export class Timer {
  readonly time: Micros;
  readonly sequence: number;
  /** null once it has run or was cancelled. */
  run: (() => void) | null;

  constructor(time: Micros, sequence: number, run: () => void) {
    this.time = time;
    this.sequence = sequence;
    this.run = run;
  }

  /** Does nothing when it has run already. */
  cancel(): void {
    this.run = null;
  }

  get isPending(): boolean {
    return this.run !== null;
  }
}

const isBefore = (a: Timer, b: Timer): boolean => a.time < b.time || (a.time === b.time && a.sequence < b.sequence);

export class Scheduler implements Clock {
  #now: Micros = 0;
  #sequence = 0;
  readonly #heap: Timer[] = [];
  /** Events run so far. */
  steps = 0;

  now(): Micros {
    return this.#now;
  }

  /** @throws when asked for a time that has gone by, or when EVENTS_MAX wait */
  at(time: Micros, run: () => void): Timer {
    if (!(time >= this.#now)) throw new Error(`event at ${time}, but it is ${this.#now} already`);
    if (this.#heap.length >= EVENTS_MAX) throw new Error(`${EVENTS_MAX} events wait: a loop in the network?`);
    const timer = new Timer(time, this.#sequence++, run);
    this.#heap.push(timer);
    this.#siftUp(this.#heap.length - 1);
    return timer;
  }

  after(delay: Micros, run: () => void): Timer {
    return this.at(this.#now + delay, run);
  }

  /** Time of the next event; null when none waits. */
  nextTime(): Micros | null {
    while (this.#heap.length > 0 && this.#heap[0]!.run === null) this.#pop();
    return this.#heap[0]?.time ?? null;
  }

  /** Runs the next event unless it lies behind `until`; false when there was none to run. */
  step(until: Micros): boolean {
    const time = this.nextTime();
    if (time === null || time > until) return false;
    const timer = this.#pop();
    const run = timer.run!;
    timer.run = null;
    this.#now = time;
    this.steps++;
    run();
    return true;
  }

  /** Runs everything up to and including `until`, and leaves the clock there. */
  run(until: Micros): void {
    while (this.step(until));
    if (until > this.#now) this.#now = until;
  }

  #pop(): Timer {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.#siftDown(0);
    }
    return top;
  }

  #siftUp(from: number): void {
    const heap = this.#heap;
    const timer = heap[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #siftDown(from: number): void {
    const heap = this.#heap;
    const timer = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, timer)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = timer;
  }
}
