/**
 * Workers in threads, all of them together: started, paused, brought back when one dies.
 *
 * A worker that dies is noticed by its thread's exit. The others pause while its chunks are found (recovery.ts), a few
 * milliseconds; then they go on, and a new thread is started. When that has begun its turns, the ports whose devices were
 * opened in the dead thread are opened again, from the same descriptions, and the others are served again: their devices
 * kept their rings. One that dies RESTARTS_MAX times without half a minute of work between is given up: its ports stay
 * as they are, and what is handed to it is counted as hand_over_full.
 */
import * as L from '../gen/layout.ts';
import { MILLISECOND } from '../lib/clock.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import { Bell } from './bell.ts';
import type { Executor } from './execute.ts';
import type { FlowTable } from './flows.ts';
import type { MemoryPlan } from './memory.ts';
import type { PortTable } from './port-table.ts';
import type { PortEntry } from './ports.ts';
import { recoverWorker } from './recovery.ts';
import { RemoteNetdev } from './remote-netdev.ts';
import { keepOrder, settleStrays } from './strays.ts';
import { ThreadLink, type ThreadStarter } from './threads.ts';
import type { UpcallQueue } from './upcalls.ts';
import type { Views } from './views.ts';
import type { WorkerHost, WorkerOptions } from './worker.ts';

/** One worker and its tables, from the host's end. */
export interface WorkerUnit {
  readonly host: WorkerHost;
  readonly flows: FlowTable;
  readonly upcalls: UpcallQueue;
  readonly executor: Executor;
}

export interface WorkerLoss {
  readonly worker: number;
  readonly reason: string;
  /** Frames that it had in hand: they are counted as worker_lost. */
  readonly frames: number;
  /** False when it was given up. */
  readonly isBack: boolean;
  /** Ports whose devices could not be opened again, and why: they are removed. */
  readonly lostPorts: readonly { readonly number: number; readonly reason: string }[];
}

interface TeamParts {
  readonly views: Views;
  readonly plan: MemoryPlan;
  readonly module: WebAssembly.Module;
  readonly units: readonly WorkerUnit[];
  readonly options: WorkerOptions;
}

const RESTARTS_MAX = 5;
/** So much time at work, and earlier deaths are forgotten. */
const STEADY = 30_000 * MILLISECOND;

interface Life {
  deaths: number;
  /** The thread's clock when it was started. */
  since: number;
}

export class ThreadTeam {
  readonly links: readonly ThreadLink[];
  readonly #parts: TeamParts;
  readonly #bell: Bell;
  readonly #ports: () => PortTable;
  readonly #onLoss: ((loss: WorkerLoss) => void) | null;
  readonly #lives: Life[];
  #isStopped = false;

