/**
 * The flow tables of a bridge: 254 for controllers and one of the switch's own.
 *
 * Terms. *version*: a number; a lookup asks for the current one, changes are made in the next. *settle*: to fetch the
 * newest packet counts of rules from the datapath before they are told to anybody.
 *
 * Invariants. One transaction at a time. A rule that a version in use has stays in its classifier: hold() says that a
 * version is in use. The match of a removed rule is asked for before that: matchOf() in the change that reports it.
 */
import type { RuleId, Version } from '../flow/classifier/index.ts';
import type { FlowMask, Match, PipelineKey } from '../flow/key.ts';
import type { Micros } from '../lib/clock.ts';
import type { Result } from '../lib/result.ts';
import { type ActionFacts, type FlowChange, type FlowMod, type FlowModError, TABLE_ALL } from './flow-mod.ts';
import { FlowTransaction } from './flow-transaction.ts';
import type { Rule } from './rule.ts';
import { type RuleCriteria, selectRules } from './select.ts';
import { OfTable, type TableSettings } from './table.ts';

/** Tables that controllers may use. */
export const TABLES_MAX = 254;
/** The switch's own. */
export const TABLE_INTERNAL = 254;

interface Retired<A> {
  readonly table: OfTable<A>;
  readonly rule: Rule<A>;
}

export interface FlowTablesOptions<A> {
  readonly facts: ActionFacts<A>;
  /** Brings the counts of these rules up to date. */
  readonly settle?: (rules: readonly Rule<A>[]) => void;
  /** An add is about to end a rule that is there: its counts are to be brought up to date. */
  readonly beforeEnd?: () => void;
}

export class FlowTables<A> {
  readonly facts: ActionFacts<A>;
  readonly #settle: (rules: readonly Rule<A>[]) => void;
  /** For the transaction. */
  readonly beforeEnd: () => void;
  readonly #tables: readonly OfTable<A>[];
  readonly #held = new Map<Version, number>();
  #version: Version = 0;
  #serial = 0;
  #isBusy = false;
  #retired: (Retired<A> & { readonly version: Version })[] = [];

  constructor({ facts, settle = () => undefined, beforeEnd = () => undefined }: FlowTablesOptions<A>) {
    this.facts = facts;
    this.#settle = settle;
    this.beforeEnd = beforeEnd;
    this.#tables = Array.from({ length: TABLES_MAX + 1 }, (_, id) => new OfTable<A>(id, id === TABLE_INTERNAL));
  }

  /** The version that lookups ask for; it changes with every commit. */
  get version(): Version {
    return this.#version;
  }

  /** A transaction is open. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Undefined for a number that is none. */
  table(id: number): OfTable<A> | undefined {
    return this.#tables[id];
  }

  get tables(): readonly OfTable<A>[] {
    return this.#tables;
  }

  /** The table, or all that are not hidden. */
  tablesOf(id: number): OfTable<A>[] {
    if (id === TABLE_ALL) return this.#tables.filter(({ isHidden }) => !isHidden);
    const table = this.#tables[id];
    return table ? [table] : [];
  }

  configure(id: number, settings: TableSettings): void {
    this.#tables[id]!.configure(settings);
  }

  /** The rule that takes a flow in the current version, or one that is held; what decided it goes into the wildcards. */
  lookup(
    tableId: number,
    flow: PipelineKey,
    wildcards: FlowMask | null,
    version: Version = this.#version,
  ): Rule<A> | null {
    return this.#tables[tableId]!.classifier.lookup(version, flow, wildcards);
  }

  /** A rule's match; also of one whose removal has just been reported, up to collect(). */
  matchOf(rule: Rule<A>): Match {
    return this.#tables[rule.tableId]!.match(rule);
  }

  ruleOf(tableId: number, id: RuleId): Rule<A> {
    return this.#tables[tableId]!.classifier.value(id);
  }

