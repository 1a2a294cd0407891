/**
 * The host of the Wasm datapath: what Open vSwitch calls a dpif.
 *
 * What. A Datapath owns one linear memory (memory.ts says where things lie), the module's instance over it, and ports,
 * each a Netdev with four rings in that memory. Frames go through `process` and `poll`; flows, meters and held frames
 * through the control calls, each of which writes one record to the control ring and has it carried out at once.
 *
 * Terms. *Megaflow*: a match with actions, known by id and generation. *Upcall*: a frame that the worker holds for the
 * control side; it is answered exactly once, by execute or release, and its frame and key stay where they are until
 * then. *Dirty port*: one whose tx ring was written to and whose device has not been told yet.
 *
 * Invariants. process and poll allocate nothing. A chunk is in exactly one place, and a frame ends in exactly one:
 * audit() walks the memory and proves both, any time between two calls. Ports and flows come and go without loss.
 * Wrong use (an upcall answered twice) throws; what can happen in service is a Result.
 *
 * Not supported: more than one worker: the memory plan has room for them, this host runs the first. Ports in the memory
 * of another datapath. Growing the memory: sizes are set at the start, and what does not fit is refused and counted.
 */

import type { Match } from '../flow/key.ts';
import type { DpAction, DpPort } from '../flow/odp/action.ts';
import * as L from '../gen/layout.ts';
import { BURST_MAX, UPCALL_SLOTS } from '../gen/limits.ts';
import { type DropReasonName, workerCounters } from '../gen/tables.ts';
import type { Micros } from '../lib/clock.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { Netdev } from '../netdev/netdev.ts';
import { encodeActions } from './actions.ts';
import { type Audit, auditDatapath } from './audit.ts';
import { Executor } from './execute.ts';
import { FlowTable, type PutOptions } from './flows.ts';
import { loadModule, type ModuleChoice } from './load.ts';
import { frameSizeMax, type MemoryPlan, type MemorySizes, planMemory } from './memory.ts';
import { type MeterStats, MeterTable } from './meters.ts';
import { type PortOptions, PortTable } from './port-table.ts';
import { type PortStats, readPortStats, type TunnelPortOptions, writePortState } from './ports.ts';
import { type CounterRow, counterRows, dropRows, dropsByName, frameBalance } from './stats.ts';
import type { DpFlow, DpFlowStats, ExecuteError, InjectedFrame, MeterConfig, PutError, Upcall } from './types.ts';
import { UpcallQueue } from './upcalls.ts';
import { Views } from './views.ts';
import { WorkerHost, writeSwitch } from './worker.ts';

export interface DatapathOptions extends Partial<Omit<MemorySizes, 'workerCount'>>, ModuleChoice {
  /** The compiled datapath; the one that `build` and `isShared` name is loaded when left out. */
  readonly module?: WebAssembly.Module;
  /** Seed of the sample action's generator; 1 when left out. */
  readonly seed?: number;
  /** Every lookup goes to the classifier: for measurements. */
  readonly isCacheOff?: boolean;
}

export interface ExecuteOptions {
  /** Megaflow to credit the frame to. */
  readonly flowId?: number;
}

/** Actions as translation makes them, encoded already, or a lookup in their stead. */
export type Actions = readonly DpAction[] | Uint8Array | 'lookup';

const encode = (actions: Exclude<Actions, 'lookup'>): Uint8Array =>
  actions instanceof Uint8Array ? actions : encodeActions(actions);

export class Datapath {
  readonly plan: MemoryPlan;
  readonly memory: WebAssembly.Memory;
  readonly #views: Views;
  readonly #worker: WorkerHost;
  readonly #flows: FlowTable;
  readonly #meters: MeterTable;
  readonly #upcalls: UpcallQueue;
  readonly #executor: Executor;
  readonly #ports: PortTable;
  /** While above 0, devices are not told of frames to send: flush() does it for all at the end. */
  #corked = 0;

