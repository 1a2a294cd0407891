/**
 * Bells: how threads that share a datapath's memory wake each other. Each worker's thread has one, and so has the control
 * side, behind them (the Thread structs of src/spec/layout.ts).
 *
 * Who sleeps notes what the bell says, says that it sleeps, looks once more whether there is work, and waits until the
 * bell says something else. Who has work for it changes the bell first and looks then whether it sleeps: no call is lost.
 */
import { readSync, writeSync } from 'node:fs';
import * as L from '../gen/layout.ts';
import type { MemoryPlan } from './memory.ts';
import type { Views } from './views.ts';

/** What is written to an event counter, and read from it. */
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

const COUNT = new Uint32Array(2);

export class Bell {
  readonly #words: Int32Array;
  readonly #bell: number;
  readonly #sleeping: number;
  readonly #fd: number;
  /** What it would say had it been rung as often as was heard; null when nobody listens. */
  #heard: number | null = null;
  #missed: number | null = null;

  /** @param index of the worker; the number of workers for the control side */
  constructor(views: Views, plan: MemoryPlan, index: number) {
    const at = plan.threads.start + index * L.THREAD_SIZEOF;
    this.#words = views.i32;
    this.#bell = (at + L.THREAD_BELL) >>> 2;
    this.#sleeping = (at + L.THREAD_SLEEPING) >>> 2;
    this.#fd = (at + L.THREAD_BELL_FD) >>> 2;
  }

  /** Says that there is something new; costs a system call only while the other sleeps. */
  ring(): void {
    const words = this.#words;
    Atomics.add(words, this.#bell, 1);
    if (Atomics.load(words, this.#sleeping) === 0) return;
    Atomics.notify(words, this.#bell);
    const fd = Atomics.load(words, this.#fd);
    if (fd === 0) return;
    try {
      writeSync(fd - 1, ONE);
    } catch {
      // full: it has been rung already; closed: its thread has gone, and is noticed elsewhere
    }
  }

  /** The first step of going to sleep: what the bell says now. */
  prepare(): number {
    const seen = Atomics.load(this.#words, this.#bell);
    Atomics.store(this.#words, this.#sleeping, 1);
    return seen;
  }

  /** Blocks until the bell says something else, or the time is over. */
  wait(seen: number, timeoutMs: number): void {
    Atomics.wait(this.#words, this.#bell, seen, timeoutMs);
  }

  /** The same without blocking. False when there was nothing to wait for. */
  async waitAsync(seen: number, timeoutMs: number): Promise<boolean> {
    const waiting = Atomics.waitAsync(this.#words, this.#bell, seen, timeoutMs);
    if (waiting.async) await waiting.value;
    return waiting.async;
  }

  /** The last step: awake. */
  wake(): void {
    if (this.#heard === null) Atomics.store(this.#words, this.#sleeping, 0);
  }

  /** A descriptor that wakes the sleeper out of poll(2) when it is written to; null for none. */
  setDescriptor(fd: number | null): void {
    Atomics.store(this.#words, this.#fd, fd === null ? 0 : fd + 1);
  }

  /** For a sleeper that others wait for, by the descriptor: each call rings it; silence() makes it quiet. */
  listen(fd: number): void {
    this.setDescriptor(fd);
    this.#heard = this.prepare();
  }

  /** Empties the descriptor of listen(), when it was rung since. */
  silence(): void {
    const now = Atomics.load(this.#words, this.#bell);
    if (this.#heard === null || now === this.#heard) return;
    try {
      readSync(Atomics.load(this.#words, this.#fd) - 1, COUNT);
      this.#heard = (this.#heard + COUNT[0]!) | 0;
    } catch {
      // nothing to hear yet: the bell changes a moment before the descriptor; or not at all, from before listen()
      if (now === this.#missed) this.#heard = now;
      this.#missed = now;
    }
  }
}
