/**
 * The wheel around a switch between real devices: turns while there is work, sleeps when there is none.
 *
 * What. A turn is one poll of the switch. After a turn with frames comes another, by setImmediate, so that sockets and
 * timers are served between any two. Without frames the thread sleeps in the event loop itself, with the devices' descriptors
 * in the loop's epoll set (NativeWaker): a frame, a socket and a timer wake it alike.
 *
 * Terms. *Spinning*: turning on for some microseconds after the last frame, as a wake-up costs more than a turn. How long
 * follows from how long the sleeps are: it grows while they are short, and is halved by each long one, down to none.
 *
 * Invariants. A sleep ends when a frame comes, when the switch has something to do (nextWake), and after SLEEP_MAX. The first
 * sleeps after work are short, as a device without room for what it should send has no way to call. A device whose descriptor
 * is always ready but brings nothing does not keep the thread busy.
 *
 * Not supported: waking for devices without a descriptor: they are looked at when a sleep ends, or after wake().
 */
import { attempt, loadNative, type NativeWaker } from '../../backends/native/index.ts';
import { MILLISECOND, type Micros } from '../lib/clock.ts';

/** What the runner needs of a switch. */
export interface Turnable {
  poll(now: Micros): number;
  nextWake(now: Micros): Micros | null;
}

export interface RunnerOptions {
  /** Microseconds; never goes back. */
  readonly now: () => Micros;
  /** Spinning at the most; 100 µs when left out, 0 for none. */
  readonly spinMax?: Micros;
  /** Called after every turn. */
  readonly onTurn?: (now: Micros) => void;
  /** Called with what a turn threw; the runner has stopped. */
  readonly onError: (error: unknown) => void;
}

export interface RunnerCounters {
  turns: number;
  frames: number;
  sleeps: number;
  /** Sleeps that a descriptor ended. */
  wakes: number;
  /** Wakes in a row that brought no frame, so that a pause was made. */
  pauses: number;
}

/** Devices that have no descriptor to wait on lack the property, or it is null at the moment. */
const descriptorOf = (device: object): number | null => (device as { readonly fd?: number | null }).fd ?? null;

/** A device's further queues, which have descriptors of their own. */
const queuesBehind = (device: object): readonly object[] =>
  (device as { readonly queues?: readonly object[] }).queues ?? [];

const SPIN_MAX: Micros = 100;
const SPIN_START: Micros = 10;
const SLEEP_FIRST: Micros = MILLISECOND;
const SLEEP_MAX: Micros = 100 * MILLISECOND;
/** Wakes in a row without a frame that are taken for chance. */
const IDLE_WAKES_MAX = 64;

export class Runner {
  readonly counters: RunnerCounters = { turns: 0, frames: 0, sleeps: 0, wakes: 0, pauses: 0 };
  readonly #switch: Turnable;
  readonly #options: RunnerOptions;
  readonly #spinMax: Micros;
  /** Null where there is no addon: then there are no devices with descriptors either. */
  readonly #waker: NativeWaker | null;
  /** The descriptor that each device has in the set; null for none. */
  readonly #watched = new Map<object, number | null>();
  #isRunning = false;
  #isAsleep = false;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #spin: Micros = 0;
  #sleep: Micros = SLEEP_FIRST;
  #asleepSince: Micros = 0;
  #lastWork: Micros = 0;
  #idleWakes = 0;

