/**
 * Which rule makes room when a table is full (ovs-vswitchd.conf.db(5), Flow_Table: overflow_policy, groups): one of the
 * largest group, the least important of it, of these the one that would expire first. Rules without timeout stay.
 */
import { toHex } from '../lib/bytes.ts';
import type { Rule } from './rule.ts';
import type { EvictionSettings, OfTable } from './table.ts';

/** OpenFlow asked for eviction, and nobody for groups. */
const NO_GROUPS: EvictionSettings = { groups: [] };
/** The reference compares times of expiry in units of 1,024 ms. */
const EXPIRY_UNIT = 1_024_000;

function expiry({ hardTimeout, idleTimeout, modified, used }: Rule<unknown>): number {
  const hard = hardTimeout > 0 ? modified + hardTimeout * 1e6 : Number.POSITIVE_INFINITY;
  const idle = idleTimeout > 0 ? used + idleTimeout * 1e6 : Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(hard, idle) / EXPIRY_UNIT);
}

function groupOf<A>(table: OfTable<A>, rule: Rule<A>, { groups }: EvictionSettings): string {
  if (groups.length === 0) return '';
  const { key } = table.match(rule);
  return groups.map((field) => toHex(key.at(field))).join();
}

function isBefore(a: Rule<unknown>, b: Rule<unknown>): boolean {
  if (a.importance !== b.importance) return a.importance < b.importance;
  const sooner = expiry(a) - expiry(b);
  return sooner !== 0 ? sooner < 0 : a.serial < b.serial;
}

interface Group<A> {
  size: number;
  /** Of its rules, the one to go. */
  first: Rule<A>;
}

/** Null when the table does not evict, or has nothing that may go. Of equals, the one that was put in first. */
export function chooseEviction<A>(table: OfTable<A>): Rule<A> | null {
  const eviction = table.eviction ?? (table.isEvicting ? NO_GROUPS : null);
  if (!eviction) return null;
  const groups = new Map<string, Group<A>>();
  for (const rule of table.expirable) {
    const name = groupOf(table, rule, eviction);
    const group = groups.get(name);
    if (!group) groups.set(name, { size: 1, first: rule });
    else {
      group.size++;
      if (isBefore(rule, group.first)) group.first = rule;
    }
  }
  let best: Group<A> | null = null;
  for (const group of groups.values()) {
    if (!best || group.size > best.size || (group.size === best.size && isBefore(group.first, best.first)))
      best = group;
  }
  return best?.first ?? null;
}
