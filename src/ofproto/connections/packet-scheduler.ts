/**
 * The limit on packet-ins of one connection (controller_rate_limit, controller_burst_limit): a token bucket, and behind it a
 * queue for each port, served in turn. When the queues are full, the oldest packet-in of the longest one is dropped.
 */
import type { Micros } from '../../lib/clock.ts';

const RATE_DEFAULT = 1000;
/** Packet-ins that leave the queues in one run. */
const RUN_MAX = 50;

export interface SchedulerCounters {
  readonly backlog: number;
  readonly bypassed: number;
  readonly queued: number;
  readonly dropped: number;
}

/** The limits that hold: packet-ins a second, and at once. */
function limits(rate: number, burst: number): { rate: number; burst: number } {
  const r = rate > 0 ? rate : RATE_DEFAULT;
  return { rate: r, burst: Math.max(1, burst > 0 ? burst : Math.floor(r / 4)) };
}

export class PacketScheduler {
  #rate: number;
  #burst: number;
  /** Packet-ins that may go now; a fraction is on its way. */
  #tokens = 0;
  #filled: Micros | null = null;
  readonly #queues = new Map<number, Uint8Array[]>();
  #lastPort = -1;
  #backlog = 0;
  #bypassed = 0;
  #queued = 0;
  #dropped = 0;

  constructor(rate: number, burst: number) {
    ({ rate: this.#rate, burst: this.#burst } = limits(rate, burst));
  }

  configure(rate: number, burst: number): void {
    ({ rate: this.#rate, burst: this.#burst } = limits(rate, burst));
    while (this.#backlog > this.#burst) this.#dropOne();
  }

  get counters(): SchedulerCounters {
    return { backlog: this.#backlog, bypassed: this.#bypassed, queued: this.#queued, dropped: this.#dropped };
  }

  #fill(now: Micros): void {
    if (this.#filled === null) this.#tokens = this.#burst;
    else this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filled) * this.#rate) / 1e6);
    this.#filled = now;
  }

  #takeToken(now: Micros): boolean {
    this.#fill(now);
    // A millionth is what rounding of the sum above may have lost
    if (this.#tokens < 1 - 1e-6) return false;
    this.#tokens = Math.max(0, this.#tokens - 1);
    return true;
  }

  #dropOne(): void {
    let [longest, size] = [-1, 0];
    for (const [port, queue] of this.#queues) if (queue.length > size) [longest, size] = [port, queue.length];
    if (size === 0) return;
    this.#takeFrom(longest);
    this.#dropped++;
  }

  #takeFrom(port: number): Uint8Array {
    const queue = this.#queues.get(port)!;
    const message = queue.shift()!;
    if (queue.length === 0) this.#queues.delete(port);
    this.#backlog--;
    return message;
  }

  /** True: the message may go now. Else it is kept, for run(). @param port where the packet came in */
  send(port: number, message: Uint8Array, now: Micros): boolean {
    if (this.#backlog === 0 && this.#takeToken(now)) {
      this.#bypassed++;
      return true;
    }
    if (this.#backlog >= this.#burst) this.#dropOne();
    const queue = this.#queues.get(port) ?? [];
    queue.push(message);
    this.#queues.set(port, queue);
    this.#backlog++;
    this.#queued++;
    return false;
  }

  /** The port after the last one served. */
  #nextPort(): number {
    const ports = [...this.#queues.keys()].sort((a, b) => a - b);
    return ports.find((port) => port > this.#lastPort) ?? ports[0]!;
  }

  /** What may go now. */
  run(now: Micros): Uint8Array[] {
    const messages: Uint8Array[] = [];
    while (this.#backlog > 0 && messages.length < RUN_MAX && this.#takeToken(now)) {
      this.#lastPort = this.#nextPort();
      messages.push(this.#takeFrom(this.#lastPort));
    }
    return messages;
  }

  /** When run() has something; null for never. */
  wakeAt(): Micros | null {
    if (this.#backlog === 0 || this.#filled === null) return null;
    return this.#filled + Math.ceil(((1 - this.#tokens) * 1e6) / this.#rate);
  }
}
