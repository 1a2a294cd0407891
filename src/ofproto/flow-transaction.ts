/**
 * Changes of flow tables that appear at once or not at all: one flow-mod, or a bundle of them.
 *
 * Terms. *start*: a change is made in the next version, which no lookup asks for yet, and noted so that it can be undone.
 * *commit*: the next version becomes the current one; rules that it does not have go. *revert*: the changes are undone, the
 * last one first.
 */
import type { Version } from '../flow/classifier/index.ts';
import type { Micros } from '../lib/clock.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import { chooseEviction } from './eviction.ts';
import { type ActionFacts, type FlowChange, type FlowMod, type FlowModError, TABLE_ALL } from './flow-mod.ts';
import { PRIORITY_MAX, type RemovedReason, Rule } from './rule.ts';
import { type RuleCriteria, selectRules } from './select.ts';
import type { OfTable } from './table.ts';

/** What a transaction needs of the flow tables. */
interface Host<A> {
  readonly facts: ActionFacts<A>;
  table(id: number): OfTable<A> | undefined;
  tablesOf(id: number): OfTable<A>[];
  nextSerial(): number;
  settle(rules: readonly Rule<A>[]): void;
  /** An add is about to end a rule. */
  beforeEnd(): void;
  end(version: Version, isCommitted: boolean): void;
  retire(gone: readonly Gone<A>[]): void;
}

interface Gone<A> {
  readonly table: OfTable<A>;
  readonly rule: Rule<A>;
}

interface Step<A> {
  readonly table: OfTable<A>;
  /** What is told at commit. */
  readonly change: FlowChange<A>;
  /** Packets of the rule that was there before count for the new one. */
  readonly keepsCounts: boolean;
}

/** The rule that comes; null for one that only goes. */
const addedBy = <A>(change: FlowChange<A>): Rule<A> | null => (change.kind === 'removed' ? null : change.rule);
/** The rule that goes; null for one that only comes. */
const hiddenBy = <A>(change: FlowChange<A>): Rule<A> | null =>
  change.kind === 'removed' ? change.rule : change.replaced;

/** The old rule's counts and what comes late go to the new one. */
function succeed<A>(old: Rule<A>, rule: Rule<A>, keepsCounts: boolean): void {
  // What was counted between start and commit goes along
  if (keepsCounts) {
    rule.packets = old.packets;
    rule.bytes = old.bytes;
  }
  if (old.used > rule.used) rule.used = old.used;
  old.successor = rule;
  old.forwardsCounts = keepsCounts;
}

function finish<A>({ change, keepsCounts }: Step<A>): void {
  if (change.kind === 'removed') change.rule.removedReason = change.reason;
  else if (change.replaced) succeed(change.replaced, change.rule, keepsCounts);
}

export class FlowTransaction<A> {
  readonly #tables: Host<A>;
  readonly #now: Micros;
  readonly #version: Version;
  readonly #steps: Step<A>[] = [];
  #isOpen = true;

  /** Made by FlowTables.begin(). */
  constructor(tables: Host<A>, version: Version, now: Micros) {
    this.#tables = tables;
    this.#version = version;
    this.#now = now;
  }

  /** Starts one change. When it fails, nothing of it is left; what was started before is. */
  start(mod: FlowMod<A>): Result<void, FlowModError> {
    if (mod.tableId !== TABLE_ALL && !this.#tables.table(mod.tableId)) return fail('OFPBRC_BAD_TABLE_ID');
    const before = this.#steps.length;
    const done = this.#startCommand(mod);
    if (!done.ok) this.#undo(before);
    return done;
  }

  #startCommand(mod: FlowMod<A>): Result<void, FlowModError> {
    switch (mod.command) {
      case 'add':
        return this.#add(mod);
      case 'modify':
      case 'modify_strict':
        return this.#modify(mod);
      case 'delete':
      case 'delete_strict': {
        const selected = this.#select(mod);
        if (!selected.ok) return selected;
        this.removeRules(selected.value, 'delete');
        return ok(undefined);
      }
      default:
        return fail('OFPFMFC_BAD_COMMAND');
    }
  }

