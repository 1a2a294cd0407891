/**
 * A transaction on a database in memory. Operations change the tables at once; precommit() finds out what has changed and what
 * follows from it, in this order: reference counts, garbage collection, limits of rows, weak references, indexes, versions.
 * After that, complete() makes it last, and abort() takes everything back, whatever has happened before.
 */
import { emptyDatum, equalData, filterDatum, keysApart, scalar, ZERO_UUID } from './data.ts';
import { countAtoms, type Database, type Row, type Table } from './database.ts';
import { constraintViolation, OvsdbError } from './error.ts';
import { checkIndexes } from './indexes.ts';
import { RowChange } from './row-change.ts';
import { type Column, VERSION_INDEX } from './schema.ts';
import { type Atom, type BaseType, type Datum, isStrongRef, isWeakRef } from './types.ts';

export class Transaction {
  readonly database: Database;
  readonly #uuid: () => string;
  readonly #tables = new Map<Table, Map<string, RowChange>>();
  #comment = '';
  #isDone = false;

  /** @param uuid makes new UUIDs, for versions */
  constructor(database: Database, uuid: () => string) {
    this.database = database;
    this.#uuid = uuid;
  }

  addComment(comment: string): void {
    this.#comment += (this.#comment === '' ? '' : '\n') + comment;
  }

  get comment(): string {
    return this.#comment;
  }

  /** Every row that is inserted, deleted or changed. After precommit() only those. */
  *changes(): Generator<RowChange> {
    for (const rows of this.#tables.values())
      for (const change of rows.values()) if (change.old || change.new) yield change;
  }

  change(table: Table, uuid: string): RowChange | undefined {
    return this.#tables.get(table)?.get(uuid);
  }

  #put(change: RowChange): RowChange {
    let rows = this.#tables.get(change.table);
    if (!rows) {
      rows = new Map();
      this.#tables.set(change.table, rows);
    }
    rows.set(change.uuid, change);
    return change;
  }

  /** False when there is such a row, or was before this transaction deleted it. */
  mayInsert(table: Table, uuid: string): boolean {
    return !table.rows.has(uuid) && !this.change(table, uuid)?.old;
  }

