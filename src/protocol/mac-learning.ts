/**
 * MAC learning: which port an address was last seen on, one table a bridge, one name space a VLAN.
 *
 * Terms. *Entry*: address and VLAN → port. *Static*: put there by an administrator: never ages, never moves.
 * *Lock*: after a gratuitous ARP from a port that is not a bond, gratuitous ARPs that come back over a bond do not move
 * the entry for five seconds.
 *
 * Invariants. At most `entriesMax` learned entries: when there is no room, the port with the most entries gives up its
 * least recently used one, so that one port that floods addresses cannot push out those of the others. `generation`
 * changes with every change that could make a forwarding decision another one (a refresh is none).
 *
 * Not supported: VLANs in which nothing is learned (flood_vlans).
 */
import { formatMac } from '../lib/addresses.ts';
import { type Micros, SECOND } from '../lib/clock.ts';

export const MAC_AGING_DEFAULT: Micros = 300 * SECOND;
export const MAC_ENTRIES_DEFAULT = 8192;
/** How long a gratuitous ARP holds an entry where it is. */
const GRATUITOUS_ARP_LOCK: Micros = 5 * SECOND;
/** An entry is written to again only when it is this old: refreshing at every packet would be in vain. */
const REFRESH_AGE: Micros = SECOND;

/** A source address seen. */
export interface MacObservation {
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** 0 to 4095. */
  readonly vlan: number;
  /** Name of the port (a bundle, when there are bonds). */
  readonly port: string;
  readonly isGratuitousArp: boolean;
  readonly isBond?: boolean;
}

/** A line of `ovs-appctl fdb/show`. */
export interface MacEntryInfo {
  readonly mac: Uint8Array;
  readonly vlan: number;
  readonly port: string;
  /** Microseconds since it was last seen; 'static' for entries that do not age. */
  readonly age: Micros | 'static';
}

interface Entry {
  readonly mac: Uint8Array;
  readonly vlan: number;
  readonly id: number;
  readonly isStatic: boolean;
  port: string;
  seen: Micros;
  lockedUntil: Micros;
}

export interface MacLearningCounters {
  learned: number;
  moved: number;
  expired: number;
  evicted: number;
}

const macNumber = (mac: Uint8Array): number =>
  (mac[0]! * 256 + mac[1]!) * 2 ** 32 + (((mac[2]! << 24) | (mac[3]! << 16) | (mac[4]! << 8) | mac[5]!) >>> 0);

export class MacLearning {
  readonly counters: MacLearningCounters = { learned: 0, moved: 0, expired: 0, evicted: 0 };
  #aging: Micros;
  #entriesMax: number;
  #generation = 0;
  /** VLAN → address → entry. */
  readonly #vlans = new Map<number, Map<number, Entry>>();
  /** VLANs in which nothing is learned. */
  #floodVlans: ReadonlySet<number> = new Set();
  /** Learned entries, least recently used first. */
  readonly #lru = new Set<Entry>();
  /** The same by port. */
  readonly #ports = new Map<string, Set<Entry>>();
  #staticCount = 0;

