/**
 * The control side's end of workers that run in threads of their own.
 *
 * What. A ThreadLink is one thread: it is started, rung, asked, paused and stopped here. How a thread is made is the
 * caller's (src/vswitchd/worker-threads.ts); what runs in it is thread-loop.ts.
 *
 * Terms. *ask*: post a message and wait for its answer: ports come and go so, nothing else does. *pause*: the thread stands
 * still between two turns, and its worker may be called from here.
 *
 * Invariants. Waits are bounded: a thread that does not answer in time is treated as dead, and its exit brings it back.
 */
import * as L from '../gen/layout.ts';
import { fail, type Result } from '../lib/result.ts';
import type { PortRingOffsets, PortRingPlaces } from '../netdev/rings.ts';
import { Bell } from './bell.ts';
import type { MemoryPlan, MemorySizes } from './memory.ts';
import type { Views } from './views.ts';
import type { RemoteWorker } from './worker.ts';

/** What a thread is started with: plain data, but for memory and module, which threads share. */
export interface ThreadStart {
  readonly index: number;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly sizes: MemorySizes;
}

export interface ThreadEvents {
  /** The thread is about to begin its turns. Called from the event loop. */
  onReady(): void;
  /** The thread is gone, and why. Called from the event loop, once. */
  onExit(reason: string): void;
}

/** A thread as its maker gives it. */
export interface WorkerThread {
  post(message: ThreadMessage): void;
  /** An answer that is there already, or undefined. */
  receive(): Result<unknown> | undefined;
  /** Ends it, whatever it is doing. */
  terminate(): void;
}

export interface ThreadStarter {
  start(data: ThreadStart, events: ThreadEvents): WorkerThread;
}

export type ThreadMessage =
  /** Opens a device: `device` is the caller's description of it. Answer: OpenedDevice. */
  | { readonly kind: 'open'; readonly device: unknown }
  /** Gives it rings, and serves the queue at this place of the port table from now on. Answer: AttachedDevice. */
  | { readonly kind: 'attach'; readonly place: number; readonly token: number; readonly places: PortRingPlaces }
  /** What the device says of itself. Answer: NetdevStatus. */
  | { readonly kind: 'status'; readonly token: number }
  /** Serves a queue whose device is on the control side. */
  | { readonly kind: 'serve'; readonly place: number }
  /** Sends what is on the tx ring and closes the device. */
  | { readonly kind: 'close'; readonly token: number }
  /** Takes the queue's chunks and does not serve it any more. */
  | { readonly kind: 'drain'; readonly place: number }
  /** For tests: dies. */
  | { readonly kind: 'fail'; readonly how: 'throw' | 'trap' };

export interface OpenedDevice {
  /** How the thread knows it again. */
  readonly token: number;
  readonly name: string;
  readonly type: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly isUp: boolean;
  readonly ringOffsets: PortRingOffsets | null;
}

export interface AttachedDevice {
  readonly keepsOrder: boolean;
}

/** Milliseconds that a thread may take to start, to answer (it may open a device meanwhile), and to stand still. */
const START_MAX = 10_000;
const ANSWER_MAX = 5_000;
const PAUSE_MAX = 1_000;

export class ThreadLink implements RemoteWorker {
  readonly #views: Views;
  readonly #at: number;
  readonly #bell: Bell;
  readonly #starter: ThreadStarter;
  readonly #data: ThreadStart;
  #thread: WorkerThread | null = null;

  constructor(views: Views, plan: MemoryPlan, starter: ThreadStarter, data: ThreadStart) {
    this.#views = views;
    this.#at = plan.threads.start + data.index * L.THREAD_SIZEOF;
    this.#bell = new Bell(views, plan, data.index);
    this.#starter = starter;
    this.#data = data;
  }

  #load(field: number): number {
    return Atomics.load(this.#views.i32, (this.#at + field) >>> 2);
  }

  #store(field: number, value: number): void {
    Atomics.store(this.#views.i32, (this.#at + field) >>> 2, value);
    Atomics.notify(this.#views.i32, (this.#at + field) >>> 2);
  }

  /** Waits until a word is no longer `value`; false when the time was over first. */
  #waitWhile(field: number, value: number, timeoutMs: number): boolean {
    Atomics.wait(this.#views.i32, (this.#at + field) >>> 2, value, timeoutMs);
    return this.#load(field) !== value;
  }

  /** Begins a thread; it serves no port yet. */
  start(events: ThreadEvents): void {
    this.#store(L.THREAD_STATE, L.THREAD_STATE_NONE);
    this.#store(L.THREAD_ORDER, L.THREAD_ORDER_RUN);
    this.#store(L.THREAD_SLEEPING, 0);
    this.#store(L.THREAD_BELL_FD, 0);
    this.#store(L.THREAD_MAIL, 0);
    this.#store(L.THREAD_READ, 0);
    this.#thread = this.#starter.start(this.#data, {
      onReady: () => events.onReady(),
      onExit: (reason) => {
        this.#thread = null;
        events.onExit(reason);
      },
    });
  }

  /** Waits until the thread has begun its turns. */
  awaitStart(): boolean {
    return this.#waitWhile(L.THREAD_STATE, L.THREAD_STATE_NONE, START_MAX);
  }

  get isAlive(): boolean {
    const state = this.#load(L.THREAD_STATE);
    return this.#thread !== null && (state === L.THREAD_STATE_RUNNING || state === L.THREAD_STATE_PAUSED);
  }

  /** How often the thread went to sleep. */
  get sleeps(): number {
    return this.#load(L.THREAD_SLEEPS);
  }

  ring(): void {
    this.#bell.ring();
  }

  ask(message: ThreadMessage): Result<unknown> {
    if (!this.isAlive || !this.#thread) return fail(`worker ${this.#data.index} is down`);
    const before = this.#load(L.THREAD_MAIL);
    this.#thread.post(message);
    this.#store(L.THREAD_MAIL, before + 1);
    this.ring();
    this.#waitWhile(L.THREAD_READ, before, ANSWER_MAX);
    return this.#thread?.receive() ?? fail(`worker ${this.#data.index} does not answer`);
  }

  /** True when the thread stands still: it is paused, or gone. */
  pause(): boolean {
    if (this.#thread && !this.awaitStart()) return false;
    if (!this.isAlive) return true;
    this.#store(L.THREAD_ORDER, L.THREAD_ORDER_PAUSE);
    this.ring();
    return this.#waitWhile(L.THREAD_STATE, L.THREAD_STATE_RUNNING, PAUSE_MAX);
  }

  resume(): void {
    this.#store(L.THREAD_ORDER, L.THREAD_ORDER_RUN);
  }

  /** Lets the thread end its turn and go; one that does not is ended. */
  stop(): void {
    if (!this.#thread) return;
    this.#store(L.THREAD_ORDER, L.THREAD_ORDER_STOP);
    this.ring();
    const states = [L.THREAD_STATE_RUNNING, L.THREAD_STATE_PAUSED];
    for (const state of states) this.#waitWhile(L.THREAD_STATE, state, PAUSE_MAX);
    this.#thread.terminate();
  }

  /** Ends the thread at once, in the middle of whatever it does: for tests of what comes then. */
  kill(): void {
    this.#thread?.terminate();
  }
}
