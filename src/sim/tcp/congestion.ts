/** How much may be under way: slow start, congestion avoidance, fast recovery (RFC 5681, NewReno RFC 6582). */
import { seqDiff } from './sequence.ts';

const DUPLICATES_FOR_RETRANSMIT = 3;

/** What to do after an acknowledgment. */
export type Reaction = 'none' | 'retransmit';

export class Congestion {
  readonly #mss: number;
  window: number;
  #threshold = 0x7fffffff;
  #duplicates = 0;
  /** Highest sequence number sent when recovery began; null outside recovery. */
  #recover: number | null = null;
  /** Losses up to here were reacted to already. */
  #reactedUpTo: number | null = null;

  constructor(mss: number) {
    this.#mss = mss;
    // RFC 6928: ten segments
    this.window = Math.min(10 * mss, Math.max(2 * mss, 14600));
  }

  /** @param acked bytes newly acknowledged, @param una the new oldest unacknowledged number */
  acknowledged(acked: number, una: number): Reaction {
    this.#duplicates = 0;
    if (this.#recover !== null) {
      if (seqDiff(una, this.#recover) >= 0) {
        this.#recover = null;
        this.window = this.#threshold;
        return 'none';
      }
      // A partial acknowledgment: the next hole is lost too
      this.window = Math.max(this.#mss, this.window - acked + this.#mss);
      return 'retransmit';
    }
    if (this.window < this.#threshold) this.window += Math.min(acked, this.#mss);
    else this.window += Math.max(1, Math.floor((this.#mss * this.#mss) / this.window));
    return 'none';
  }

  /** @param flight bytes under way, @param una oldest unacknowledged, @param max highest sequence number sent */
  duplicate(flight: number, una: number, max: number): Reaction {
    this.#duplicates++;
    if (this.#recover !== null) {
      this.window += this.#mss;
      return 'none';
    }
    if (this.#duplicates !== DUPLICATES_FOR_RETRANSMIT) return 'none';
    if (this.#reactedUpTo !== null && seqDiff(una, this.#reactedUpTo) < 0) return 'none';
    this.#threshold = Math.max(2 * this.#mss, Math.floor(flight / 2));
    this.window = this.#threshold + DUPLICATES_FOR_RETRANSMIT * this.#mss;
    this.#recover = max;
    this.#reactedUpTo = max;
    return 'retransmit';
  }

  timedOut(flight: number, max: number): void {
    this.#threshold = Math.max(2 * this.#mss, Math.floor(flight / 2));
    this.window = this.#mss;
    this.#duplicates = 0;
    this.#recover = null;
    this.#reactedUpTo = max;
  }
}