  constructor(aging: Micros = MAC_AGING_DEFAULT, entriesMax: number = MAC_ENTRIES_DEFAULT) {
    this.#aging = aging;
    this.#entriesMax = entriesMax;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Entries, static ones included. */
  get size(): number {
    return this.#lru.size + this.#staticCount;
  }

  /** Takes effect at once; entries beyond a smaller limit go at the next run(). */
  configure(aging: Micros, entriesMax: number): void {
    this.#aging = aging;
    this.#entriesMax = entriesMax;
  }

  /** What was learned in other VLANs than the new ones is forgotten too. */
  set floodVlans(vlans: ReadonlySet<number>) {
    if (vlans.size === this.#floodVlans.size && [...vlans].every((vlan) => this.#floodVlans.has(vlan))) return;
    this.#floodVlans = vlans;
    this.flush();
  }

  /** The port an address is on; null when it is not known. An expired entry is not known, though run() has not come yet. */
  lookup(mac: Uint8Array, vlan: number, now: Micros): string | null {
    if ((mac[0]! & 1) !== 0) return null;
    const entry = this.#find(mac, vlan);
    return entry && !this.#isExpired(entry, now) ? entry.port : null;
  }

  /** Whether learn() would change or refresh anything. */
  #wouldLearn(seen: MacObservation, now: Micros): boolean {
    if ((seen.mac[0]! & 1) !== 0 || this.#floodVlans.has(seen.vlan)) return false;
    const entry = this.#find(seen.mac, seen.vlan);
    if (!entry) return true;
    if (entry.isStatic) return false;
    // News of a while ago, which a megaflow's counters bring, does not move what was seen elsewhere since
    if (entry.port !== seen.port && now < entry.seen) return false;
    if (now - entry.seen >= REFRESH_AGE) return true;
    if (seen.isGratuitousArp) {
      if (!seen.isBond) return true;
      if (now < entry.lockedUntil) return false;
    }
    return entry.port !== seen.port;
  }

  /** Learns from a frame. Returns true when a forwarding decision may have changed. */
  learn(seen: MacObservation, now: Micros): boolean {
    if (!this.#wouldLearn(seen, now)) return false;
    let entry = this.#find(seen.mac, seen.vlan);
    if (entry && this.#isExpired(entry, now)) {
      this.#remove(entry);
      this.counters.expired++;
      entry = undefined;
    }
    const isNew = entry === undefined;
    entry ??= this.#insert(seen, now);
    // A credit for packets of a while ago does not make it older
    entry.seen = Math.max(entry.seen, now);
    this.#lru.delete(entry);
    this.#lru.add(entry);
    this.#leavePort(entry);
    const moves = entry.port !== seen.port && !this.#isHeld(entry, seen, now);
    if (moves) entry.port = seen.port;
    this.#enterPort(entry);
    if (seen.isGratuitousArp && !seen.isBond) entry.lockedUntil = now + GRATUITOUS_ARP_LOCK;
    if (isNew) this.counters.learned++;
    else if (moves) this.counters.moved++;
    if (isNew || moves) this.#generation++;
    return isNew || moves;
  }

  /** Puts an entry that does not age, in the place of a learned one when there is one. */
  addStatic(mac: Uint8Array, vlan: number, port: string): void {
    const old = this.#find(mac, vlan);
    if (old) this.#remove(old);
    const entry: Entry = this.#entry(mac, vlan, port, true, 0);
    this.#table(vlan).set(entry.id, entry);
    this.#staticCount++;
    this.#generation++;
  }

  /** False when there is no such static entry. */
  removeStatic(mac: Uint8Array, vlan: number): boolean {
    const entry = this.#find(mac, vlan);
    if (!entry?.isStatic) return false;
    this.#remove(entry);
    this.#generation++;
    return true;
  }

  /** Forgets what was learned: all of it, or what is on one port. */
  flush(port?: string): void {
    const doomed = port === undefined ? [...this.#lru] : [...(this.#ports.get(port) ?? [])];
    for (const entry of doomed) this.#remove(entry);
    if (doomed.length > 0) this.#generation++;
  }

  /** Ages. Returns true when entries went. */
  run(now: Micros): boolean {
    let count = 0;
    for (const entry of this.#lru) {
      if (!this.#isExpired(entry, now) && this.#lru.size <= this.#entriesMax) break;
      this.#remove(entry);
      this.counters.expired++;
      count++;
    }
    if (count > 0) this.#generation++;
    return count > 0;
  }

  /** When run() next has something to do; null for never. */
  wakeAt(): Micros | null {
    for (const entry of this.#lru) return entry.seen + this.#aging;
    return null;
  }

  entries(now: Micros): MacEntryInfo[] {
    const all: MacEntryInfo[] = [];
    for (const table of this.#vlans.values()) {
      for (const { mac, vlan, port, seen, isStatic } of table.values()) {
        all.push({ mac, vlan, port, age: isStatic ? 'static' : now - seen });
      }
    }
    return all.sort((a, b) => a.vlan - b.vlan || (formatMac(a.mac) < formatMac(b.mac) ? -1 : 1));
  }

  #isExpired(entry: Entry, now: Micros): boolean {
    return !entry.isStatic && now >= entry.seen + this.#aging;
  }

  #isHeld(entry: Entry, seen: MacObservation, now: Micros): boolean {
    return seen.isGratuitousArp && seen.isBond === true && now < entry.lockedUntil;
  }

  #find(mac: Uint8Array, vlan: number): Entry | undefined {
    return this.#vlans.get(vlan)?.get(macNumber(mac));
  }

  #table(vlan: number): Map<number, Entry> {
    let table = this.#vlans.get(vlan);
    if (!table) this.#vlans.set(vlan, (table = new Map()));
    return table;
  }

  #entry(mac: Uint8Array, vlan: number, port: string, isStatic: boolean, seen: Micros): Entry {
    // The address is a view of a frame or key that will be written over
    return { mac: mac.slice(), vlan, id: macNumber(mac), port, isStatic, seen, lockedUntil: 0 };
  }

  #insert({ mac, vlan, port }: MacObservation, now: Micros): Entry {
    if (this.#lru.size >= this.#entriesMax) this.#evictFairly();
    const entry = this.#entry(mac, vlan, port, false, now);
    this.#table(vlan).set(entry.id, entry);
    return entry;
  }

  #evictFairly(): void {
    let largest: Set<Entry> | null = null;
    for (const entries of this.#ports.values()) if (!largest || entries.size > largest.size) largest = entries;
    for (const entry of largest ?? []) {
      this.#remove(entry);
      this.counters.evicted++;
      this.#generation++;
      return;
    }
  }

  #remove(entry: Entry): void {
    const table = this.#table(entry.vlan);
    table.delete(entry.id);
    if (table.size === 0) this.#vlans.delete(entry.vlan);
    if (entry.isStatic) {
      this.#staticCount--;
      return;
    }
    this.#lru.delete(entry);
    this.#leavePort(entry);
  }

  #enterPort(entry: Entry): void {
    let entries = this.#ports.get(entry.port);
    if (!entries) this.#ports.set(entry.port, (entries = new Set()));
    entries.add(entry);
  }

  #leavePort(entry: Entry): void {
    const entries = this.#ports.get(entry.port);
    entries?.delete(entry);
    if (entries?.size === 0) this.#ports.delete(entry.port);
  }
}
