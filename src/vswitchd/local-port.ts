/**
 * The device behind a bridge's local port when nothing else stands there: it takes what the switch sends it, shows it to
 * an embedded host when there is one, and brings the host's answers back in.
 */
import type { Micros } from '../lib/clock.ts';
import { ok, type Result } from '../lib/result.ts';
import type { Netdev, NetdevStats } from '../netdev/netdev.ts';
import type { DeviceRings, FrameVisitor } from '../netdev/rings.ts';

/** Answers to a frame, each a frame; the frame is valid during the call only. */
export type LocalHost = (frame: Uint8Array) => readonly Uint8Array[];

/** Answers that wait for a free chunk at the most. */
const QUEUE_MAX = 256;

export class LocalPort implements Netdev {
  readonly name: string;
  readonly type = 'internal';
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly isUp = true;
  /** Frames that the switch sent here. */
  taken = 0;
  /** Frames that came from here. */
  delivered = 0;
  readonly #host: LocalHost | null;
  #rings: DeviceRings | null = null;
  #answers: Uint8Array[] = [];
  #dropped = 0;

  constructor(name: string, mac: Uint8Array, host: LocalHost | null, mtu = 1500) {
    this.name = name;
    this.mac = mac;
    this.#host = host;
    this.mtu = mtu;
  }

  /** Answers that the next poll() brings in. */
  get pending(): number {
    return this.#answers.length;
  }

  attach(rings: DeviceRings): Result<void> {
    this.#rings = rings;
    return ok(undefined);
  }

  poll(_now: Micros): number {
    const answers = this.#answers;
    if (answers.length === 0 || !this.#rings) return 0;
    this.#answers = [];
    let count = 0;
    for (const answer of answers) if (this.#rings.deliver(answer)) count++;
    this.#dropped += answers.length - count;
    this.delivered += count;
    return count;
  }

  flush(_now: Micros): number {
    return this.#rings ? this.#rings.take(this.#visit) : 0;
  }

  readonly #visit: FrameVisitor = (memory, start, size) => {
    this.taken++;
    if (!this.#host) return;
    for (const answer of this.#host(memory.subarray(start, start + size))) {
      if (this.#answers.length < QUEUE_MAX) this.#answers.push(answer);
      else this.#dropped++;
    }
  };

  stats(): NetdevStats {
    return { rxDropped: this.#dropped, rxErrors: 0, txDropped: 0, txErrors: 0 };
  }

  close(): void {
    this.#rings = null;
    this.#answers = [];
  }
}
