/** One flow table: a classifier, its limits, and which of its rules may be evicted. */
import { Classifier, type PrefixField, type Version } from '../flow/classifier/index.ts';
import type { KeyField, Match } from '../flow/key.ts';
import type { TableMiss } from '../translate/types.ts';
import type { Rule } from './rule.ts';

/** Rules that share the values of these fields are a group; a rule of the largest group is evicted first. */
export interface EvictionSettings {
  readonly groups: readonly KeyField[];
}

export interface TableSettings {
  readonly name?: string;
  /** Rules at most; null for no limit. */
  readonly flowLimit?: number | null;
  readonly prefixes?: readonly PrefixField[];
  /** Null refuses new rules when the table is full. */
  readonly eviction?: EvictionSettings | null;
}

export class OfTable<A> {
  readonly id: number;
  name = '';
  readonly classifier = new Classifier<Rule<A>>();
  /** Rules that the newest version has. */
  flowCount = 0;
  flowLimit = Number.POSITIVE_INFINITY;
  eviction: EvictionSettings | null = null;
  /** OpenFlow 1.1 and 1.2: what becomes of packets that no rule takes. */
  miss: TableMiss = 'default';
  /** OpenFlow has asked for eviction (OFPTC_EVICTION). */
  isEvicting = false;
  /** It got a limit below what it holds: run() evicts what may go. */
  isCrowded = false;
  /** Percent of free space at which OFPTC_VACANCY_EVENTS wants to hear of it; null for not. */
  vacancy: { readonly down: number; readonly up: number } | null = null;
  /** The vacancy event that comes next: that the table gets full, or that it has room again. */
  nextVacancyEvent: 'vacancy_down' | 'vacancy_up' = 'vacancy_down';
  /** Only the switch itself changes it. */
  readonly isReadOnly: boolean;
  /** Not among "all tables". */
  readonly isHidden: boolean;
  /** Lookups and how many of them found a rule. */
  lookups = 0;
  matches = 0;
  /** Rules with a timeout. */
  readonly expirable = new Set<Rule<A>>();

  constructor(id: number, isInternal: boolean) {
    this.id = id;
    this.isReadOnly = isInternal;
    this.isHidden = isInternal;
  }

  configure({ name, flowLimit, prefixes, eviction }: TableSettings): void {
    if (name !== undefined) this.name = name;
    if (flowLimit !== undefined) this.flowLimit = flowLimit ?? Number.POSITIVE_INFINITY;
    if (prefixes !== undefined) this.classifier.setPrefixes(prefixes);
    if (eviction !== undefined) this.eviction = eviction;
    this.isCrowded = this.flowCount > this.flowLimit;
  }

  /** Percent of the table that is free. */
  get free(): number {
    const { flowCount, flowLimit } = this;
    if (!Number.isFinite(flowLimit) || flowLimit <= 0) return 100;
    return Math.max(0, Math.floor(((flowLimit - flowCount) * 100) / flowLimit));
  }

  /** Asks for vacancy events, or with null for no more. */
  watchVacancy(vacancy: { readonly down: number; readonly up: number } | null): void {
    this.vacancy = vacancy;
    if (vacancy) this.nextVacancyEvent = this.free < vacancy.up ? 'vacancy_up' : 'vacancy_down';
  }

  /** The vacancy event that is due by now; the other one comes next. Null for none. */
  takeVacancyEvent(): 'vacancy_down' | 'vacancy_up' | null {
    const { vacancy, free, nextVacancyEvent: next } = this;
    if (!vacancy || (next === 'vacancy_down' ? free > vacancy.down : free < vacancy.up)) return null;
    this.nextVacancyEvent = next === 'vacancy_down' ? 'vacancy_up' : 'vacancy_down';
    return next;
  }

  match(rule: Rule<A>): Match {
    return this.classifier.match(rule.id);
  }

  /** Puts a rule in that is seen from a version on, of the match that the classifier has sought. */
  insertSought(rule: Rule<A>, version: Version): void {
    const { priority, conjunctions } = rule;
    rule.id = this.classifier.insertSought({ priority, value: rule, version, conjunctions });
    if (rule.canExpire) this.expirable.add(rule);
  }

  /** Hides a rule from a version on; it does not expire any more and is no candidate for eviction. */
  hide(rule: Rule<A>, version: Version): void {
    this.classifier.hide(rule.id, version);
    this.expirable.delete(rule);
  }

  /** Takes hide() back. */
  restore(rule: Rule<A>): void {
    this.classifier.restore(rule.id);
    if (rule.canExpire) this.expirable.add(rule);
  }

  /** Takes a rule out of every version. */
  purge(rule: Rule<A>): void {
    this.classifier.remove(rule.id);
    rule.id = -1;
    this.expirable.delete(rule);
  }
}
