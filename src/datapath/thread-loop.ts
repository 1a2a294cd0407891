/**
 * What a worker's thread does: one turn after the other, until it is told to stop.
 *
 * A turn: control records, messages, then each port (its device brings what waits outside, its frames go through in
 * bursts), frames from other workers, devices that were written to. Who was given something is rung. When a few turns
 * found nothing, the thread sleeps until somebody rings, a device's descriptor can be read, or the time is over.
 *
 * Invariants. Between two turns the worker is at rest: no frame is under way inside, everything that was written is
 * published. Only this thread calls its worker, but while it is paused. The worker's time does not go back.
 */
import * as L from '../gen/layout.ts';
import { BURST_MAX } from '../gen/limits.ts';
import type { Micros } from '../lib/clock.ts';
import { fail, must, ok, type Result } from '../lib/result.ts';
import type { Netdev } from '../netdev/netdev.ts';
import { DeviceRings } from '../netdev/rings.ts';
import { Bell } from './bell.ts';
import { type DatapathExports, exportsOf } from './exports.ts';
import { type MemoryPlan, planMemory } from './memory.ts';
import { portAddress, writeDeviceCounts, writeDeviceState } from './ports.ts';
import type { AttachedDevice, OpenedDevice, ThreadMessage, ThreadStart } from './threads.ts';
import { Views } from './views.ts';

/** What the thread's entry brings along. */
export interface ThreadTools {
  now(): Micros;
  /** Opens a device from the description that the control side gave. */
  open(device: unknown): Result<Netdev>;
  /** Messages from the control side: undefined when there is none. */
  receive(): ThreadMessage | undefined;
  answer(result: Result<unknown>): void;
  /** For devices with descriptors; null where the addon is not there. */
  readonly descriptors: DescriptorWaiter | null;
}

export interface DescriptorWaiter {
  /** Wakes wait() when 8 bytes are written to it. */
  readonly bell: number;
  /** Blocks until one of the descriptors, or the bell, can be read. */
  wait(fds: readonly number[], timeoutMs: number): void;
}

/** A device that can be waited for. */
type Waitable = Netdev & { readonly fd?: number | null };

/** A queue of a port: most often its only one. */
interface ServedPort {
  /** In the port table. */
  readonly place: number;
  readonly at: number;
  /** Of the device; 0 when it is on the control side. */
  readonly token: number;
  /** null when the device is on the control side. */
  device: Waitable | null;
  /** Closed, and its chunks are to be taken: not served any more. */
  isClosed: boolean;
  readonly rxProducer: number;
  readonly rxConsumer: number;
  readonly txProducer: number;
  readonly txConsumer: number;
}

/** Bursts of one port, and of each other worker, in one turn. */
const BURSTS_PER_TURN = 4;
/** Microseconds without work until it sleeps: a wake costs about as much. */
const SPIN: Micros = 50;
/** Milliseconds of one sleep at the most: links are looked at, and counters written, at least so often. */
const SLEEP_MS = 50;
/** The same while a device has frames that it could not send: it has no way to call. */
const SLEEP_UNSENT_MS = 1;
/** Sleeps in a row that ended at once and brought nothing: some descriptor is always ready, and is not waited for. */
const VAIN_MAX = 64;
const VAIN_MS = 5;
/** How often the state and the counters of devices are written to the port table. */
const STATE_PERIOD: Micros = 20_000;

export class ThreadLoop {
  readonly #views: Views;
  readonly #plan: MemoryPlan;
  readonly #wasm: DatapathExports;
  readonly #w: number;
  readonly #thread: number;
  readonly #tools: ThreadTools;
  readonly #bell: Bell;
  /** By worker; the control side's is the last. */
  readonly #bells: readonly Bell[];
  readonly #memory: WebAssembly.Memory;
  readonly #index: number;
  /** Devices that are no ports yet, by token. */
  readonly #opened = new Map<number, Netdev>();
  #tokens = 0;
  #ports: readonly ServedPort[] = [];
  #now: Micros = 0;
  #stateAt: Micros = 0;
  /** Sleeps in a row that were none, and no work came of them. */
  #vain = 0;
  #upcallsSeen: number;
  #controlSeen: number;

  constructor(data: ThreadStart, tools: ThreadTools) {
    this.#views = new Views(data.memory);
    this.#memory = data.memory;
    this.#plan = must(planMemory(data.sizes));
    this.#index = data.index;
    this.#w = this.#plan.workers[data.index]!.worker.start;
    this.#thread = this.#plan.threads.start + data.index * L.THREAD_SIZEOF;
    this.#wasm = exportsOf(new WebAssembly.Instance(data.module, { env: { memory: data.memory } }));
    this.#tools = tools;
    this.#bells = Array.from({ length: this.#plan.workers.length + 1 }, (_, i) => new Bell(this.#views, this.#plan, i));
    this.#bell = this.#bells[data.index]!;
    this.#upcallsSeen = this.#word(this.#w + L.WORKER_UPCALL_PRODUCER);
    this.#controlSeen = this.#word(this.#w + L.WORKER_CONTROL_CONSUMER);
  }

