/**
 * One worker as its host sees it: an instance of the module over the datapath's memory, its Worker block and its
 * control ring. The worker runs when it is called, or in a thread of its own (threads.ts). What is written here is read in assembly/index.ts.
 */

import * as L from '../gen/layout.ts';
import { CONTROL_RING_SIZE } from '../gen/limits.ts';
import type { Micros } from '../lib/clock.ts';
import { type DatapathExports, exportsOf } from './exports.ts';
import type { MemoryPlan, WorkerPlan } from './memory.ts';
import type { Views } from './views.ts';

export interface WorkerOptions {
  /** Seed of the generator behind the sample action. */
  readonly seed: number;
  readonly isCacheOff: boolean;
}

/** The far end of a worker that runs in a thread of its own. */
export interface RemoteWorker {
  /** False once it is known to have died. */
  readonly isAlive: boolean;
  /** Wakes it when it sleeps. */
  ring(): void;
}

/** What run() gives when the worker has died, or does not answer: not one of the module's. */
export const STATUS_LOST = 255;

/** Looks at the ring before the first wait; waits of a millisecond before a worker counts as lost. */
const SPINS = 2000;
const WAITS_MAX = 1000;

export class WorkerHost {
  /** Address of the Worker block. */
  readonly w: number;
  readonly plan: WorkerPlan;
  readonly wasm: DatapathExports;
  readonly #views: Views;
  readonly #control: number;
  /** Set when a thread runs this worker: `wasm` is then for times when the thread stands still. */
  remote: RemoteWorker | null = null;
  /** The time that the worker was told last. */
  now: Micros = 0;

  constructor(module: WebAssembly.Module, views: Views, memory: MemoryPlan, plan: WorkerPlan, options: WorkerOptions) {
    this.w = plan.worker.start;
    this.plan = plan;
    this.#views = views;
    this.#control = plan.control.start;
    writeWorker(views, memory, plan, options);
    writeFreeChunks(views, memory, plan);
    this.wasm = exportsOf(new WebAssembly.Instance(module, { env: { memory: views.memory } }));
    this.init();
  }

  /** Builds the worker's tables, empty, in memory that is zero but for the Worker block. */
  init(): void {
    const problem = this.wasm.init(this.w);
    if (problem === 2) throw new Error('the datapath module is older or newer than src/spec: run "npm run build:wasm"');
    if (problem !== 0) throw new Error(`the datapath module refused its memory plan (${problem})`);
  }

  /**
   * Makes room for a record of a header and `payloadSize` bytes, zeroes its fixed part and returns its address. Write
   * the payload behind CONTROL_SIZEOF, then call run() or post(). Nothing else may be written to the ring in between.
   * A worker that is lost is written to all the same: run() and post() tell.
   */
  begin(type: number, payloadSize: number): number {
    const size = Math.ceil((L.CONTROL_SIZEOF + payloadSize) / 16) * 16;
    if (size > CONTROL_RING_SIZE / 2) throw new Error(`a control record of ${size} bytes`);
    const views = this.#views;
    let producer = views.getU32(this.w + L.WORKER_CONTROL_PRODUCER);
    let at = producer & (CONTROL_RING_SIZE - 1);
    const left = CONTROL_RING_SIZE - at;
    if (this.remote) this.#waitFor((producer + size + (size > left ? left : 0) - CONTROL_RING_SIZE) >>> 0);
    if (size > left) {
      this.#writeHeader(this.#control + at, L.CONTROL_PAD, left);
      producer = (producer + left) >>> 0;
      this.#publish(producer);
      if (!this.remote) this.wasm.control(this.w, this.now);
      at = 0;
    }
    const record = this.#control + at;
    views.u8.fill(0, record, record + Math.min(size, 128));
    this.#writeHeader(record, type, size);
    return record;
  }