  constructor(
    parts: TeamParts,
    starter: ThreadStarter,
    onLoss: ((loss: WorkerLoss) => void) | null,
    ports: () => PortTable,
  ) {
    const { views, plan, module, units } = parts;
    this.#parts = parts;
    this.#ports = ports;
    this.#onLoss = onLoss;
    this.#bell = new Bell(views, plan, units.length);
    this.#lives = units.map(() => ({ deaths: 0, since: 0 }));
    const data = { memory: views.memory, module, sizes: plan.sizes };
    this.links = units.map((_, index) => new ThreadLink(views, plan, starter, { ...data, index }));
    units.forEach(({ host }, index) => {
      const link = this.links[index]!;
      host.remote = link;
      link.start({ onReady: () => {}, onExit: (reason) => this.#lost(index, reason) });
    });
  }

  /** Waits until every thread is at work. */
  awaitStart(): Result<void> {
    const late = this.links.findIndex((link) => !link.awaitStart());
    if (late < 0) return ok(undefined);
    this.stop();
    return fail(`worker ${late} did not start`);
  }

  stop(): void {
    this.#isStopped = true;
    for (const link of this.links) link.stop();
  }

  /** Lets every thread stand still. @throws when one does not */
  pause(): void {
    const stuck = this.links.map((link) => link.pause()).indexOf(false);
    if (stuck < 0) return;
    this.resume();
    throw new Error(`worker ${stuck} does not pause`);
  }

  resume(): void {
    for (const link of this.links) link.resume();
  }

  /** Does something while every thread stands still. @throws when one does not */
  atRest<T>(work: () => T): T {
    this.pause();
    try {
      return work();
    } finally {
      this.resume();
    }
  }

  /** Resolves when a thread rings, or after a while; in the next turn of the event loop when there is work. */
  async whenNeeded(timeoutMs: number, hasWork: () => boolean): Promise<void> {
    const seen = this.#bell.prepare();
    if (hasWork() || !(await this.#bell.waitAsync(seen, timeoutMs)))
      await new Promise<void>((resolve) => setImmediate(resolve));
    this.#bell.wake();
  }

  /** Threads ring an event counter's descriptor from now on: for a control side that waits for descriptors. */
  listen(fd: number): void {
    this.#bell.listen(fd);
  }

  /** The calls so far are heard: poll begins with it. */
  silence(): void {
    this.#bell.silence();
  }

  fail(index: number, how: 'kill' | 'throw' | 'trap'): void {
    const link = this.links[index];
    if (how === 'kill') link?.kill();
    else link?.ask({ kind: 'fail', how });
  }

  // ---- a thread has died ----

  #lost(index: number, reason: string): void {
    if (this.#isStopped) return;
    const { views, plan, units, options } = this.#parts;
    const entries = this.#ports().entries;
    const isDead = (entry: PortEntry): boolean => entry.worker === index && entry.netdev instanceof RemoteNetdev;
    const deadPorts = entries.filter(isDead);
    const ports = entries.filter((entry) => !isDead(entry));
    const frames = this.atRest(() => {
      const input = { views, plan, workers: units, ports };
      const lost = recoverWorker({ ...input, deadPorts, index, options });
      this.#ports().strays = keepOrder(ports) ? 0 : settleStrays(input);
      return lost;
    });
    for (const entry of deadPorts) this.#ports().suspend(entry);
    const life = this.#lives[index]!;
    const lived = views.getF64(plan.threads.start + index * L.THREAD_SIZEOF + L.THREAD_NOW) - life.since;
    life.deaths = lived >= STEADY ? 1 : life.deaths + 1;
    const loss = { worker: index, reason, frames };
    if (life.deaths > RESTARTS_MAX) {
      const lostPorts = deadPorts.map(({ number }) => ({ number, reason }));
      this.#onLoss?.({ ...loss, isBack: false, lostPorts });
      return;
    }
    this.links[index]!.start({
      onReady: () => this.#onLoss?.({ ...loss, isBack: true, lostPorts: this.#serveAgain(index, deadPorts) }),
      onExit: (next) => this.#lost(index, next),
    });
  }

  /** Gives a new thread the ports of the one before it. Returns those that it could not have. */
  #serveAgain(index: number, deadPorts: readonly PortEntry[]): { number: number; reason: string }[] {
    const { views, plan } = this.#parts;
    const link = this.links[index]!;
    const table = this.#ports();
    link.awaitStart();
    this.#lives[index]!.since = views.getF64(plan.threads.start + index * L.THREAD_SIZEOF + L.THREAD_NOW);
    for (const { worker, place } of table.entries) if (worker === index) link.ask({ kind: 'serve', place });
    const lost = new Map<number, string>();
    for (const entry of deadPorts) {
      const opened = (entry.netdev as RemoteNetdev).reopen();
      const added = opened.ok ? table.resume(entry) : opened;
      if (!added.ok && table.has(entry.number)) lost.set(entry.number, added.error);
    }
    // a port without one of its queues would lose what the network sends to that one
    for (const number of lost.keys()) table.remove(number);
    return [...lost].map(([number, reason]) => ({ number, reason }));
  }
}
