/**
 * Fail-open: what a bridge in fail-mode standalone does when no controller answers. After three times the longest probe interval
 * (one for silence, one for the probe, one to connect again) it switches by itself, until a controller takes it over.
 */
import { type Micros, SECOND } from '../../lib/clock.ts';

const INTERVALS = 3;

export class FailOpen {
  readonly #changed: (isOpen: boolean) => void;
  readonly #log: (level: 'info' | 'warn' | 'error', text: string) => void;
  readonly #bridge: string;
  #isOpen = false;
  #opensAt: Micros | null = null;

  constructor(
    bridge: string,
    changed: (isOpen: boolean) => void,
    log: (level: 'info' | 'warn' | 'error', text: string) => void,
  ) {
    this.#bridge = bridge;
    this.#changed = changed;
    this.#log = log;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  wakeAt(): Micros | null {
    return this.#isOpen ? null : this.#opensAt;
  }

  #set(isOpen: boolean): void {
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    this.#changed(isOpen);
  }

  /**
   * @param failing since when no controller has the switch in hand; null: one has, or fail-open is not for this bridge
   * @param probeInterval longest one of the controllers
   */
  run(now: Micros, failing: Micros | null, probeInterval: Micros): void {
    if (failing === null) {
      this.#opensAt = null;
      if (this.#isOpen) this.#log('warn', `${this.#bridge}: No longer in fail-open mode`);
      this.#set(false);
      return;
    }
    this.#opensAt = failing + INTERVALS * Math.max(SECOND, probeInterval);
    if (this.#isOpen || now < this.#opensAt) return;
    const seconds = Math.floor((now - failing) / SECOND);
    this.#log(
      'warn',
      `${this.#bridge}: Could not connect to controller (or switch failed controller's post-connection admission control ` +
        `policy) for ${seconds} seconds, failing open`,
    );
    this.#set(true);
  }
}