  constructor(target: Turnable, options: RunnerOptions) {
    this.#switch = target;
    this.#options = options;
    this.#spinMax = options.spinMax ?? SPIN_MAX;
    const addon = loadNative();
    const waker = addon.ok ? attempt(() => new addon.value.Waker(this.#woken)) : addon;
    this.#waker = waker.ok ? waker.value : null;
  }

  /** Wakes for this device as well. */
  watch(device: object): void {
    this.#watched.set(device, null);
    for (const queue of queuesBehind(device)) this.#watched.set(queue, null);
    this.wake();
  }

  /** To be called before the device is closed. */
  unwatch(device: object): void {
    for (const queue of queuesBehind(device)) this.unwatch(queue);
    const fd = this.#watched.get(device);
    if (fd !== undefined && fd !== null) this.#waker?.remove(fd);
    this.#watched.delete(device);
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#lastWork = this.#options.now();
    this.#immediate = setImmediate(this.#turn);
  }

  /** There may be something to do that no descriptor tells of: a change of configuration. */
  wake(): void {
    if (!this.#isAsleep) return;
    this.#awake();
    this.#immediate = setImmediate(this.#turn);
  }

  /** Stops turning; may be started again. */
  stop(): void {
    this.#isRunning = false;
    clearImmediate(this.#immediate);
    if (this.#isAsleep) this.#awake();
  }

  /** For good. */
  close(): void {
    this.stop();
    this.#waker?.close();
    this.#watched.clear();
  }

  readonly #woken = (): void => {
    if (!this.#isAsleep) return;
    this.counters.wakes++;
    this.#awake();
    const slept = this.#options.now() - this.#asleepSince;
    // A sleep that spinning would have bridged was not worth its price
    if (slept <= this.#spinMax) this.#spin = Math.min(this.#spinMax, Math.max(SPIN_START, this.#spin * 2));
    else this.#spin = this.#spin > SPIN_START ? this.#spin / 2 : 0;
    this.#idleWakes++;
    this.#turn();
  };

  #awake(): void {
    this.#isAsleep = false;
    clearTimeout(this.#timer);
    this.#waker?.disarm();
  }

  readonly #timeOver = (): void => {
    if (!this.#isAsleep) return;
    this.#awake();
    this.#idleWakes = Math.min(this.#idleWakes, IDLE_WAKES_MAX - 1);
    this.#turn();
  };

  readonly #turn = (): void => {
    if (!this.#isRunning) return;
    try {
      this.#poll();
    } catch (error) {
      this.#isRunning = false;
      this.#options.onError(error);
    }
  };

  #poll(): void {
    const now = this.#options.now();
    const frames = this.#switch.poll(now);
    this.counters.turns++;
    this.counters.frames += frames;
    this.#options.onTurn?.(now);
    if (!this.#isRunning) return;
    if (frames > 0) {
      this.#lastWork = this.#options.now();
      this.#sleep = SLEEP_FIRST;
      this.#idleWakes = 0;
    }
    const mayTurnOn = frames > 0 || now - this.#lastWork < this.#spin;
    if (mayTurnOn || !this.#fallAsleep(now)) this.#immediate = setImmediate(this.#turn);
  }

  /** False when there is something to do already. */
  #fallAsleep(now: Micros): boolean {
    const wakeAt = this.#switch.nextWake(now);
    const isPause = this.#idleWakes >= IDLE_WAKES_MAX;
    const length = Math.min(isPause ? SLEEP_FIRST : this.#sleep, wakeAt === null ? SLEEP_MAX : wakeAt - now);
    if (length <= 0) return false;
    this.#sleep = Math.min(SLEEP_MAX, this.#sleep * 2);
    this.#isAsleep = true;
    this.counters.sleeps++;
    this.#asleepSince = this.#options.now();
    this.#timer = setTimeout(this.#timeOver, Math.ceil(length / MILLISECOND));
    if (isPause) this.counters.pauses++;
    else this.#arm();
    return true;
  }

  #arm(): void {
    if (!this.#waker) return;
    const changed = [...this.#watched].filter(([device, old]) => descriptorOf(device) !== old);
    // All removals come first: the number of a descriptor that was closed may be another device's by now
    for (const [, old] of changed) if (old !== null) this.#waker.remove(old);
    for (const [device] of changed) {
      const fd = descriptorOf(device);
      if (fd !== null) this.#waker.add(fd);
      this.#watched.set(device, fd);
    }
    this.#waker.arm();
  }
}
