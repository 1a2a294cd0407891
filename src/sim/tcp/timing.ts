/** How long to wait for an acknowledgment (RFC 6298). */
import { MILLISECOND, type Micros, SECOND } from '../../lib/clock.ts';

/** RFC 6298 §2.4 asks for a second; what is deployed uses this. */
const RTO_MIN: Micros = 200 * MILLISECOND;
const RTO_MAX: Micros = 60 * SECOND;
const RTO_INITIAL: Micros = SECOND;
const GRANULARITY: Micros = MILLISECOND;

export class RetransmissionTimeout {
  #smoothed: Micros | null = null;
  #variation: Micros = 0;
  #timeout: Micros = RTO_INITIAL;

  get timeout(): Micros {
    return this.#timeout;
  }

  /** A round trip of a segment that was sent once only (Karn's rule). */
  measured(roundTrip: Micros): void {
    if (this.#smoothed === null) {
      this.#smoothed = roundTrip;
      this.#variation = roundTrip / 2;
    } else {
      this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - roundTrip);
      this.#smoothed = 0.875 * this.#smoothed + 0.125 * roundTrip;
    }
    const timeout = this.#smoothed + Math.max(GRANULARITY, 4 * this.#variation);
    this.#timeout = Math.min(RTO_MAX, Math.max(RTO_MIN, timeout));
  }

  backOff(): void {
    this.#timeout = Math.min(RTO_MAX, this.#timeout * 2);
  }
}
