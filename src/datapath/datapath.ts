/**
 * The host of the Wasm datapath: what Open vSwitch calls a dpif.
 *
 * What. A Datapath owns one linear memory (memory.ts says where things lie), workers over it, each an instance of the
 * module with tables of its own, and ports, each a Netdev with four rings in that memory that one worker works. Frames go
 * through `process` and `poll`; flows, meters and held frames through the control calls, each of which writes one record
 * to a worker's control ring and has it carried out.
 *
 * Workers run when they are called, one after the other, in the order of their ports: always the same way. Or, with
 * `threads`, each runs in a thread of its own: then `poll` only works the devices that are on this side, records are
 * carried out by the threads, and `whenNeeded` tells when one of them wants something. A frame whose output port is
 * another worker's is handed over to it. A megaflow belongs to one worker: that of the frames which need it.
 *
 * Terms. *Megaflow*: a match with actions, known by id and generation. *Upcall*: a frame that the worker holds for the
 * control side; it is answered exactly once, by execute or release, and its frame and key stay where they are until
 * then. *Dirty port*: one whose tx ring was written to and whose device has not been told yet.
 *
 * Invariants. process and poll allocate nothing. A chunk is in exactly one place, and a frame ends in exactly one:
 * audit() walks the memory and proves both, any time between two calls. Ports and flows come and go without loss.
 * Wrong use (an upcall answered twice) throws; what can happen in service is a Result.
 *
 * Not supported: ports in the memory of another datapath. Growing the memory: sizes are set at the start, and what does
 * not fit is refused and counted. A queue whose frames several workers share.
 */

import { type FlowKey, KEY, type Match } from '../flow/key.ts';
import type { DpAction, DpPort } from '../flow/odp/action.ts';
import * as L from '../gen/layout.ts';
import { BURST_MAX, UPCALL_SLOTS } from '../gen/limits.ts';
import type { DropReasonName } from '../gen/tables.ts';
import type { Micros } from '../lib/clock.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { Netdev, NetdevStatus } from '../netdev/netdev.ts';
import { encodeActions } from './actions.ts';
import { type Audit, type AuditInput, auditDatapath } from './audit.ts';
import { Executor } from './execute.ts';
import { FlowTable, type PutOptions } from './flows.ts';
import { loadModule, type ModuleChoice } from './load.ts';
import { frameSizeMax, type MemoryPlan, type MemorySizes, planMemory } from './memory.ts';
import { type MeterStats, MeterTable } from './meters.ts';
import { type PortOptions, PortTable } from './port-table.ts';
import { type PortEntry, type PortStats, readPortStats, type TunnelPortOptions, writePortState } from './ports.ts';
import { RemoteNetdev } from './remote-netdev.ts';
import { type CounterRow, counterRows, countersByName, dropRows, dropsByName } from './stats.ts';
import { keepOrder, settleStrays } from './strays.ts';
import { ThreadTeam, type WorkerLoss, type WorkerUnit } from './team.ts';
import type { ThreadStarter } from './threads.ts';
import {
  type DpFlow,
  type DpFlowStats,
  type ExecuteError,
  type InjectedFrame,
  type MeterConfig,
  type PutError,
  type Upcall,
  workerOfFlow,
  workerOfUpcall,
} from './types.ts';
import { UpcallQueue } from './upcalls.ts';
import { Views } from './views.ts';
import { WorkerHost, writeSwitch } from './worker.ts';

export interface DatapathOptions extends Partial<MemorySizes>, ModuleChoice {
  /** The compiled datapath; the one that `build` and `isShared` name is loaded when left out. */
  readonly module?: WebAssembly.Module;
  /** Seed of the sample action's generator; 1 when left out. */
  readonly seed?: number;
  /** Every lookup goes to the classifier: for measurements. */
  readonly isCacheOff?: boolean;
  /** Gives each worker a thread of its own; the memory is shared then. */
  readonly threads?: ThreadStarter;
  /** Hears that a worker died, and why, when it is back at work with empty tables; `isBack` is false when it was given up. */
  readonly onWorkerLost?: (loss: WorkerLoss) => void;
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
  readonly #units: readonly WorkerUnit[];
  readonly #hosts: readonly WorkerHost[];
  readonly #meters: MeterTable;
  readonly #ports: PortTable;
  readonly #threads: ThreadTeam | null;
  /** Which worker's upcalls are taken first the next time. */
  #turn = 0;
  /** While above 0, devices are not told of frames to send: flush() does it for all at the end. */
  #corked = 0;

