/** A rule of a flow table. */
import type { Conjunction, RuleId } from '../flow/classifier/index.ts';
import type { Micros } from '../lib/clock.ts';

/** Priorities above are the switch's own, and nobody sees them. */
export const PRIORITY_MAX = 0xffff;

/** OFPRR: why a rule went (OpenFlow 1.5 §7.4.2; eviction is 1.4's). */
export type RemovedReason = 'idle_timeout' | 'hard_timeout' | 'delete' | 'group_delete' | 'meter_delete' | 'eviction';

export interface RuleState<A> {
  readonly tableId: number;
  readonly priority: number;
  cookie: bigint;
  idleTimeout: number;
  hardTimeout: number;
  importance: number;
  readonly actions: A;
  readonly conjunctions: readonly Conjunction[];
  sendsRemoved: boolean;
  countsPackets: boolean;
  countsBytes: boolean;
  /** Only told: they were asked for when the rule came. */
  readonly checksOverlap?: boolean;
  readonly resetsCounts?: boolean;
}

/** Its match is in the classifier of its table, by its id: a million of them must not hold a million keys. */
export class Rule<A> {
  id: RuleId = -1;
  /** Rules put in later have higher numbers. */
  readonly serial: number;
  readonly tableId: number;
  readonly priority: number;
  cookie: bigint;
  /** Seconds; 0 for never. */
  idleTimeout: number;
  hardTimeout: number;
  importance: number;
  readonly actions: A;
  readonly conjunctions: readonly Conjunction[];
  sendsRemoved: boolean;
  countsPackets: boolean;
  countsBytes: boolean;
  /** Only told: they were asked for when the rule came. */
  checksOverlap: boolean;
  resetsCounts: boolean;
  created: Micros;
  /** The hard timeout runs from here. */
  modified: Micros;
  /** The idle timeout runs from here. */
  used: Micros;
  packets = 0;
  bytes = 0;
  removedReason: RemovedReason | null = null;
  /** The rule that has taken its place: packets that are credited late go there. */
  successor: Rule<A> | null = null;
  forwardsCounts = false;

  constructor(state: RuleState<A>, serial: number, now: Micros) {
    this.serial = serial;
    this.tableId = state.tableId;
    this.priority = state.priority;
    this.cookie = state.cookie;
    this.idleTimeout = state.idleTimeout;
    this.hardTimeout = state.hardTimeout;
    this.importance = state.importance;
    this.actions = state.actions;
    this.conjunctions = state.conjunctions;
    this.sendsRemoved = state.sendsRemoved;
    this.countsPackets = state.countsPackets;
    this.countsBytes = state.countsBytes;
    this.checksOverlap = state.checksOverlap ?? false;
    this.resetsCounts = state.resetsCounts ?? false;
    this.created = now;
    this.modified = now;
    this.used = now;
  }

  get isHidden(): boolean {
    return this.priority > PRIORITY_MAX;
  }

  get canExpire(): boolean {
    return this.idleTimeout > 0 || this.hardTimeout > 0;
  }

  /** Counts packets that hit the rule, or the one that has replaced it. @param used when the last of them did */
  credit(packets: number, bytes: number, used: Micros): void {
    if (this.successor && this.forwardsCounts) {
      this.successor.credit(packets, bytes, used);
      return;
    }
    this.packets += packets;
    this.bytes += bytes;
    if (used > this.used) this.used = used;
    if (this.successor && used > this.successor.used) this.successor.used = used;
  }

  /** What a rule keeps of the one whose place it takes. @param isModified by a modify: then all but the actions stays */
  inherit(old: Rule<A>, isModified: boolean, changesCookie: boolean, keepsCounts: boolean): void {
    if (isModified) {
      this.idleTimeout = old.idleTimeout;
      this.hardTimeout = old.hardTimeout;
      this.importance = old.importance;
      this.sendsRemoved = old.sendsRemoved;
      this.countsPackets = old.countsPackets;
      this.countsBytes = old.countsBytes;
      this.checksOverlap = old.checksOverlap;
      this.resetsCounts = old.resetsCounts;
      this.created = old.created;
    }
    if (!changesCookie) this.cookie = old.cookie;
    this.used = old.used;
    if (keepsCounts) {
      this.packets = old.packets;
      this.bytes = old.bytes;
    }
  }

  /** The first moment at which it is over, as far as is known; infinity for never. */
  expiryTime(): Micros {
    const hard = this.hardTimeout > 0 ? this.modified + this.hardTimeout * 1e6 : Number.POSITIVE_INFINITY;
    const idle = this.idleTimeout > 0 ? this.used + this.idleTimeout * 1e6 : Number.POSITIVE_INFINITY;
    return Math.min(hard, idle) + 1;
  }

  /** Why it is over by now; null when it is not. */
  expiryAt(now: Micros): 'hard_timeout' | 'idle_timeout' | null {
    if (this.hardTimeout > 0 && now > this.modified + this.hardTimeout * 1e6) return 'hard_timeout';
    return this.idleTimeout > 0 && now > this.used + this.idleTimeout * 1e6 ? 'idle_timeout' : null;
  }
}
