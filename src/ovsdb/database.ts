/** A database in memory: tables of rows. Only a transaction changes one. */
import { compareData, defaultDatum, equalData, scalar, ZERO_UUID } from './data.ts';
import type { Column, DatabaseSchema, TableSchema } from './schema.ts';
import { UUID_INDEX } from './schema.ts';
import { datumText, englishList } from './text.ts';
import { type Datum, isMap } from './types.ts';

/** One row, one version of it: a change makes a new Row, and data are shared between the two. */
export class Row {
  readonly table: Table;
  readonly fields: Datum[];
  /** Strong references to it from other rows. */
  refs = 0;

  constructor(table: Table, fields: Datum[]) {
    this.table = table;
    this.fields = fields;
  }

  static withDefaults(table: Table, uuid: string = ZERO_UUID): Row {
    const fields = table.defaults.slice();
    fields[UUID_INDEX] = scalar(uuid);
    return new Row(table, fields);
  }

  get uuid(): string {
    return this.fields[UUID_INDEX]!.keys[0] as string;
  }

  copy(): Row {
    const row = new Row(this.table, this.fields.slice());
    row.refs = this.refs;
    return row;
  }

  equals(other: Row, columns: readonly Column[]): boolean {
    return columns.every(({ index }) => equalData(this.fields[index]!, other.fields[index]!));
  }

  /** Text of the row's values in some columns that is the same for the same values and no others. */
  keyOf(columns: readonly Column[]): string {
    let key = '';
    for (const { index } of columns) {
      const { keys, values } = this.fields[index]!;
      key += `${keys.length}:`;
      for (const atom of keys) key += `${typeof atom === 'string' ? JSON.stringify(atom) : atom},`;
      if (values) for (const atom of values) key += `${typeof atom === 'string' ? JSON.stringify(atom) : atom},`;
    }
    return key;
  }

  /** The values in words: `1, "x y", and [1, 2]`. */
  textOf(columns: readonly Column[]): string {
    return englishList(columns.map(({ index, type }) => datumText(this.fields[index]!, type)));
  }
}

export function compareRows(a: Row, b: Row, columns: readonly Column[]): number {
  for (const { index } of columns) {
    const order = compareData(a.fields[index]!, b.fields[index]!);
    if (order !== 0) return order;
  }
  return 0;
}

export class Table {
  readonly schema: TableSchema;
  readonly rows = new Map<string, Row>();
  /** One map an index of the schema, from Row.keyOf() to the row. Committed rows only. */
  readonly indexes: readonly Map<string, Row>[];
  /** For rows that weak references lead to: where those come from. */
  readonly weakSources = new Map<string, Map<Table, Set<string>>>();
  readonly defaults: readonly Datum[];

  constructor(schema: TableSchema) {
    this.schema = schema;
    this.indexes = schema.indexes.map(() => new Map<string, Row>());
    this.defaults = schema.columns.map((column) => defaultDatum(column.type));
  }
}

export class Database {
  readonly schema: DatabaseSchema;
  readonly tables: ReadonlyMap<string, Table>;
  /** Atoms of all rows; kept for memory/show. */
  atoms = 0;

  constructor(schema: DatabaseSchema) {
    this.schema = schema;
    this.tables = new Map([...schema.tables].map(([name, table]) => [name, new Table(table)]));
  }

  get name(): string {
    return this.schema.name;
  }

  /** The table that a base type refers to. */
  table(name: string): Table {
    const table = this.tables.get(name);
    if (!table) throw new Error(`no table ${name}`);
    return table;
  }

  /** Rows times columns, as the reference counts them. */
  get cells(): number {
    let cells = 0;
    for (const table of this.tables.values()) cells += table.rows.size * table.schema.columns.length;
    return cells;
  }

  get weakReferences(): number {
    let count = 0;
    for (const table of this.tables.values())
      for (const sources of table.weakSources.values()) for (const rows of sources.values()) count += rows.size;
    return count;
  }
}

/** Atoms of a row. */
export function countAtoms(row: Row): number {
  let count = 0;
  for (const { index, type } of row.table.schema.columns) {
    count += row.fields[index]!.keys.length * (isMap(type) ? 2 : 1);
  }
  return count;
}