  #word(address: number): number {
    return Atomics.load(this.#views.i32, address >>> 2);
  }

  #setWord(address: number, value: number): void {
    Atomics.store(this.#views.i32, address >>> 2, value);
    Atomics.notify(this.#views.i32, address >>> 2);
  }

  /** Turns until the control side says stop. Returns when it did. */
  run(): void {
    this.#setWord(this.#thread + L.THREAD_STATE, L.THREAD_STATE_RUNNING);
    this.#bell.setDescriptor(this.#tools.descriptors?.bell ?? null);
    try {
      let idleSince: Micros | null = null;
      while (this.#obey()) {
        const work = this.#turn();
        if (work > 0) {
          idleSince = null;
          this.#vain = 0;
        } else if (idleSince === null) idleSince = this.#now;
        else if (this.#now - idleSince >= SPIN) this.#sleep();
      }
      for (const { device } of this.#ports) device?.close();
    } finally {
      this.#setWord(this.#thread + L.THREAD_STATE, L.THREAD_STATE_STOPPED);
      // whoever waits for an answer waits in vain
      Atomics.notify(this.#views.i32, (this.#thread + L.THREAD_READ) >>> 2);
      Atomics.notify(this.#views.i32, (this.#w + L.WORKER_CONTROL_CONSUMER) >>> 2);
    }
  }

  /** Stands still while the control side wants it; false when it wants an end. */
  #obey(): boolean {
    const order = this.#thread + L.THREAD_ORDER;
    if (this.#word(order) === L.THREAD_ORDER_RUN) return true;
    if (this.#word(order) === L.THREAD_ORDER_PAUSE) {
      this.#wasm.control(this.#w, this.#now);
      this.#flushDirty();
      this.#tellOthers();
      this.#setWord(this.#thread + L.THREAD_STATE, L.THREAD_STATE_PAUSED);
      while (this.#word(order) === L.THREAD_ORDER_PAUSE)
        Atomics.wait(this.#views.i32, order >>> 2, L.THREAD_ORDER_PAUSE, SLEEP_MS);
      if (this.#word(order) !== L.THREAD_ORDER_STOP)
        this.#setWord(this.#thread + L.THREAD_STATE, L.THREAD_STATE_RUNNING);
    }
    return this.#word(order) !== L.THREAD_ORDER_STOP;
  }

  /** Everything there is to do now, at most so much of each. Returns 0 when there was nothing. */
  #turn(): number {
    const now = Math.max(this.#now, this.#tools.now());
    this.#now = now;
    let work = this.#wasm.control(this.#w, now);
    if (this.#word(this.#thread + L.THREAD_MAIL) !== this.#word(this.#thread + L.THREAD_READ)) work += this.#readMail();
    for (const port of this.#ports) work += this.#serve(port, now);
    for (let i = 0; i < BURSTS_PER_TURN; i++) {
      const count = this.#wasm.takeFromWorkers(this.#w, now);
      this.#flushDirty();
      if (count === 0) break;
      work += count;
    }
    this.#flushDirty();
    this.#tellOthers();
    if (now - this.#stateAt >= STATE_PERIOD) this.#writeStates(now);
    return work;
  }

  #serve(port: ServedPort, now: Micros): number {
    if (port.isClosed) return 0;
    let total = port.device?.poll(now) ?? 0;
    for (let i = 0; i < BURSTS_PER_TURN; i++) {
      const count = this.#wasm.process(this.#w, port.place, BURST_MAX, now);
      total += count;
      if (count > 0) this.#flushDirty();
      if (count < BURST_MAX) break;
    }
    return total;
  }

  #flushDirty(): void {
    for (let next = this.#wasm.popDirty(this.#w); next !== 0; next = this.#wasm.popDirty(this.#w)) {
      const port = this.#ports.find(({ place }) => place === next - 1);
      if (port?.device) port.device.flush(this.#now);
      else this.#bells.at(-1)!.ring();
    }
  }

  /** Rings for workers that frames were handed to, and for the control side when there are upcalls or answers. */
  #tellOthers(): void {
    for (let rung = this.#wasm.popRung(this.#w); rung !== 0; rung &= rung - 1)
      this.#bells[31 - Math.clz32(rung & -rung)]!.ring();
    const upcalls = this.#word(this.#w + L.WORKER_UPCALL_PRODUCER);
    if (upcalls !== this.#upcallsSeen) this.#bells.at(-1)!.ring();
    this.#upcallsSeen = upcalls;
    const control = this.#word(this.#w + L.WORKER_CONTROL_CONSUMER);
    if (control !== this.#controlSeen) Atomics.notify(this.#views.i32, (this.#w + L.WORKER_CONTROL_CONSUMER) >>> 2);
    this.#controlSeen = control;
  }

  #writeStates(now: Micros): void {
    this.#stateAt = now;
    this.#views.setF64(this.#thread + L.THREAD_NOW, now);
    for (const { at, device, isClosed } of this.#ports) {
      if (!device || isClosed) continue;
      writeDeviceState(this.#views, at, device);
      writeDeviceCounts(this.#views, at, device.stats());
    }
  }

  // ---- sleep ----

  #hasWork(): boolean {
    if (this.#word(this.#thread + L.THREAD_ORDER) !== L.THREAD_ORDER_RUN) return true;
    if (this.#word(this.#thread + L.THREAD_MAIL) !== this.#word(this.#thread + L.THREAD_READ)) return true;
    const w = this.#w;
    if (this.#word(w + L.WORKER_CONTROL_PRODUCER) !== this.#word(w + L.WORKER_CONTROL_CONSUMER)) return true;
    for (const port of this.#ports)
      if (!port.isClosed && this.#word(port.rxProducer) !== this.#word(port.rxConsumer)) return true;
    const count = this.#plan.workers.length;
    for (let from = 0; from < count; from++) {
      const at = this.#plan.handOvers.start + (from * count + this.#index) * L.HAND_OVER_SIZEOF;
      if (this.#word(at + L.HAND_OVER_FRAMES_PRODUCER) !== this.#word(at + L.HAND_OVER_FRAMES_CONSUMER)) return true;
    }
    return false;
  }

  #sleep(): void {
    const seen = this.#bell.prepare();
    if (!this.#hasWork()) {
      Atomics.add(this.#views.i32, (this.#thread + L.THREAD_SLEEPS) >>> 2, 1);
      this.#rest(seen);
    }
    this.#bell.wake();
  }

  /** Blocks until the bell, a device or the time ends it. */
  #rest(seen: number): void {
    const { descriptors, now } = this.#tools;
    const fds = this.#ports.flatMap(({ device }) => (typeof device?.fd === 'number' ? [device.fd] : []));
    const isUnsent = this.#ports.some(
      (port) => port.device && !port.isClosed && this.#word(port.txProducer) !== this.#word(port.txConsumer),
    );
    const timeout = isUnsent ? SLEEP_UNSENT_MS : SLEEP_MS;
    const start = now();
    if (!descriptors || fds.length === 0) this.#bell.wait(seen, timeout);
    else if (this.#vain < VAIN_MAX) descriptors.wait(fds, timeout);
    else this.#bell.wait(seen, VAIN_MS);
    this.#vain = now() - start < SPIN ? this.#vain + 1 : 0;
  }

  // ---- messages ----

  #readMail(): number {
    const message = this.#tools.receive();
    if (!message) return 0;
    this.#tools.answer(this.#carryOut(message));
    const read = this.#thread + L.THREAD_READ;
    this.#setWord(read, this.#word(read) + 1);
    return 1;
  }

  #carryOut(message: ThreadMessage): Result<unknown> {
    switch (message.kind) {
      case 'open':
        return this.#open(message.device);
      case 'attach':
        return this.#attach(message);
      case 'serve':
        this.#add(message.place, 0, null);
        return ok(undefined);
      case 'status':
        return ok(this.#ports.find(({ token }) => token === message.token)?.device?.status?.() ?? {});
      case 'close': {
        const port = this.#ports.find(({ token, isClosed }) => token === message.token && !isClosed);
        this.#opened.get(message.token)?.close();
        this.#opened.delete(message.token);
        port?.device?.flush(this.#now);
        port?.device?.close();
        if (port) port.isClosed = true;
        return ok(undefined);
      }
      case 'drain':
        this.#ports = this.#ports.filter(({ place }) => place !== message.place);
        return ok(this.#wasm.drainPort(this.#w, message.place));
      case 'fail':
        // an address that lies outside of every memory
        if (message.how === 'trap') this.#wasm.control(0xfffff000, 0);
        throw new Error('the worker was told to fail');
    }
  }

  #open(description: unknown): Result<OpenedDevice> {
    const opened = this.#tools.open(description);
    if (!opened.ok) return opened;
    const device = opened.value;
    const token = ++this.#tokens;
    this.#opened.set(token, device);
    const { name, type, mac, mtu, isUp, ringOffsets } = device;
    return ok({ token, name, type, mac: Uint8Array.from(mac), mtu, isUp, ringOffsets: ringOffsets ?? null });
  }

  #attach({ place, token, places }: ThreadMessage & { kind: 'attach' }): Result<AttachedDevice> {
    const device = this.#opened.get(token);
    if (!device) return fail('the device is not open');
    this.#opened.delete(token);
    const attached = device.attach(new DeviceRings(this.#memory, places));
    if (!attached.ok) {
      device.close();
      return attached;
    }
    this.#add(place, token, device);
    return ok({ keepsOrder: device.keepsOrder ?? true });
  }

  #add(place: number, token: number, device: Netdev | null): void {
    const at = portAddress(this.#plan, place);
    const rxProducer = this.#views.getU32(at + L.PORT_RX_PRODUCER);
    const rxConsumer = this.#views.getU32(at + L.PORT_RX_CONSUMER);
    const txProducer = this.#views.getU32(at + L.PORT_TX_PRODUCER);
    const txConsumer = this.#views.getU32(at + L.PORT_TX_CONSUMER);
    const indices = { rxProducer, rxConsumer, txProducer, txConsumer };
    this.#ports = [...this.#ports, { place, at, token, device, isClosed: false, ...indices }];
    this.#wasm.process(this.#w, place, 0, this.#now);
  }
}
