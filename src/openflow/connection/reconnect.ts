/** When to try again: waits double from one second to a limit, and begin anew after a connection that has held. */
import { type Micros, SECOND } from '../../lib/clock.ts';

export type ReconnectState = 'backoff' | 'connecting' | 'active';

export class Reconnect {
  #state: ReconnectState = 'backoff';
  #wait: Micros = 0;
  #since: Micros;
  #waitMax: Micros;

  /** @param waitMax longest wait between two attempts (max_backoff; at least a second) */
  constructor(now: Micros, waitMax: Micros = 8 * SECOND) {
    this.#since = now;
    this.#waitMax = Math.max(SECOND, waitMax);
  }

  setWaitMax(waitMax: Micros): void {
    this.#waitMax = Math.max(SECOND, waitMax);
    this.#wait = Math.min(this.#wait, this.#waitMax);
  }

  get state(): ReconnectState {
    return this.#state;
  }

  /** How long an attempt, with its hello, may take. */
  get attemptMax(): Micros {
    return Math.max(SECOND, this.#wait);
  }

  /** When to connect, or when an attempt has taken too long; null when there is nothing to wait for. */
  wakeAt(): Micros | null {
    if (this.#state === 'active') return null;
    return this.#since + (this.#state === 'backoff' ? this.#wait : this.attemptMax);
  }

  /** Whether to connect now; the answer yes begins the attempt. */
  run(now: Micros): boolean {
    if (this.#state !== 'backoff' || now < this.#since + this.#wait) return false;
    this.#state = 'connecting';
    this.#since = now;
    return true;
  }

  /** Whether the attempt under way has taken too long: the owner ends it and says disconnected(). */
  hasTimedOut(now: Micros): boolean {
    return this.#state === 'connecting' && now >= this.#since + this.attemptMax;
  }

  connected(now: Micros): void {
    this.#state = 'active';
    this.#since = now;
  }

  /** The connection ended, or could not be made. */
  disconnected(now: Micros): void {
    const held = this.#state === 'active' && now - this.#since >= this.#wait;
    this.#wait = held || this.#wait === 0 ? SECOND : Math.min(this.#waitMax, 2 * this.#wait);
    this.#state = 'backoff';
    this.#since = now;
  }
}