  insert(row: Row): void {
    row.fields[VERSION_INDEX] = scalar(this.#uuid());
    row.table.rows.set(row.uuid, row);
    this.#put(new RowChange(row.table, row.uuid, null, row));
  }

  /** The version of the row that may be written to. */
  modify(row: Row): Row {
    const before = this.change(row.table, row.uuid);
    if (before) return before.new!;
    const now = row.copy();
    row.table.rows.set(row.uuid, now);
    this.#put(new RowChange(row.table, row.uuid, row, now));
    return now;
  }

  delete(row: Row): void {
    const { table, uuid } = row;
    table.rows.delete(uuid);
    const before = this.change(table, uuid);
    if (!before) this.#put(new RowChange(table, uuid, row, null));
    else if (before.old) before.new = null;
    else this.#tables.get(table)!.delete(uuid);
  }

  /**
   * Checks and completes the transaction.
   * @throws OvsdbError when it must not be; the caller then has to abort()
   */
  precommit(): void {
    this.#determineChanges();
    if (this.isEmpty) return;
    this.#countReferences();
    this.#collectGarbage();
    this.#checkRowLimits();
    for (const change of this.#all()) this.#assessWeakReferences(change);
    checkIndexes([...this.changes()], (table, uuid) => this.change(table, uuid));
    for (const change of this.#all()) {
      if (change.old && change.new && change.isChanged) {
        change.changed[VERSION_INDEX] = true;
        change.new.fields[VERSION_INDEX] = scalar(this.#uuid());
      }
    }
  }

  get isEmpty(): boolean {
    for (const rows of this.#tables.values()) if (rows.size > 0) return false;
    return true;
  }

  /** Every row touched, also those that are pulled in while walking. */
  *#all(): Generator<RowChange> {
    const done = new Set<RowChange>();
    for (let found = true; found; ) {
      found = false;
      for (const rows of [...this.#tables.values()])
        for (const change of rows.values()) {
          if (done.has(change)) continue;
          done.add(change);
          found = true;
          yield change;
        }
    }
  }

  #determineChanges(): void {
    for (const [table, rows] of this.#tables)
      for (const change of [...rows.values()]) {
        const { old, new: now, changed } = change;
        if (!old || !now) {
          changed.fill(true);
          continue;
        }
        for (const { index } of table.schema.columns)
          changed[index] = !equalData(old.fields[index]!, now.fields[index]!);
        if (!change.isChanged) {
          table.rows.set(change.uuid, old);
          rows.delete(change.uuid);
        }
      }
  }

  #find(table: Table, uuid: string): RowChange | undefined {
    const change = this.change(table, uuid);
    if (change) return change;
    const row = table.rows.get(uuid);
    if (!row) return undefined;
    this.modify(row);
    return this.change(table, uuid);
  }

  #countReferences(): void {
    for (const change of this.#all()) {
      for (const column of change.table.schema.columns) {
        if (!column.hasStrongRefs || !change.changed[column.index]) continue;
        if (change.old) this.#adjust(change.old, column, change.new, -1);
        if (change.new) this.#adjust(change.new, column, change.old, 1);
      }
    }
    for (const { table, uuid, new: now, refs } of this.#all()) {
      if (now || refs <= 0) continue;
      const what = `${table.schema.name} row ${uuid} because of ${refs} remaining reference(s)`;
      throw new OvsdbError('referential integrity violation', `cannot delete ${what}`);
    }
  }

  /** Counts the references of one column that are in `row` and not in `other`. */
  #adjust(row: Row, column: Column, other: Row | null, delta: number): void {
    const datum = row.fields[column.index]!;
    const otherDatum = other?.fields[column.index] ?? emptyDatum;
    for (const [base, atoms, otherAtoms] of sides(column, datum, otherDatum)) {
      if (!isStrongRef(base)) continue;
      const target = this.database.table(base.refTable!);
      for (const uuid of without(atoms, otherAtoms, base === column.type.key)) {
        // References to oneself do not count
        if (uuid === row.uuid) continue;
        const change = this.#find(target, uuid as string);
        if (change) change.refs += delta;
        else if (delta > 0) throw danglingReference(row, column, uuid as string, target);
      }
    }
  }

  #collectGarbage(): void {
    const garbage = [...this.#all()].filter((change) => change.new && isGarbage(change));
    while (garbage.length > 0) {
      const change = garbage.pop()!;
      const row = change.new;
      if (!row) continue;
      change.new = null;
      change.table.rows.delete(change.uuid);
      change.changed.fill(true);
      for (const column of change.table.schema.columns) {
        if (!column.hasStrongRefs) continue;
        for (const [base, atoms] of sides(column, row.fields[column.index]!, emptyDatum)) {
          if (!isStrongRef(base)) continue;
          for (const uuid of atoms) {
            if (uuid === row.uuid) continue;
            const target = this.#find(this.database.table(base.refTable!), uuid as string);
            if (target && --target.refs === 0 && target.new && isGarbage(target)) garbage.push(target);
          }
        }
      }
    }
  }

  #checkRowLimits(): void {
    for (const { schema, rows } of this.#tables.keys()) {
      if (rows.size <= schema.maxRows) continue;
      const count = `${rows.size} rows, greater than the schema-defined limit of ${schema.maxRows} row(s)`;
      throw constraintViolation(`transaction causes "${schema.name}" table to contain ${count}`);
    }
  }

  #assessWeakReferences(change: RowChange): void {
    if (change.old && !change.new) {
      // Rows that refer to it have to be looked at again
      for (const [table, uuids] of change.table.weakSources.get(change.uuid) ?? [])
        for (const uuid of uuids) this.#find(table, uuid);
      return;
    }
    if (!change.new) return;
    for (const column of change.table.schema.columns) if (column.hasWeakRefs) this.#prune(change, change.new, column);
  }

