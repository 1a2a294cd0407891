/**
 * A client's copy of a database: rows by table and UUID, kept up to date by the "update2" notifications of monitor_cond
 * (ovsdb-server(7)).
 */
import { applyDifference, datumFromJson, defaultDatum } from '../data.ts';
import { isObject, type Json } from '../json.ts';
import type { DatabaseSchema, TableSchema } from '../schema.ts';
import type { Datum } from '../types.ts';

/** A row as it was at a moment: never changed, but replaced. */
export class ReplicaRow {
  readonly uuid: string;
  readonly table: TableSchema;
  readonly #fields: ReadonlyMap<string, Datum>;

  constructor(uuid: string, table: TableSchema, fields: ReadonlyMap<string, Datum>) {
    this.uuid = uuid;
    this.table = table;
    this.#fields = fields;
  }

  get fields(): ReadonlyMap<string, Datum> {
    return this.#fields;
  }

  /** @throws for a column that the schema has not: a bug */
  datum(column: string): Datum {
    const known = this.#fields.get(column);
    if (known) return known;
    const schema = this.table.byName.get(column);
    if (!schema) throw new Error(`table ${this.table.name} has no column ${column}`);
    return defaultDatum(schema.type);
  }

  /** Empty for an optional string that is not there. */
  string(column: string): string {
    return String(this.datum(column).keys[0] ?? '');
  }

  strings(column: string): readonly string[] {
    return this.datum(column).keys as readonly string[];
  }

  integer(column: string): number | null {
    const [value] = this.datum(column).keys;
    return value === undefined ? null : Number(value);
  }

  integers(column: string): readonly number[] {
    return this.datum(column).keys.map(Number);
  }

  /** Null for an optional one that is not there. */
  boolean(column: string): boolean | null {
    return (this.datum(column).keys[0] as boolean | undefined) ?? null;
  }

  /** UUIDs, in their order. */
  refs(column: string): readonly string[] {
    return this.datum(column).keys as readonly string[];
  }

  map(column: string): ReadonlyMap<string, string> {
    const { keys, values } = this.datum(column);
    return new Map(keys.map((key, i) => [String(key), String(values![i]!)]));
  }

  /** Of a map from integers to rows. */
  refMap(column: string): ReadonlyMap<number, string> {
    const { keys, values } = this.datum(column);
    return new Map(keys.map((key, i) => [Number(key), String(values![i]!)]));
  }
}

type Rows = Map<string, ReplicaRow>;

export class Replica {
  readonly schema: DatabaseSchema;
  readonly #tables: ReadonlyMap<string, Rows>;

  constructor(schema: DatabaseSchema) {
    this.schema = schema;
    this.#tables = new Map([...schema.tables.keys()].map((name) => [name, new Map()]));
  }

  /** Rows of a table, by UUID; empty for a table that the schema has not. */
  table(name: string): ReadonlyMap<string, ReplicaRow> {
    return this.#tables.get(name) ?? new Map();
  }

  row(table: string, uuid: string): ReplicaRow | null {
    return this.#tables.get(table)?.get(uuid) ?? null;
  }

  /** Cells that are not at their defaults. */
  get cellCount(): number {
    let count = 0;
    for (const rows of this.#tables.values()) for (const row of rows.values()) count += row.fields.size;
    return count;
  }

  /**
   * Applies table updates of "update2".
   * @throws OvsdbError for what does not fit the schema
   */
  apply(updates: Json): void {
    if (!isObject(updates)) return;
    for (const [name, rows] of Object.entries(updates)) {
      const schema = this.schema.tables.get(name);
      const table = this.#tables.get(name);
      if (!schema || !table || !isObject(rows)) continue;
      for (const [uuid, update] of Object.entries(rows)) if (isObject(update)) applyRow(schema, table, uuid, update);
    }
  }
}

function applyRow(schema: TableSchema, table: Rows, uuid: string, update: { readonly [name: string]: Json }): void {
  if (Object.hasOwn(update, 'delete')) {
    table.delete(uuid);
    return;
  }
  const old = table.get(uuid);
  const isNew = update.modify === undefined;
  const cells = update.initial ?? update.insert ?? update.modify ?? {};
  const fields = new Map(isNew ? [] : old?.fields);
  for (const [name, json] of Object.entries(isObject(cells) ? cells : {})) {
    const column = schema.byName.get(name);
    if (!column) continue;
    const datum = datumFromJson(differenceType(column.type, isNew), json, null);
    fields.set(name, isNew || !old ? datum : applyDifference(old.datum(name), datum, column.type));
  }
  table.set(uuid, new ReplicaRow(uuid, schema, fields));
}

/** A difference of sets may have more elements than the set itself, and fewer. */
function differenceType<T extends { readonly min: 0 | 1; readonly max: number }>(type: T, isWhole: boolean): T {
  return isWhole ? type : { ...type, min: 0, max: Math.max(2 * type.max, 1) };
}
