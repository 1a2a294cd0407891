/** When to try again: waits double from one second to a limit, and begin anew after a connection that has held. */
import { type Micros, SECOND } from '../../lib/clock.ts';

export type ReconnectState = 'backoff' | 'connecting' | 'active';

export class Reconnect {
  #state: ReconnectState = 'backoff';
  #wait: Micros = 0;
  #since: Micros;
  readonly #waitMax: Micros;

  /** @param waitMax longest wait between two attempts (max_backoff; at least a second) */
  constructor(now: Micros, waitMax: Micros = 8 * SECOND) {
    this.#since = now;
    this.#waitMax = Math.max(SECOND, waitMax);
  }

  get state(): ReconnectState {
    return this.#state;
  }

  /** When to connect; null when there is nothing to wait for. */
  wakeAt(): Micros | null {
    return this.#state === 'backoff' ? this.#since + this.#wait : null;
  }

  /** Whether to connect now; the answer yes begins the attempt. */
  run(now: Micros): boolean {
    const at = this.wakeAt();
    if (at === null || now < at) return false;
    this.#state = 'connecting';
    this.#since = now;
    return true;
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