  #prune(change: RowChange, row: Row, column: Column): void {
    const before = row.fields[column.index]!;
    const { key, value } = column.type;
    const isAlive = (base: BaseType | null, atom: Atom): boolean =>
      !isWeakRef(base) || this.database.table(base!.refTable!).rows.has(atom as string);
    const after = filterDatum(
      before,
      (i) => isAlive(key, before.keys[i]!) && (!value || isAlive(value, before.values![i]!)),
    );
    if (after === before) return;
    row.fields[column.index] = after;
    change.changed[column.index] = !change.old || !equalData(after, change.old.fields[column.index]!);
    if (after.keys.length < column.type.min) throw emptied(change, column, before, after);
  }

  /** Makes the change last: indexes, reference counts, sources of weak references. */
  complete(): void {
    this.#finish();
    const changes = [...this.changes()];
    for (const { old, table } of changes)
      if (old) table.schema.indexes.forEach((columns, i) => void table.indexes[i]!.delete(old.keyOf(columns)));
    for (const { table, new: now, refs, old } of changes) {
      if (now) {
        table.schema.indexes.forEach((columns, i) => void table.indexes[i]!.set(now.keyOf(columns), now));
        now.refs = refs;
      }
      this.database.atoms += (now ? countAtoms(now) : 0) - (old ? countAtoms(old) : 0);
    }
    for (const change of changes) this.#updateWeakSources(change);
  }

  #updateWeakSources({ table, uuid, old, new: now }: RowChange): void {
    if (!table.schema.columns.some((column) => column.hasWeakRefs)) return;
    const before = old ? this.#weakTargets(old) : new Map<Table, Set<string>>();
    const after = now ? this.#weakTargets(now) : new Map<Table, Set<string>>();
    for (const [target, uuids] of before)
      for (const to of uuids) {
        if (after.get(target)?.has(to)) continue;
        const sources = target.weakSources.get(to);
        const rows = sources?.get(table);
        rows?.delete(uuid);
        if (rows?.size === 0) sources!.delete(table);
        if (sources?.size === 0) target.weakSources.delete(to);
      }
    for (const [target, uuids] of after)
      for (const to of uuids) {
        if (before.get(target)?.has(to)) continue;
        const sources = target.weakSources.get(to) ?? new Map<Table, Set<string>>();
        target.weakSources.set(to, sources);
        sources.set(table, (sources.get(table) ?? new Set()).add(uuid));
      }
  }

  #weakTargets(row: Row): Map<Table, Set<string>> {
    const targets = new Map<Table, Set<string>>();
    for (const column of row.table.schema.columns) {
      if (!column.hasWeakRefs) continue;
      for (const [base, atoms] of sides(column, row.fields[column.index]!, emptyDatum)) {
        if (!isWeakRef(base)) continue;
        const target = this.database.table(base.refTable!);
        const uuids = targets.get(target) ?? new Set<string>();
        targets.set(target, uuids);
        for (const atom of atoms) if (atom !== row.uuid || target !== row.table) uuids.add(atom as string);
      }
    }
    return targets;
  }

  abort(): void {
    this.#finish();
    for (const [table, rows] of this.#tables)
      for (const { uuid, old } of rows.values()) {
        if (old) table.rows.set(uuid, old);
        else table.rows.delete(uuid);
      }
    this.#tables.clear();
  }

  #finish(): void {
    if (this.#isDone) throw new Error('the transaction is over');
    this.#isDone = true;
  }
}

const isGarbage = ({ table, refs }: RowChange): boolean => !table.schema.isRoot && refs <= 0;

function* sides(
  { type }: Column,
  datum: Datum,
  other: Datum,
): Generator<readonly [BaseType, readonly Atom[], readonly Atom[]]> {
  yield [type.key, datum.keys, other.keys];
  if (type.value) yield [type.value, datum.values ?? [], other.values ?? []];
}

/** What `atoms` has more than `others`. Keys are sorted and distinct; the values of a map may repeat. */
function without(atoms: readonly Atom[], others: readonly Atom[], areKeys: boolean): readonly Atom[] {
  if (others.length === 0) return atoms;
  if (areKeys) return keysApart(atoms, others).onlyA.map((i) => atoms[i]!);
  const counts = new Map<Atom, number>();
  for (const atom of others) counts.set(atom, (counts.get(atom) ?? 0) + 1);
  return atoms.filter((atom) => {
    const count = counts.get(atom) ?? 0;
    if (count > 0) counts.set(atom, count - 1);
    return count === 0;
  });
}

function danglingReference(row: Row, column: Column, uuid: string, target: Table): OvsdbError {
  const from = `Table ${row.table.schema.name} column ${column.name} row ${row.uuid}`;
  const to = `nonexistent row ${uuid} in table ${target.schema.name}`;
  return new OvsdbError('referential integrity violation', `${from} references ${to}.`);
}

function emptied({ table, uuid, old }: RowChange, column: Column, before: Datum, after: Datum): OvsdbError {
  const where = `"${column.name}" in "${table.schema.name}" row ${uuid}`;
  if (!old && before.keys.concat(before.values ?? []).includes(ZERO_UUID)) {
    return constraintViolation(
      `Weak reference column ${where} (inserted within this transaction) contained all-zeros UUID (probably as the ` +
        'default value for this column) but deleting this value caused a constraint volation because this column is not ' +
        'allowed to be empty.',
    );
  }
  const count = before.keys.length - after.keys.length;
  const inserted = old ? '' : '(inserted within this transaction) ';
  return constraintViolation(
    `Deletion of ${count} weak reference(s) to deleted (or never-existing) rows from column ${where} ${inserted}caused ` +
      'this column to become empty, but constraints on this column disallow an empty column.',
  );
}