  #newRule(mod: FlowMod<A>, tableId: number, priority: number): Rule<A> {
    const { flags = {} } = mod;
    return new Rule(
      {
        tableId,
        priority,
        cookie: mod.newCookie ?? 0n,
        idleTimeout: mod.idleTimeout ?? 0,
        hardTimeout: mod.hardTimeout ?? 0,
        importance: mod.importance ?? 0,
        actions: mod.actions,
        conjunctions: mod.conjunctions ?? [],
        sendsRemoved: flags.sendFlowRemoved ?? false,
        countsPackets: !flags.noPacketCounts,
        countsBytes: !flags.noByteCounts,
        checksOverlap: flags.checkOverlap ?? false,
        resetsCounts: flags.resetCounts ?? false,
      },
      this.#tables.nextSerial(),
      this.#now,
    );
  }

  #add(mod: FlowMod<A>): Result<void, FlowModError> {
    const { flags = {}, match, priority } = mod;
    const table = this.#tables.table(mod.tableId === TABLE_ALL ? 0 : mod.tableId)!;
    const isInternal = flags.internal ?? false;
    if ((table.isReadOnly || priority > PRIORITY_MAX) && !isInternal) return fail('OFPBRC_EPERM');
    const { classifier } = table;
    classifier.seek(match);
    const same = classifier.findSought(priority, this.#version);
    if (same >= 0 || table.flowCount >= table.flowLimit) {
      this.#tables.beforeEnd();
      classifier.seek(match);
    }
    const rule = this.#newRule(mod, table.id, priority);
    if (same >= 0) {
      this.#replace(table, classifier.value(same), rule, { ...mod, modifiesCookie: true });
      return ok(undefined);
    }
    if (flags.checkOverlap && classifier.findOverlapping(match, priority, this.#version) >= 0)
      return fail('OFPFMFC_OVERLAP');
    if (!this.shrink(table, table.flowLimit - 1)) return fail('OFPFMFC_TABLE_FULL');
    table.flowCount++;
    table.insertSought(rule, this.#version);
    this.#steps.push({ table, change: { kind: 'added', rule, replaced: null }, keepsCounts: false });
    return ok(undefined);
  }

  /** A rule takes the place of another one of its match and priority. */
  #replace(table: OfTable<A>, old: Rule<A>, rule: Rule<A>, mod: FlowMod<A>): void {
    const isModify = mod.command !== 'add';
    const keepsCounts = !mod.flags?.resetCounts;
    const changesCookie =
      (mod.modifiesCookie ?? false) && (mod.newCookie ?? null) !== null && rule.cookie !== old.cookie;
    rule.inherit(old, isModify, changesCookie, keepsCounts);
    table.hide(old, this.#version);
    // An add has sought its match; a modify that is not strict says another one
    if (isModify) table.classifier.seek(table.match(old));
    table.insertSought(rule, this.#version);
    const actionsChanged = !this.#tables.facts.equal(old.actions, rule.actions);
    const cookieChanged = old.cookie !== rule.cookie;
    const change: FlowChange<A> = isModify
      ? { kind: 'modified', rule, replaced: old, actionsChanged, cookieChanged }
      : { kind: 'added', rule, replaced: old };
    this.#steps.push({ table, change, keepsCounts });
  }

  #modify(mod: FlowMod<A>): Result<void, FlowModError> {
    const selected = this.#select(mod);
    if (!selected.ok) return selected;
    for (const old of selected.value) {
      const rule = this.#newRule(mod, old.tableId, old.priority);
      this.#replace(this.#tables.table(old.tableId)!, old, rule, mod);
    }
    const mayAdd = (mod.newCookie ?? null) !== null && (mod.cookieMask ?? 0n) === 0n;
    return selected.value.length === 0 && mayAdd ? this.#add({ ...mod, command: 'add' }) : ok(undefined);
  }

  /** The rules that a modify or delete is about. Only deletes are limited to what outputs somewhere (OpenFlow 1.5 §6.4). */
  #select(mod: FlowMod<A>): Result<Rule<A>[], FlowModError> {
    const isDelete = mod.command.startsWith('delete');
    const isInternal = mod.flags?.internal ?? false;
    const criteria: RuleCriteria = {
      match: mod.match,
      strictPriority: mod.command.endsWith('_strict') ? mod.priority : null,
      cookie: mod.cookie ?? 0n,
      cookieMask: mod.cookieMask ?? 0n,
      outPort: isDelete ? (mod.outPort ?? null) : null,
      outGroup: isDelete ? (mod.outGroup ?? null) : null,
      includesHidden: isInternal,
    };
    const rules: Rule<A>[] = [];
    let refused = 0;
    for (const table of this.#tables.tablesOf(mod.tableId)) {
      const found = selectRules(table, this.#version, this.#tables.facts, criteria);
      if (table.isReadOnly && !isInternal) refused += found.length;
      else for (const rule of found) rules.push(rule);
    }
    return rules.length === 0 && refused > 0 ? fail('OFPBRC_EPERM') : ok(rules);
  }

  /** The rules of all tables as they are with what was started. */
  select(criteria: RuleCriteria): Rule<A>[] {
    const tables = this.#tables.tablesOf(TABLE_ALL);
    return tables.flatMap((table) => selectRules(table, this.#version, this.#tables.facts, criteria));
  }

  /** Evicts rules until the table has so many at the most. @returns false when it has more that may not be evicted */
  shrink(table: OfTable<A>, count: number): boolean {
    while (table.flowCount > count) {
      const victim = chooseEviction(table);
      if (!victim) return false;
      this.removeRules([victim], 'eviction');
    }
    return true;
  }

  /** Starts the removal of rules that the newest version has. */
  removeRules(rules: readonly Rule<A>[], reason: RemovedReason): void {
    for (const rule of rules) {
      const table = this.#tables.table(rule.tableId)!;
      table.hide(rule, this.#version);
      table.flowCount--;
      this.#steps.push({ table, change: { kind: 'removed', rule, reason }, keepsCounts: false });
    }
  }

  #undo(to: number): void {
    while (this.#steps.length > to) {
      const { table, change } = this.#steps.pop()!;
      const [added, hidden] = [addedBy(change), hiddenBy(change)];
      if (added) table.purge(added);
      if (hidden) table.restore(hidden);
      if (added && !hidden) table.flowCount--;
      if (hidden && !added) table.flowCount++;
    }
  }

  #close(): void {
    if (!this.#isOpen) throw new Error('the transaction is over');
    this.#isOpen = false;
  }

  /** Nothing has happened. */
  revert(): void {
    this.#close();
    this.#undo(0);
    this.#tables.end(this.#version, false);
  }

  /** Makes the changes seen. @returns what happened, in order */
  commit(): FlowChange<A>[] {
    this.#close();
    const gone: Gone<A>[] = [];
    for (const { table, change } of this.#steps) {
      const rule = hiddenBy(change);
      if (rule) gone.push({ table, rule });
    }
    if (gone.length > 0) this.#tables.settle(gone.map(({ rule }) => rule));
    const changes: FlowChange<A>[] = [];
    for (const step of this.#steps) {
      finish(step);
      changes.push(step.change);
    }
    this.#tables.end(this.#version, true);
    if (gone.length > 0) this.#tables.retire(gone);
    return changes;
  }
}