  /** Fails when a size is wrong, the module is not there, or the memory cannot be had. */
  static create(options: DatapathOptions = {}): Result<Datapath> {
    const plan = planMemory(pickSizes(options));
    if (!plan.ok) return plan;
    const isShared = (options.isShared ?? false) || options.threads !== undefined;
    const module = options.module ? ok(options.module) : loadModule({ ...options, isShared });
    if (!module.ok) return module;
    const { pages } = plan.value;
    try {
      const descriptor = { initial: pages, maximum: pages, ...(isShared ? { shared: true } : {}) };
      const datapath = new Datapath(module.value, new WebAssembly.Memory(descriptor), plan.value, options);
      const started = datapath.#threads?.awaitStart() ?? ok(undefined);
      return started.ok ? ok(datapath) : started;
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
    const workerOptions = { seed: options.seed ?? 1, isCacheOff: options.isCacheOff ?? false };
    const hosts = plan.workers.map((worker) => new WorkerHost(module, views, plan, worker, workerOptions));
    this.#hosts = hosts;
    this.#units = hosts.map((host) => {
      const upcalls = new UpcallQueue(views, host);
      const executor = new Executor(views, host, upcalls, frameSizeMax(plan));
      return { host, upcalls, executor, flows: new FlowTable(views, host) };
    });
    const { threads } = options;
    const parts = { views, plan, module, units: this.#units, options: workerOptions };
    const onLoss = options.onWorkerLost ?? null;
    this.#threads = threads ? new ThreadTeam(parts, threads, onLoss, () => this.#ports) : null;
    const owners = hosts.map((host, index) => ({ host, link: this.#threads?.links[index] ?? null }));
    this.#meters = new MeterTable(views, hosts);
    this.#ports = new PortTable(views, plan, owners);
  }

  get workerCount(): number {
    return this.#units.length;
  }

  // ---- ports ----

  /** Gives the device rings and takes it in under this number. Fails when the number is taken or room is lacking. */
  addPort(number: DpPort, netdev: Netdev, options: PortOptions = {}): Result<void> {
    const added = this.#ports.add(number, netdev, options);
    // an empty burst fills the fill ring, so that frames can arrive before the first poll
    if (added.ok) for (const queue of this.#ports.queuesOf(number)) this.#process(queue, 0, this.#hosts[0]!.now);
    return added;
  }

  /**
   * Has a worker's thread open a device, from a description that means something to the threads' opener: plain data. What
   * comes back is for addPort, and stays with that worker. Fails without threads.
   * @param worker index; the one with the fewest ports when left out
   */
  openDevice(device: unknown, worker?: number): Result<Netdev> {
    if (!this.#threads) return fail('the workers have no threads to open devices in');
    const index = this.#ports.workerFor(worker === undefined ? {} : { worker });
    if (!index.ok) return index;
    return RemoteNetdev.open(this.#threads.links[index.value]!, this.#views, index.value, device);
  }

  /**
   * The same for a device of several queues, each with a description of its own and in a thread of its own as long as there
   * are threads: those behind `worker`, in turn. When one cannot be opened, none is.
   */
  openQueues(devices: readonly unknown[], worker?: number): Result<Netdev> {
    const opened: RemoteNetdev[] = [];
    for (const [queue, device] of devices.entries()) {
      const next = queue === 0 ? worker : this.#ports.workerAfter(opened[0]!.worker, queue);
      const netdev = this.openDevice(device, next);
      if (netdev.ok) {
        opened.push(netdev.value as RemoteNetdev);
        continue;
      }
      for (const other of opened) other.close();
      return netdev;
    }
    const [first, ...others] = opened;
    if (!first) return fail('a device without queues');
    first.queues = others;
    return ok(first);
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
    const isInOrder = keepOrder(this.#ports.queuesOf(number));
    const removed = this.#ports.remove(number);
    if (!isInOrder) this.#ports.strays = this.#atRest(() => settleStrays(this.#auditInput()));
    return removed;
  }

  /** Numbers of the ports with a device, lowest first. */
  portNumbers(): DpPort[] {
    return this.#ports.entries.filter(({ queue }) => queue === 0).map((entry) => entry.number);
  }

  /** Index of the worker that a port's first queue belongs to; null without a device. */
  portWorker(number: DpPort): number | null {
    return this.#ports.get(number)?.worker ?? null;
  }

  netdev(number: DpPort): Netdev | null {
    return this.#ports.get(number)?.netdev ?? null;
  }

  portStats(number: DpPort): PortStats | null {
    const queues = this.#ports.queuesOf(number);
    return queues.length > 0 ? readPortStats(this.#views, this.plan, queues) : null;
  }

  /** What the devices of a port's queues say of themselves, by queue; null without a device. */
  portStatus(number: DpPort): NetdevStatus[] | null {
    const queues = this.#ports.queuesOf(number);
    return queues.length > 0 ? queues.map(({ netdev }) => netdev.status?.() ?? {}) : null;
  }

  // ---- packets ----

  /**
   * Moves at most `budget` frames of each of a port's queues through the datapath, and tells the devices of frames to send.
   * Returns how many there were; 0 when workers have threads, which do it.
   */
  process(number: DpPort, budget: number, now: Micros): number {
    const queues = this.#ports.queuesOf(number);
    let total = 0;
    for (let i = 0; i < queues.length; i++) total += this.#process(queues[i]!, budget, now);
    return total;
  }

  #process(entry: PortEntry, budget: number, now: Micros): number {
    if (this.#threads) return 0;
    if (entry.isUp !== entry.netdev.isUp || entry.mtu !== entry.netdev.mtu)
      writePortState(this.#views, this.plan, entry);
    const host = this.#hosts[entry.worker]!;
    host.now = now;
    const count = host.wasm.process(host.w, entry.place, budget, now);
    this.#flushDirty();
    return count;
  }

  /**
   * One turn over all ports: devices bring what waits outside, then each port's frames go through in bursts, at most
   * `budget` a port. Returns how many frames there were: call again until it is 0.
   * @param onUpcalls called between bursts when half of the upcall ring waits to be taken
   */
  poll(now: Micros, budget = 4 * BURST_MAX, onUpcalls: (() => void) | null = null): number {
    if (this.#threads) return this.#workDevices(now);
    let total = 0;
    // an index, as a port may come or go in a device's callback
    for (let i = 0; i < this.#ports.entries.length; i++) {
      const entry = this.#ports.entries[i]!;
      entry.netdev.poll(now);
      let left = budget;
      while (left > 0) {
        const burst = Math.min(left, BURST_MAX);
        const count = this.#process(entry, burst, now);
        if (onUpcalls && this.#units[entry.worker]!.upcalls.waiting >= UPCALL_SLOTS / 2) onUpcalls();
        total += count;
        left -= count;
        if (count < burst) break;
      }
    }
    return this.#hosts.length === 1 ? total : total + this.#takeOver(now);
  }

  /** Each worker takes what the others handed to it, all of it. */
  #takeOver(now: Micros): number {
    let total = 0;
    for (const host of this.#hosts) {
      host.now = now;
      for (let count = 1; count > 0; total += count) {
        count = host.wasm.takeFromWorkers(host.w, now);
        if (count > 0) this.#flushDirty();
      }
    }
    return total;
  }

  /** With threads: the devices of this side bring and send what there is. Returns frames moved. */
  #workDevices(now: Micros): number {
    this.#threads?.silence();
    let total = 0;
    for (let i = 0; i < this.#ports.entries.length; i++) {
      const entry = this.#ports.entries[i]!;
      const { netdev, places, worker } = entry;
      if (netdev instanceof RemoteNetdev) continue;
      if (entry.isUp !== netdev.isUp || entry.mtu !== netdev.mtu) writePortState(this.#views, this.plan, entry);
      total += netdev.poll(now);
      const index = (address: number): number => Atomics.load(this.#views.u32, address >>> 2);
      if (index(places.rx.producer) !== index(places.rx.consumer)) this.#threads!.links[worker]!.ring();
      if (index(places.tx.producer) !== index(places.tx.consumer)) total += netdev.flush(now);
    }
    return total;
  }

  #flushDirty(): void {
    if (this.#corked > 0 || this.#threads) return;
    for (const { wasm, w, now } of this.#hosts)
      for (let next = wasm.popDirty(w); next !== 0; next = wasm.popDirty(w))
        this.#ports.at(next - 1)?.netdev.flush(now);
  }

  /**
   * With threads: resolves when a worker has upcalls or frames for a device of this side, or after a while. Call poll and
   * takeUpcalls then.
   */
  async whenNeeded(timeoutMs: number): Promise<void> {
    await this.#threads?.whenNeeded(timeoutMs, () => this.upcallsWaiting > 0);
  }

  /**
   * With threads, in place of whenNeeded: an event counter (eventfd, non-blocking) that threads add to when they want
   * something; poll empties it. For a control side that waits for descriptors.
   */
  ringDescriptor(fd: number): void {
    this.#threads?.listen(fd);
  }

  // ---- upcalls ----

  /** Upcalls that wait to be taken. */
  get upcallsWaiting(): number {
    let count = 0;
    for (const { upcalls } of this.#units) count += upcalls.waiting;
    return count;
  }

  /**
   * Shows waiting upcalls, each worker's oldest first, at most `max`. The visitor answers each, then or later. Frames that answers
   * send leave together after the last visit. Returns how many there were.
   */
  takeUpcalls(visit: (upcall: Upcall) => void, max = 0x7fffffff): number {
    let count = 0;
    this.#corked++;
    try {
      // nobody's are always the last
      const first = this.#turn++;
      for (let i = 0; i < this.#units.length; i++) {
        const { upcalls } = this.#units[(first + i) % this.#units.length]!;
        for (; count < max; count++) {
          const upcall = upcalls.take();
          if (!upcall) break;
          visit(upcall);
        }
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
      'slot' in what
        ? this.#units[workerOfUpcall(what)]!.executor.upcall(what, encoded, flowId)
        : this.#units[this.#workerOfKey(what.key)]!.executor.inject(what, encoded, flowId);
    this.#flushDirty();
    return done;
  }

  /** The worker that a frame of the control side's own would have come in by. */
  #workerOfKey(key: FlowKey): number {
    return this.#hosts.length === 1 ? 0 : (this.#ports.get(key.get(KEY.in_port))?.worker ?? 0);
  }

  /**
   * Answers an upcall whose frame goes nowhere: dropped for a reason, or `consumed` by the control side.
   * @throws when the upcall is answered already
   */
  release(upcall: Upcall, reason: DropReasonName | 'consumed'): void {
    this.#units[workerOfUpcall(upcall)]!.executor.release(upcall, reason);
  }

  // ---- flows ----

  /** Installs a megaflow and returns its id. The match's key must have no bit outside its mask. */
  putFlow(match: Match, actions: readonly DpAction[] | Uint8Array, options: PutOptions = {}): Result<number, PutError> {
    const unit = this.#units[options.worker ?? 0];
    return unit ? unit.flows.put(match, encode(actions), options) : fail('invalid');
  }

  /** Removes a megaflow and returns its final statistics. */
  deleteFlow(id: number, generation: number): Result<DpFlowStats, 'not_found'> {
    return this.#unitOf(id)?.flows.delete(id, generation) ?? fail('not_found');
  }

  #unitOf(flowId: number): WorkerUnit | undefined {
    return this.#units[workerOfFlow(flowId)];
  }

  /** Removes all megaflows. */
  flush(): void {
    for (const { flows } of this.#units) flows.flush();
  }

  get flowCount(): number {
    let count = 0;
    for (const { flows } of this.#units) count += flows.count;
    return count;
  }

  /** Ids of the megaflows, lowest first; flows may come and go between two steps. */
  *flowIds(): Generator<number> {
    for (const { flows } of this.#units) yield* flows.ids();
  }

  flow(id: number): DpFlow | null {
    return this.#unitOf(id)?.flows.read(id) ?? null;
  }

  flowGeneration(id: number): number | null {
    return this.#unitOf(id)?.flows.generation(id) ?? null;
  }

  flowStats(id: number): DpFlowStats | null {
    return this.#unitOf(id)?.flows.stats(id) ?? null;
  }

  /** All megaflows, lowest id first; flows may come and go between two steps. */
  *flows(): Generator<DpFlow> {
    for (const id of this.flowIds()) {
      const flow = this.flow(id);
      if (flow) yield flow;
    }
  }

  /** Forgets the exact-match cache; flows stay. For measurements from cold. */
  flushCache(): void {
    this.#atRest(() => {
      for (const { wasm, w } of this.#hosts) wasm.cacheFlush(w);
    });
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

  /** The hosts of one worker, or of all. */
  #hostsOf(worker: number | undefined): readonly WorkerHost[] {
    return worker === undefined ? this.#hosts : this.#hosts.slice(worker, worker + 1);
  }

  /** Counters by name: of one worker, or of all together. */
  counters(worker?: number): Record<string, number> {
    return countersByName(this.#hostsOf(worker));
  }

  /** Counters with what they mean. */
  counterRows(worker?: number): CounterRow[] {
    return counterRows(this.#hostsOf(worker));
  }

  /** Dropped frames by reason. */
  drops(worker?: number): Record<DropReasonName, number> {
    return dropsByName(this.#hostsOf(worker));
  }

  /** Dropped frames by reason, with what the reason means. */
  dropRows(worker?: number): CounterRow[] {
    return dropRows(this.#hostsOf(worker));
  }

  /** Bytes of the arenas in use: subtables, megaflows and their actions. */
  get arenaUsed(): number {
    return this.#hosts.reduce((sum, { w }) => sum + this.#views.getF64(w + L.WORKER_ARENA_USED), 0);
  }

  /** Bytes of ring space not in use. */
  get ringSpaceFree(): number {
    return this.#ports.ringSpaceFree;
  }

  /** Walks the memory: tells where every chunk is, and whether every frame is accounted for. Threads pause meanwhile. */
  audit(): Audit {
    return this.#atRest(() => auditDatapath(this.#auditInput()));
  }

  #auditInput(): AuditInput {
    const { entries: ports, strays } = this.#ports;
    return { views: this.#views, plan: this.plan, workers: this.#units, ports, strays };
  }

  /** With threads: lets them stand still until resume(). @throws when one does not */
  pause(): void {
    this.#threads?.pause();
  }

  resume(): void {
    this.#threads?.resume();
  }

  /** Does something that every worker must stand still for. */
  #atRest<T>(work: () => T): T {
    return this.#threads ? this.#threads.atRest(work) : work();
  }

  /** With threads: ends one in the middle of whatever it does, or has it fail: for tests of what comes then. */
  failWorker(index: number, how: 'kill' | 'throw' | 'trap'): void {
    this.#threads?.fail(index, how);
  }

  /** Gives held frames up, then removes every port. Upcalls that were taken and not answered must be answered before. */
  close(): void {
    for (const { upcalls } of this.#units)
      for (let upcall = upcalls.take(); upcall; upcall = upcalls.take()) this.release(upcall, 'held_shutdown');
    for (const number of this.#ports.numbers()) this.removePort(number);
    this.#threads?.stop();
  }
}

const sizeNames = [
  'workerCount',
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