  /** The rules that a statistics request is about, by table. */
  select(tableId: number, criteria: RuleCriteria): Rule<A>[] {
    return this.tablesOf(tableId).flatMap((table) => selectRules(table, this.#version, this.facts, criteria));
  }

  /** @throws while another transaction is open */
  begin(now: Micros): FlowTransaction<A> {
    if (this.#isBusy) throw new Error('another transaction of these flow tables is open');
    this.collect();
    this.#isBusy = true;
    return new FlowTransaction(this, this.#version + 1, now);
  }

  /** One flow-mod by itself. @returns what happened, in order */
  execute(mod: FlowMod<A>, now: Micros): Result<FlowChange<A>[], FlowModError> {
    const transaction = this.begin(now);
    const started = transaction.start(mod);
    if (started.ok) return { ok: true, value: transaction.commit() };
    transaction.revert();
    return started;
  }

  /** For the transaction: the number of a new rule. */
  nextSerial(): number {
    return this.#serial++;
  }

  /** For the transaction: it is over. */
  end(version: Version, isCommitted: boolean): void {
    this.#isBusy = false;
    if (isCommitted) this.#version = version;
  }

  /** For the transaction. */
  settle(rules: readonly Rule<A>[]): void {
    if (rules.length > 0) this.#settle(rules);
  }

  /** For the transaction: rules that the current version does not have. */
  retire(gone: readonly Retired<A>[]): void {
    for (const { table, rule } of gone) this.#retired.push({ table, rule, version: this.#version });
  }

  /** Keeps the rules of the current version for lookups to come. @returns what gives them free */
  hold(): { readonly version: Version; readonly release: () => void } {
    const version = this.#version;
    this.#held.set(version, (this.#held.get(version) ?? 0) + 1);
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      const left = this.#held.get(version)! - 1;
      if (left > 0) this.#held.set(version, left);
      else this.#held.delete(version);
    };
    return { version, release };
  }

  /** Forgets rules that no version in use has. Called by begin() and run(); whoever has told of all changes may too. */
  collect(): void {
    if (this.#retired.length === 0 || this.#isBusy) return;
    const oldest = Math.min(this.#version, ...this.#held.keys());
    const kept = this.#retired.filter(({ version }) => version > oldest);
    for (const { table, rule, version } of this.#retired) if (version <= oldest) table.purge(rule);
    this.#retired = kept;
  }

  /** Removes the rules whose time is over. @returns what happened */
  run(now: Micros): FlowChange<A>[] {
    this.collect();
    const overdue = this.#overdue(now);
    const crowded = this.#tables.filter((table) => table.isCrowded);
    for (const table of crowded) table.isCrowded = false;
    if (overdue.length + crowded.length === 0) return [];
    // The datapath may know of packets that keep a rule alive
    this.settle(overdue);
    const transaction = this.begin(now);
    for (const rule of overdue) {
      const reason = rule.expiryAt(now);
      if (reason) transaction.removeRules([rule], reason);
    }
    for (const table of crowded) transaction.shrink(table, table.flowLimit);
    return transaction.commit();
  }

  #overdue(now: Micros): Rule<A>[] {
    const overdue: Rule<A>[] = [];
    for (const { expirable } of this.#tables)
      for (const rule of expirable) if (rule.expiryAt(now) !== null) overdue.push(rule);
    return overdue;
  }

  /** Lets a rule end sooner, as fin_timeout does; one without timeout stays without. @param idle, hard seconds; 0 for as it is */
  reduceTimeouts(rule: Rule<A>, idle: number, hard: number): void {
    if (!rule.canExpire) return;
    const shorter = (old: number, limit: number): number => (limit > 0 && (old === 0 || old > limit) ? limit : old);
    rule.idleTimeout = shorter(rule.idleTimeout, idle);
    rule.hardTimeout = shorter(rule.hardTimeout, hard);
  }

  /** Removes every rule for which the test holds: those that used a group or a meter that is gone. */
  removeWhere(test: (rule: Rule<A>) => boolean, reason: 'group_delete' | 'meter_delete', now: Micros): FlowChange<A>[] {
    const transaction = this.begin(now);
    const rules: Rule<A>[] = [];
    for (const { classifier } of this.#tables)
      classifier.forEach(this.#version, null, (_, rule) => {
        if (test(rule)) rules.push(rule);
      });
    transaction.removeRules(rules, reason);
    return transaction.commit();
  }
}