  #writeHeader(record: number, type: number, size: number): void {
    const views = this.#views;
    views.setU32(record + L.CONTROL_TYPE, type);
    views.setU32(record + L.CONTROL_SIZE, size);
    views.setU32(record + L.CONTROL_STATUS, L.STATUS_PENDING);
    views.setU32(record + L.CONTROL_RESULT, 0);
  }

  #publish(producer: number): void {
    Atomics.store(this.#views.u32, (this.w + L.WORKER_CONTROL_PRODUCER) >>> 2, producer);
  }

  /** Publishes a record; returns the producer index behind it. */
  #send(record: number): number {
    const views = this.#views;
    const end = (views.getU32(this.w + L.WORKER_CONTROL_PRODUCER) + views.getU32(record + L.CONTROL_SIZE)) >>> 0;
    this.#publish(end);
    return end;
  }

  /** Publishes the record, has it carried out and returns its status. The answers in the record are good until begin(). */
  run(record: number): number {
    const end = this.#send(record);
    if (!this.remote) this.wasm.control(this.w, this.now);
    else if (!this.#waitFor(end)) return STATUS_LOST;
    const status = this.#views.getU32(record + L.CONTROL_STATUS);
    if (status === L.STATUS_PENDING) throw new Error('the worker left a control record undone');
    return status;
  }

  /** The same without an answer where a thread would have to be waited for: null then, or STATUS_LOST. */
  post(record: number): number | null {
    if (!this.remote) return this.run(record);
    this.#send(record);
    this.remote.ring();
    return this.remote.isAlive ? null : STATUS_LOST;
  }

  /** Waits until the worker has carried out everything before a producer index; false when it died or does not answer. */
  #waitFor(end: number): boolean {
    const index = (this.w + L.WORKER_CONTROL_CONSUMER) >>> 2;
    const words = this.#views.i32;
    const isDone = (): boolean => ((Atomics.load(words, index) - end) | 0) >= 0;
    if (isDone()) return true;
    this.remote!.ring();
    for (let i = 0; i < SPINS; i++) if (isDone()) return true;
    for (let i = 0; i < WAITS_MAX && this.remote!.isAlive; i++) {
      const seen = Atomics.load(words, index);
      if (((seen - end) | 0) >= 0) return true;
      Atomics.wait(words, index, seen, 1);
    }
    return isDone();
  }

  /** A counter or drop counter: `offset` is one of src/gen/counters, or eight times a drop reason. */
  counter(base: number, offset: number): number {
    return this.#views.getU64(this.w + base + offset);
  }
}

/** Writes the addresses and sizes of the plan into the Worker block. */
export function writeWorker(views: Views, memory: MemoryPlan, plan: WorkerPlan, options: WorkerOptions): void {
  const w = plan.worker.start;
  const put = (field: number, value: number): void => views.setU32(w + field, value);
  put(L.WORKER_INDEX, plan.index);
  put(L.WORKER_FLAGS, options.isCacheOff ? L.WORKER_FLAG_CACHE_OFF : 0);
  put(L.WORKER_SWITCH, memory.switch.start);
  put(L.WORKER_PACKETS, plan.packets.start);
  put(L.WORKER_PACKET_SLOTS, plan.packetSlots);
  put(L.WORKER_KEYS, plan.keys.start);
  put(L.WORKER_LISTS, plan.lists.start);
  put(L.WORKER_LISTS_SIZE, plan.lists.size);
  put(L.WORKER_FREE_CHUNKS, plan.freeChunks.start);
  put(L.WORKER_FREE_COUNT, plan.chunkCount);
  put(L.WORKER_FREE_MAX, memory.sizes.framesCount);
  put(L.WORKER_CACHE, plan.cache.start);
  put(L.WORKER_CACHE_MASK, plan.cacheBuckets - 1);
  put(L.WORKER_ARENA, plan.arena.start);
  put(L.WORKER_ARENA_END, plan.arena.start + plan.arena.size);
  put(L.WORKER_SUBTABLES, plan.subtables.start);
  put(L.WORKER_FLOW_MAX, plan.flowMax);
  put(L.WORKER_FLOW_INDEX, plan.flowIndex.start);
  put(L.WORKER_FLOW_FREE, plan.flowFree.start);
  put(L.WORKER_UPCALL_SLOTS, plan.upcallSlots.start);
  put(L.WORKER_CONTROL, plan.control.start);
  put(L.WORKER_METERS, plan.meters.start);
  // the generator's state must not be zero, and each worker's numbers are its own
  put(L.WORKER_RANDOM, options.seed >>> 0);
  put(L.WORKER_RANDOM + 4, (plan.index + 1) * 0x9e3779b9);
}

/** The first chunk lies on top of the stack: frames are used from the lowest address on. */
function writeFreeChunks(views: Views, memory: MemoryPlan, plan: WorkerPlan): void {
  const first = memory.frames.start + plan.chunkFirst * memory.sizes.chunkSize;
  for (let i = 0; i < plan.chunkCount; i++)
    views.setU32(plan.freeChunks.start + 4 * i, first + (plan.chunkCount - 1 - i) * memory.sizes.chunkSize);
}

/** Writes what all workers share. */
export function writeSwitch(views: Views, plan: MemoryPlan): void {
  const at = plan.switch.start;
  views.setU32(at + L.SWITCH_MAGIC, L.MAGIC);
  views.setU32(at + L.SWITCH_VERSION, L.LAYOUT_VERSION);
  views.setU32(at + L.SWITCH_PORTS, plan.ports.start);
  views.setU32(at + L.SWITCH_FRAMES, plan.frames.start);
  views.setU32(at + L.SWITCH_FRAMES_COUNT, plan.sizes.framesCount);
  views.setU32(at + L.SWITCH_CHUNK_SIZE, plan.sizes.chunkSize);
  views.setU32(at + L.SWITCH_WORKER_COUNT, plan.workers.length);
  views.setF64(at + L.SWITCH_MEMORY_SIZE, plan.size);
  views.setU32(at + L.SWITCH_HAND_OVERS, plan.handOvers.start);
}
