/**
 * The tunnel neighbour cache: MAC addresses of the next hops that tunnels send to, learned from ARP replies and
 * neighbour advertisements that reach a bridge's own addresses (RFC 826, RFC 4861).
 *
 * Invariants. An entry lives for fifteen minutes after it was last used or confirmed. A question is asked at most once a
 * second for each address. `generation` changes when an answer of lookup() may have become another one.
 */
import { equalBytes, toHex } from '../lib/bytes.ts';
import { type Micros, SECOND } from '../lib/clock.ts';

export const NEIGHBOR_AGING_DEFAULT: Micros = 900 * SECOND;
const QUESTION_INTERVAL: Micros = SECOND;
/** Entries at the most; the oldest goes for a new one. */
const NEIGHBORS_MAX = 65536;
const QUESTIONS_MAX = 4096;

export interface NeighborEntry {
  readonly bridge: string;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly mac: Uint8Array;
  readonly isStatic: boolean;
}

interface Entry extends NeighborEntry {
  expires: Micros;
}

/** A next hop to be asked for. */
export interface NeighborQuestion {
  readonly bridge: string;
  readonly address: Uint8Array;
  /** Address of ours to ask from. */
  readonly source: Uint8Array;
}

const keyOf = (bridge: string, address: Uint8Array): string => `${bridge}|${toHex(address)}`;

export class NeighborCache {
  readonly #entries = new Map<string, Entry>();
  /** When each address was last asked for. */
  readonly #asked = new Map<string, Micros>();
  #pending: NeighborQuestion[] = [];
  /** Nothing expires, and no question may be forgotten, before this time. */
  #nextRun: Micros = Infinity;
  #aging: Micros;
  #generation = 0;

  constructor(aging: Micros = NEIGHBOR_AGING_DEFAULT) {
    this.#aging = aging;
  }

  get generation(): number {
    return this.#generation;
  }

  get size(): number {
    return this.#entries.size;
  }

  lookup(bridge: string, address: Uint8Array, now: Micros): Uint8Array | null {
    const entry = this.#entries.get(keyOf(bridge, address));
    return entry && now < entry.expires ? entry.mac : null;
  }

  /** Keeps an entry that traffic uses. */
  refresh(bridge: string, address: Uint8Array, now: Micros): void {
    const entry = this.#entries.get(keyOf(bridge, address));
    if (entry && now < entry.expires && !entry.isStatic) entry.expires = now + this.#aging;
  }

  /** Learns, or moves. Static entries stay as they are. */
  learn(bridge: string, address: Uint8Array, mac: Uint8Array, now: Micros): void {
    const key = keyOf(bridge, address);
    const old = this.#entries.get(key);
    if (old?.isStatic) return;
    const isSame = old !== undefined && now < old.expires && equalBytes(old.mac, mac);
    if (isSame) {
      old.expires = now + this.#aging;
      return;
    }
    this.#put(key, { bridge, address: address.slice(), mac: mac.slice(), isStatic: false, expires: now + this.#aging });
  }

  setStatic(bridge: string, address: Uint8Array, mac: Uint8Array): void {
    const entry = { bridge, address: address.slice(), mac: mac.slice(), isStatic: true, expires: Infinity };
    this.#put(keyOf(bridge, address), entry);
  }

  #put(key: string, entry: Entry): void {
    if (!this.#entries.has(key) && this.#entries.size >= NEIGHBORS_MAX) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, entry);
    this.#nextRun = Math.min(this.#nextRun, entry.expires);
    this.#asked.delete(key);
    this.#generation++;
  }

  /** Asks for a next hop, unless that was done within the last second. */
  request(question: NeighborQuestion, now: Micros): void {
    const key = keyOf(question.bridge, question.address);
    const last = this.#asked.get(key);
    if (last !== undefined && now - last < QUESTION_INTERVAL) return;
    if (this.#asked.size >= QUESTIONS_MAX) this.#asked.clear();
    this.#asked.set(key, now);
    this.#nextRun = Math.min(this.#nextRun, now + QUESTION_INTERVAL);
    this.#pending.push({
      bridge: question.bridge,
      address: question.address.slice(),
      source: question.source.slice(),
    });
  }

  /** Questions to put on the wire now; each is handed out once. */
  takeQuestions(): NeighborQuestion[] {
    const questions = this.#pending;
    this.#pending = [];
    return questions;
  }

  /** Ages. Most calls find that it is too early for anything. */
  run(now: Micros): void {
    if (now < this.#nextRun) return;
    this.#nextRun = Infinity;
    for (const [key, entry] of this.#entries) {
      if (now >= entry.expires) {
        this.#entries.delete(key);
        this.#generation++;
      } else this.#nextRun = Math.min(this.#nextRun, entry.expires);
    }
    for (const [key, at] of this.#asked) {
      if (now - at >= QUESTION_INTERVAL) this.#asked.delete(key);
      else this.#nextRun = Math.min(this.#nextRun, at + QUESTION_INTERVAL);
    }
  }

  wakeAt(): Micros | null {
    let first = Infinity;
    for (const { expires } of this.#entries.values()) first = Math.min(first, expires);
    return Number.isFinite(first) ? first : null;
  }

  flush(bridge?: string): void {
    for (const [key, entry] of this.#entries) {
      if (bridge === undefined || entry.bridge === bridge) this.#entries.delete(key);
    }
    this.#generation++;
  }

  entries(): NeighborEntry[] {
    return [...this.#entries.values()];
  }
}