  /** Fails when a size is wrong, the module is not there, or the memory cannot be had. */
  static create(options: DatapathOptions = {}): Result<Datapath> {
    const plan = planMemory(pickSizes(options));
    if (!plan.ok) return plan;
    const module = options.module ? ok(options.module) : loadModule(options);
    if (!module.ok) return module;
    const { pages } = plan.value;
    try {
      const descriptor = { initial: pages, maximum: pages, ...(options.isShared ? { shared: true } : {}) };
      return ok(new Datapath(module.value, new WebAssembly.Memory(descriptor), plan.value, options));
    } catch (error) {
      return fail(`no datapath of ${pages} pages: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private constructor(
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    plan: MemoryPlan,
    options: DatapathOptions,
  ) {
    this.plan = plan;
    this.memory = memory;
    const views = new Views(memory);
    this.#views = views;
    writeSwitch(views, plan);
    this.#worker = new WorkerHost(module, views, plan, plan.workers[0]!, {
      seed: options.seed ?? 1,
      isCacheOff: options.isCacheOff ?? false,
    });
    this.#flows = new FlowTable(views, this.#worker);
    this.#meters = new MeterTable(views, this.#worker);
    this.#upcalls = new UpcallQueue(views, this.#worker);
    this.#executor = new Executor(views, this.#worker, this.#upcalls, frameSizeMax(plan));
    this.#ports = new PortTable(views, plan, this.#worker);
  }

  // ---- ports ----

  /** Gives the device rings and takes it in under this number. Fails when the number is taken or room is lacking. */
  addPort(number: DpPort, netdev: Netdev, options: PortOptions = {}): Result<void> {
    const added = this.#ports.add(number, netdev, options);
    // an empty burst fills the fill ring, so that frames can arrive before the first poll
    if (added.ok) this.process(number, 0, this.#worker.now);
    return added;
  }

  /** A port without a device: what tnl_pop goes on as, and tnl_push counts for. */
  addTunnelPort(number: DpPort, options: TunnelPortOptions): Result<void> {
    return this.#ports.addTunnel(number, options);
  }

  hasPort(number: DpPort): boolean {
    return this.#ports.has(number);
  }

  /** Sends what is on the tx ring, closes the device and takes the port's chunks and rings back. */
  removePort(number: DpPort): Result<void, 'not_found'> {
    this.#flushDirty();
    return this.#ports.remove(number);
  }

  /** Numbers of the ports with a device, lowest first. */
  portNumbers(): DpPort[] {
    return this.#ports.entries.map((entry) => entry.number);
  }

  netdev(number: DpPort): Netdev | null {
    return this.#ports.get(number)?.netdev ?? null;
  }

  portStats(number: DpPort): PortStats | null {
    const entry = this.#ports.get(number);
    return entry ? readPortStats(this.#views, this.plan, entry) : null;
  }

  // ---- packets ----

  /**
   * Moves at most `budget` frames of one port through the datapath, and tells the devices of frames to send.
   * Returns how many there were.
   */
  process(number: DpPort, budget: number, now: Micros): number {
    const entry = this.#ports.get(number);
    if (!entry) return 0;
    if (entry.isUp !== entry.netdev.isUp || entry.mtu !== entry.netdev.mtu)
      writePortState(this.#views, this.plan, entry);
    this.#worker.now = now;
    const count = this.#worker.wasm.process(this.#worker.w, number, budget, now);
    this.#flushDirty();
    return count;
  }

  /**
   * One turn over all ports: devices bring what waits outside, then each port's frames go through in bursts, at most
   * `budget` a port. Returns how many frames there were: call again until it is 0.
   * @param onUpcalls called between bursts when half of the upcall ring waits to be taken
   */
  poll(now: Micros, budget = 4 * BURST_MAX, onUpcalls: (() => void) | null = null): number {
    let total = 0;
    // an index, as a port may come or go in a device's callback
    for (let i = 0; i < this.#ports.entries.length; i++) {
      const entry = this.#ports.entries[i]!;
      entry.netdev.poll(now);
      let left = budget;
      while (left > 0) {
        const burst = Math.min(left, BURST_MAX);
        const count = this.process(entry.number, burst, now);
        if (onUpcalls && this.#upcalls.waiting >= UPCALL_SLOTS / 2) onUpcalls();
        total += count;
        left -= count;
        if (count < burst) break;
      }
    }
    return total;
  }

  #flushDirty(): void {
    if (this.#corked > 0) return;
    const { wasm, w, now } = this.#worker;
    for (let next = wasm.popDirty(w); next !== 0; next = wasm.popDirty(w)) this.#ports.get(next - 1)?.netdev.flush(now);
  }

  // ---- upcalls ----

  /** Upcalls that wait to be taken. */
  get upcallsWaiting(): number {
    return this.#upcalls.waiting;
  }

  /**
   * Shows waiting upcalls, oldest first, at most `max`. The visitor answers each, then or later. Frames that answers
   * send leave together after the last visit. Returns how many there were.
   */
  takeUpcalls(visit: (upcall: Upcall) => void, max = 0x7fffffff): number {
    let count = 0;
    this.#corked++;
    try {
      for (; count < max; count++) {
        const upcall = this.#upcalls.take();
        if (!upcall) break;
        visit(upcall);
      }
    } finally {
      this.#corked--;
      this.#flushDirty();
    }
    return count;
  }

  /**
   * Runs actions over a held frame, which answers its upcall, or over one of the control side's own. After an error the
   * frame is dropped and counted (invalid: action_invalid; no_frame), and the upcall is answered.
   * @throws when the upcall is answered already
   */
  execute(what: Upcall | InjectedFrame, actions: Actions, options: ExecuteOptions = {}): Result<void, ExecuteError> {
    const flowId = options.flowId ?? L.NONE_U32;
    const encoded = actions === 'lookup' ? actions : encode(actions);
    const done =
      'slot' in what ? this.#executor.upcall(what, encoded, flowId) : this.#executor.inject(what, encoded, flowId);
    this.#flushDirty();
    return done;
  }

  /**
   * Answers an upcall whose frame goes nowhere: dropped for a reason, or `consumed` by the control side.
   * @throws when the upcall is answered already
   */
  release(upcall: Upcall, reason: DropReasonName | 'consumed'): void {
    this.#executor.release(upcall, reason);
  }

  // ---- flows ----

  /** Installs a megaflow and returns its id. The match's key must have no bit outside its mask. */
  putFlow(match: Match, actions: readonly DpAction[] | Uint8Array, options: PutOptions = {}): Result<number, PutError> {
    return this.#flows.put(match, encode(actions), options);
  }

  /** Removes a megaflow and returns its final statistics. */
  deleteFlow(id: number, generation: number): Result<DpFlowStats, 'not_found'> {
    return this.#flows.delete(id, generation);
  }

  /** Removes all megaflows. */
  flush(): void {
    this.#flows.flush();
  }

  get flowCount(): number {
    return this.#flows.count;
  }

  /** Ids of the megaflows, lowest first; flows may come and go between two steps. */
  flowIds(): IterableIterator<number> {
    return this.#flows.ids();
  }

  flow(id: number): DpFlow | null {
    return this.#flows.read(id);
  }

  flowGeneration(id: number): number | null {
    return this.#flows.generation(id);
  }

  flowStats(id: number): DpFlowStats | null {
    return this.#flows.stats(id);
  }

  /** All megaflows, lowest id first; flows may come and go between two steps. */
  *flows(): Generator<DpFlow> {
    for (const id of this.#flows.ids()) {
      const flow = this.#flows.read(id);
      if (flow) yield flow;
    }
  }

  /** Forgets the exact-match cache; flows stay. For measurements from cold. */
  flushCache(): void {
    this.#worker.wasm.cacheFlush(this.#worker.w);
  }

  // ---- meters ----

  /** Makes a meter, or gives one a new configuration: full buckets, statistics at 0. */
  setMeter(id: number, config: MeterConfig): Result<void> {
    return this.#meters.set(id, config);
  }

  deleteMeter(id: number): Result<void, 'not_found'> {
    return this.#meters.delete(id);
  }

  meterStats(id: number): MeterStats | null {
    return this.#meters.stats(id);
  }

  // ---- what happened ----

  /** Counters by name. */
  counters(): Record<string, number> {
    return Object.fromEntries(
      workerCounters.map(({ name }, i) => [name, this.#worker.counter(L.WORKER_COUNTERS, i * 8)]),
    );
  }

  /** Counters with what they mean. */
  counterRows(): CounterRow[] {
    return counterRows(this.#worker);
  }

  /** Dropped frames by reason. */
  drops(): Record<DropReasonName, number> {
    return dropsByName(this.#worker);
  }

  /** Dropped frames by reason, with what the reason means. */
  dropRows(): CounterRow[] {
    return dropRows(this.#worker);
  }

  /** Bytes of the arena in use: subtables, megaflows and their actions. */
  get arenaUsed(): number {
    return this.#views.getF64(this.#worker.w + L.WORKER_ARENA_USED);
  }

  /** Bytes of ring space not in use. */
  get ringSpaceFree(): number {
    return this.#ports.ringSpaceFree;
  }

  /** Walks the memory: tells where every chunk is, and whether every frame is accounted for. */
  audit(): Audit {
    return auditDatapath({
      views: this.#views,
      plan: this.plan,
      worker: this.#worker,
      upcalls: this.#upcalls,
      ports: this.#ports.entries,
      frames: frameBalance(this.#worker),
    });
  }

  /** Gives held frames up, then removes every port. Upcalls that were taken and not answered must be answered before. */
  close(): void {
    for (let upcall = this.#upcalls.take(); upcall; upcall = this.#upcalls.take())
      this.release(upcall, 'held_shutdown');
    for (const number of this.#ports.numbers()) this.removePort(number);
  }
}

const sizeNames = [
  'framesCount',
  'chunkSize',
  'flowMax',
  'arenaSize',
  'cacheEntries',
  'packetSlots',
  'ringSpaceSize',
] as const;

/** Sizes that are there: one that is left out, or undefined, has its default. */
const pickSizes = (options: DatapathOptions): Partial<MemorySizes> =>
  Object.fromEntries(sizeNames.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
