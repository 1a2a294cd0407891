/**
 * A transaction in the making on a replica: rows as the commands so far have left them, and the operations that make them so.
 *
 * Terms. *verified*: a column whose value the transaction depends on; the server refuses the transaction when it has changed.
 */
import type { Replica, ReplicaRow } from '../../ovsdb/client/index.ts';
import { datumToJson, defaultDatum, equalData, isDefault, subtract, union } from '../../ovsdb/data.ts';
import type { Json } from '../../ovsdb/json.ts';
import type { Column, TableSchema } from '../../ovsdb/schema.ts';
import type { Atom, ColumnType, Datum } from '../../ovsdb/types.ts';

const rowName = (uuid: string): string => `row${uuid.replaceAll('-', '_')}`;
const EMPTY: ReadonlyMap<string, ReplicaRow> = new Map();

export class WorkRow {
  readonly table: TableSchema;
  /** Of a new row, one that the server will replace by another. */
  readonly uuid: string;
  /** Null for a new row. */
  readonly old: ReplicaRow | null;
  readonly #workspace: Workspace;
  readonly #written = new Map<string, Datum>();
  /** Elements that were added to columns, without looking at what was there. */
  readonly #added = new Map<string, Datum>();
  readonly #verified = new Set<string>();
  #isDeleted = false;

  constructor(workspace: Workspace, table: TableSchema, uuid: string, old: ReplicaRow | null) {
    this.#workspace = workspace;
    this.table = table;
    this.uuid = uuid;
    this.old = old;
  }

  get isDeleted(): boolean {
    return this.#isDeleted;
  }

