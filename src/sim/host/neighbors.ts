/** Who has which address on the link: the cache behind ARP (RFC 826) and neighbour discovery (RFC 4861 §7). */

import { toHex } from '../../lib/bytes.ts';
import { type Micros, SECOND } from '../../lib/clock.ts';
import type { Scheduler, Timer } from '../scheduler.ts';

/** RFC 4861 §10: RETRANS_TIMER and MAX_MULTICAST_SOLICIT. */
const RETRANSMIT: Micros = SECOND;
const SOLICITATIONS_MAX = 3;
/** An entry nobody confirmed for so long is asked for again. */
const LIFETIME: Micros = 60 * SECOND;
/** Packets that wait for one address. */
const WAITING_MAX = 64;
const ENTRIES_MAX = 4096;

/** Told the MAC address, or null when nobody answered. */
type Waiting = (mac: Uint8Array | null) => void;

interface Entry {
  mac: Uint8Array | null;
  confirmed: Micros;
  waiting: Waiting[];
  solicitations: number;
  timer: Timer | null;
}

export class Neighbors {
  readonly #scheduler: Scheduler;
  readonly #solicit: (address: Uint8Array) => void;
  readonly #entries = new Map<string, Entry>();
  /** Packets that found no answer, or too many others waiting for one. */
  unresolved = 0;

  /** @param solicit sends one request for the address */
  constructor(scheduler: Scheduler, solicit: (address: Uint8Array) => void) {
    this.#scheduler = scheduler;
    this.#solicit = solicit;
  }

  /** Calls back at once when the address is known, else when it is answered or given up. */
  resolve(address: Uint8Array, ready: Waiting): void {
    const key = toHex(address);
    const entry = this.#entries.get(key);
    if (entry?.mac && this.#scheduler.now() - entry.confirmed < LIFETIME) {
      ready(entry.mac);
      return;
    }
    if (entry?.timer) {
      if (entry.waiting.length < WAITING_MAX) entry.waiting.push(ready);
      else {
        this.unresolved++;
        ready(null);
      }
      return;
    }
    const asked: Entry = { mac: null, confirmed: 0, waiting: [ready], solicitations: 0, timer: null };
    this.#makeRoom();
    this.#entries.set(key, asked);
    this.#ask(key, address, asked);
  }

  /** An answer, or a request that tells its sender's address. `create` false: only refresh what is there. */
  confirm(address: Uint8Array, mac: Uint8Array, create: boolean): void {
    const key = toHex(address);
    let entry = this.#entries.get(key);
    if (!entry) {
      if (!create) return;
      this.#makeRoom();
      entry = { mac: null, confirmed: 0, waiting: [], solicitations: 0, timer: null };
      this.#entries.set(key, entry);
    }
    entry.mac = mac;
    entry.confirmed = this.#scheduler.now();
    entry.timer?.cancel();
    entry.timer = null;
    const { waiting } = entry;
    entry.waiting = [];
    for (const ready of waiting) ready(mac);
  }

  /** Forgets everything: the link was pulled. */
  flush(): void {
    for (const [key, entry] of this.#entries) if (!entry.timer) this.#entries.delete(key);
  }

  #ask(key: string, address: Uint8Array, entry: Entry): void {
    if (entry.solicitations === SOLICITATIONS_MAX) {
      this.#entries.delete(key);
      this.unresolved += entry.waiting.length;
      for (const ready of entry.waiting) ready(null);
      return;
    }
    entry.solicitations++;
    entry.timer = this.#scheduler.after(RETRANSMIT, () => this.#ask(key, address, entry));
    this.#solicit(address);
  }

  /** The oldest resolved entry goes when the table is full. */
  #makeRoom(): void {
    if (this.#entries.size < ENTRIES_MAX) return;
    for (const [key, entry] of this.#entries) {
      if (entry.timer) continue;
      this.#entries.delete(key);
      return;
    }
  }
}