  #oldDatum(column: string): Datum {
    return this.old?.datum(column) ?? defaultDatum(this.table.byName.get(column)!.type);
  }

  get(column: string): Datum {
    const base = this.#written.get(column) ?? this.#oldDatum(column);
    const added = this.#added.get(column);
    return added ? union(added, base) : base;
  }

  /** The first element; undefined when there is none. */
  first(column: string): Atom | undefined {
    return this.get(column).keys[0];
  }

  string(column: string): string {
    return String(this.first(column) ?? '');
  }

  /** References, or any other set of strings. */
  strings(column: string): readonly string[] {
    return this.get(column).keys as readonly string[];
  }

  map(column: string): Map<string, string> {
    const { keys, values } = this.get(column);
    return new Map(keys.map((key, i) => [String(key), String(values![i]!)]));
  }

  set(column: string, datum: Datum): void {
    this.#written.set(column, datum);
    this.#added.delete(column);
    this.#workspace.touch();
  }

  setOne(column: string, atom: Atom): void {
    this.set(column, { keys: [atom], values: null });
  }

  setMany(column: string, atoms: readonly Atom[]): void {
    this.set(column, union({ keys: [], values: null }, { keys: [...new Set(atoms)], values: null }));
  }

  setMap(column: string, entries: Iterable<readonly [string, string]>): void {
    const sorted = [...new Map(entries)].sort(([a], [b]) => (a < b ? -1 : 1));
    this.set(column, { keys: sorted.map(([key]) => key), values: sorted.map(([, value]) => value) });
  }

  /** To the column's default. */
  clear(column: string): void {
    this.set(column, defaultDatum(this.table.byName.get(column)!.type));
  }

  /** Adds elements whatever else is there by then; of a map, a key that is there gets the new value. */
  add(column: string, datum: Datum): void {
    const before = this.#added.get(column);
    this.#added.set(column, before ? union(datum, before) : datum);
    this.#workspace.touch();
  }

  verify(...columns: readonly string[]): void {
    for (const column of columns) this.#verified.add(column);
  }

  delete(): void {
    this.#isDeleted = true;
    this.#workspace.touch();
  }

  get isNew(): boolean {
    return this.old === null;
  }

  /** A "wait" that holds for as long as nobody changes what this transaction depends on. */
  waitOperation(): Json | null {
    if (!this.old || this.#verified.size === 0) return null;
    const columns = [...this.#verified].filter((column) => !column.startsWith('_'));
    if (columns.length === 0) return null;
    const row = Object.fromEntries(columns.map((column) => [column, this.#json(column, this.#oldDatum(column))]));
    return { op: 'wait', table: this.table.name, timeout: 0, where: this.#where(), columns, until: '==', rows: [row] };
  }

  #json(column: string, datum: Datum): Json {
    return this.#workspace.toJson(datum, this.table.byName.get(column)!.type);
  }

  #where(): Json {
    return [['_uuid', '==', ['uuid', this.uuid]]];
  }

  operations(): Json[] {
    if (this.#isDeleted) {
      // Other rows go when nothing refers to them any more
      const isExplicit = this.old !== null && this.table.isRoot;
      return isExplicit ? [{ op: 'delete', table: this.table.name, where: this.#where() }] : [];
    }
    if (this.old) return [...this.#update(), ...this.#mutate()];
    const columns = new Set([...this.#written.keys(), ...this.#added.keys()]);
    const row = Object.fromEntries(
      [...columns]
        .filter((column) => !isDefault(this.get(column), this.table.byName.get(column)!.type))
        .map((column) => [column, this.#json(column, this.get(column))]),
    );
    return [{ op: 'insert', table: this.table.name, 'uuid-name': rowName(this.uuid), row }];
  }

  #update(): Json[] {
    const changed = [...this.#written].filter(([column, datum]) => !equalData(datum, this.#oldDatum(column)));
    if (changed.length === 0) return [];
    const row = Object.fromEntries(changed.map(([column, datum]) => [column, this.#json(column, datum)]));
    return [{ op: 'update', table: this.table.name, where: this.#where(), row }];
  }

  #mutate(): Json[] {
    const mutations: Json[] = [];
    for (const [column, added] of this.#added) {
      const base = this.#written.get(column) ?? this.#oldDatum(column);
      const fresh = subtract(added, base);
      if (fresh.keys.length === 0) continue;
      const type = this.table.byName.get(column)!.type;
      const replaced = fresh.keys.filter((key) => base.keys.includes(key));
      if (fresh.values && replaced.length > 0) {
        const keys = this.#workspace.toJson({ keys: replaced, values: null }, { ...type, value: null }, true);
        mutations.push([column, 'delete', keys]);
      }
      mutations.push([column, 'insert', this.#workspace.toJson(fresh, type, true)]);
    }
    if (mutations.length === 0) return [];
    return [{ op: 'mutate', table: this.table.name, where: this.#where(), mutations }];
  }
}

export class Workspace {
  readonly replica: Replica;
  readonly #makeUuid: () => string;
  readonly #rows = new Map<string, WorkRow>();
  readonly #new = new Map<string, WorkRow>();
  #version = 0;

  constructor(replica: Replica, makeUuid: () => string) {
    this.replica = replica;
    this.#makeUuid = makeUuid;
  }

  /** Grows with every change. */
  get version(): number {
    return this.#version;
  }

  touch(): void {
    this.#version++;
  }

  schema(table: string): TableSchema {
    return this.replica.schema.tables.get(table)!;
  }

  #wrap(row: ReplicaRow): WorkRow {
    const known = this.#rows.get(row.uuid);
    if (known) return known;
    const made = new WorkRow(this, row.table, row.uuid, row);
    this.#rows.set(row.uuid, made);
    return made;
  }

  /** Rows of a table: those of the database, then new ones, none that were deleted. */
  rows(table: string): WorkRow[] {
    const old = [...(this.replica.table(table) ?? EMPTY).values()].map((row) => this.#wrap(row));
    const fresh = [...this.#new.values()].filter((row) => row.table.name === table);
    return [...old, ...fresh].filter((row) => !row.isDeleted);
  }

  row(table: string, uuid: string): WorkRow | null {
    const old = this.replica.row(table, uuid);
    const row = old ? this.#wrap(old) : this.#new.get(uuid);
    return row && !row.isDeleted && row.table.name === table ? row : null;
  }

  /** Rows that a column's references lead to. */
  follow(row: WorkRow, column: string, table: string): WorkRow[] {
    return row.strings(column).flatMap((uuid) => this.row(table, uuid) ?? []);
  }

  insert(table: string, uuid: string = this.#makeUuid()): WorkRow {
    const row = new WorkRow(this, this.schema(table), uuid, null);
    this.#new.set(uuid, row);
    this.touch();
    return row;
  }

  /** JSON of a datum, in which new rows go by their names. */
  toJson(datum: Datum, type: ColumnType, isSet = false): Json {
    const rename = (json: Json): Json => {
      if (!Array.isArray(json)) return json;
      const [tag, uuid] = json as readonly Json[];
      if (tag === 'uuid' && typeof uuid === 'string' && this.#new.has(uuid)) return ['named-uuid', rowName(uuid)];
      return json.map(rename);
    };
    const json = datumToJson(datum, type);
    const whole = isSet && !type.value && datum.keys.length === 1 ? ['set', [json]] : json;
    const hasReferences = type.key.type === 'uuid' || type.value?.type === 'uuid';
    return hasReferences ? rename(whole) : whole;
  }

  /** Operations that do what was done here; empty when that is nothing. */
  operations(): Json[] {
    const touched = [...this.#rows.values(), ...this.#new.values()];
    const changes = touched.flatMap((row) => (row.isNew && row.isDeleted ? [] : row.operations()));
    if (changes.length === 0) return [];
    return [...touched.flatMap((row) => row.waitOperation() ?? []), ...changes];
  }
}

/** Columns that users see, in the order of their names. */
export const columnsOf = (table: TableSchema): Column[] =>
  table.columns.filter(({ name }) => !name.startsWith('_')).sort((a, b) => (a.name < b.name ? -1 : 1));
