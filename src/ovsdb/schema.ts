/** Database schemas (RFC 7047 §3.2 <database-schema>, <table-schema>, <column-schema>) from and to JSON. */
import { ovsdbLimits } from '../spec/ovsdb.ts';
import { syntaxError } from './error.ts';
import { isArray, type Json, type JsonObject, stringify } from './json.ts';
import { isId, ObjectParser } from './parser.ts';
import { columnTypeFromJson, columnTypeToJson } from './type-json.ts';
import { type BaseType, type ColumnType, isStrongRef, isWeakRef, uuidType } from './types.ts';

export interface Column {
  readonly name: string;
  /** Place in a row's fields. */
  readonly index: number;
  readonly isMutable: boolean;
  /** False for what is not kept in the file. */
  readonly isPersistent: boolean;
  readonly type: ColumnType;
  readonly hasStrongRefs: boolean;
  readonly hasWeakRefs: boolean;
}

/** Every table's first two columns. */
export const UUID_INDEX = 0;
export const VERSION_INDEX = 1;

export interface TableSchema {
  readonly name: string;
  readonly isMutable: boolean;
  readonly isRoot: boolean;
  readonly maxRows: number;
  /** `_uuid` and `_version` first. */
  readonly columns: readonly Column[];
  readonly byName: ReadonlyMap<string, Column>;
  readonly indexes: readonly (readonly Column[])[];
}

export interface DatabaseSchema {
  readonly name: string;
  readonly version: string;
  readonly checksum: string;
  readonly tables: ReadonlyMap<string, TableSchema>;
}

interface ColumnJson {
  readonly name: string;
  readonly isMutable: boolean;
  readonly isPersistent: boolean;
  readonly type: ColumnType;
}

const standardColumns: readonly ColumnJson[] = [
  { name: '_uuid', isMutable: false, isPersistent: true, type: uuidType },
  { name: '_version', isMutable: false, isPersistent: false, type: uuidType },
];

function columnFromJson(json: Json, name: string): ColumnJson {
  const parser = new ObjectParser(json, `schema for column ${name}`);
  const isMutable = parser.optional('mutable', 'boolean') ?? true;
  const isEphemeral = parser.optional('ephemeral', 'boolean') ?? false;
  const type = parser.required('type', 'string', 'object');
  parser.finish();
  return { name, isMutable, isPersistent: !isEphemeral, type: columnTypeFromJson(type!) };
}

interface TableJson {
  readonly name: string;
  readonly isMutable: boolean;
  readonly isRoot: boolean;
  readonly maxRows: number;
  readonly columns: readonly ColumnJson[];
  readonly indexes: readonly (readonly string[])[];
}

function checkName(json: Json, name: string): void {
  if (name.startsWith('_')) throw syntaxError(json, 'names beginning with "_" are reserved');
  if (!isId(name)) throw syntaxError(json, 'name must be a valid id');
}

function tableFromJson(json: Json, name: string): TableJson {
  const parser = new ObjectParser(json, `table schema for table ${name}`);
  const columnsJson = parser.required('columns', 'object');
  const isMutable = parser.optional('mutable', 'boolean') ?? true;
  const maxRows = parser.optional('maxRows', 'integer');
  const isRoot = parser.optional('isRoot', 'boolean') ?? false;
  const indexesJson = parser.optional('indexes', 'array') ?? [];
  parser.finish();
  if (maxRows !== null && maxRows <= 0) throw syntaxError(json, 'maxRows must be at least 1');
  const names = Object.keys(columnsJson!);
  if (names.length === 0) throw syntaxError(json, 'table must have at least one column');
  const columns = names.map((column) => {
    checkName(json, column);
    return columnFromJson(columnsJson![column]!, column);
  });
  return {
    name,
    isMutable,
    isRoot,
    maxRows: maxRows === null ? ovsdbLimits.UNLIMITED : Math.min(Number(maxRows), ovsdbLimits.UNLIMITED),
    columns,
    indexes: indexesJson.map((index) => indexFromJson(json, index, columns)),
  };
}

function indexFromJson(table: Json, json: Json, columns: readonly ColumnJson[]): string[] {
  const names = columnNames(json, (name) => name === '_uuid' || columns.some((column) => column.name === name));
  if (names.length === 0) throw syntaxError(table, 'index must have at least one column');
  for (const name of names) {
    if (columns.some((column) => column.name === name && !column.isPersistent)) {
      throw syntaxError(table, `ephemeral columns (such as ${name}) may not be indexed`);
    }
  }
  return names;
}

/** @throws OvsdbError for anything but an array of distinct names that `isKnown` knows */
export function columnNames(json: Json, isKnown: (name: string) => boolean): string[] {
  const names: string[] = [];
  for (const name of isArray(json) ? json : [null]) {
    if (typeof name !== 'string' || names.includes(name)) {
      throw syntaxError(json, 'array of distinct column names expected');
    }
    if (!isKnown(name)) throw syntaxError(json, `${name} is not a valid column name`);
    names.push(name);
  }
  return names;
}

/** @throws OvsdbError */
export function schemaFromJson(json: Json): DatabaseSchema {
  const parser = new ObjectParser(json, 'database schema');
  const name = parser.required('name', 'id');
  const version = parser.optional('version', 'string') ?? '';
  const checksum = parser.optional('cksum', 'string') ?? '';
  const tablesJson = parser.required('tables', 'object');
  parser.finish();
  if (version !== '' && !/^\d+\.\d+\.\d+$/.test(version)) {
    throw syntaxError(json, `schema version "${version}" not in format x.y.z`);
  }
  const tables = Object.keys(tablesJson!).map((table) => {
    checkName(json, table);
    return tableFromJson(tablesJson![table]!, table);
  });
  // Schemas from before garbage collection have no root set at all: then every table is in it
  const hasRoots = tables.some((table) => table.isRoot);
  const rooted = new Map(tables.map((table) => [table.name, { ...table, isRoot: table.isRoot || !hasRoots }]));
  return { name: name!, version, checksum, tables: new Map([...rooted].map(([key, t]) => [key, linked(t, rooted)])) };
}

function linked(table: TableJson, tables: ReadonlyMap<string, TableJson>): TableSchema {
  const columns = [...standardColumns, ...table.columns].map((column, index): Column => {
    const { key, value } = column.type;
    checkRefTable(column, key, 'key', tables);
    checkRefTable(column, value, 'value', tables);
    // An ephemeral strong reference into a table outside of the root set would be lost with the file's reader
    const holds = [key, value].some((base) => isStrongRef(base) && !tables.get(base!.refTable!)!.isRoot);
    return {
      ...column,
      index,
      isPersistent: column.isPersistent || holds,
      hasStrongRefs: isStrongRef(key) || isStrongRef(value),
      hasWeakRefs: isWeakRef(key) || isWeakRef(value),
    };
  });
  const byName = new Map(columns.map((column) => [column.name, column]));
  const indexes = table.indexes.map((names) => names.map((name) => byName.get(name)!));
  const { name, isMutable, isRoot, maxRows } = table;
  return { name, isMutable, isRoot, maxRows, columns, byName, indexes };
}

function checkRefTable(
  column: ColumnJson,
  base: BaseType | null,
  baseName: string,
  tables: ReadonlyMap<string, TableJson>,
): void {
  if (base?.refTable == null || tables.has(base.refTable)) return;
  throw syntaxError(undefined, `column ${column.name} ${baseName} refers to undefined table ${base.refTable}`);
}

function columnToJson(column: Column): JsonObject {
  return {
    ...(column.isMutable ? {} : { mutable: false }),
    ...(column.isPersistent ? {} : { ephemeral: true }),
    type: columnTypeToJson(column.type),
  };
}

function tableToJson(table: TableSchema, defaultIsRoot: boolean): JsonObject {
  const columns = table.columns.filter((column) => column.index > VERSION_INDEX);
  return {
    ...(table.isMutable ? {} : { mutable: false }),
    ...(table.isRoot === defaultIsRoot ? {} : { isRoot: table.isRoot }),
    columns: Object.fromEntries(columns.map((column) => [column.name, columnToJson(column)])),
    ...(table.maxRows === ovsdbLimits.UNLIMITED ? {} : { maxRows: table.maxRows }),
    ...(table.indexes.length === 0 ? {} : { indexes: table.indexes.map((index) => index.map(({ name }) => name)) }),
  };
}

export function schemaToJson(schema: DatabaseSchema): JsonObject {
  const tables = [...schema.tables.values()];
  const allAreRoots = tables.every((table) => table.isRoot);
  return {
    name: schema.name,
    ...(schema.version === '' ? {} : { version: schema.version }),
    ...(schema.checksum === '' ? {} : { cksum: schema.checksum }),
    tables: Object.fromEntries(tables.map((table) => [table.name, tableToJson(table, allAreRoots)])),
  };
}

/** The schema as the `_Server` database shows it. */
export const schemaText = (schema: DatabaseSchema): string => stringify(schemaToJson(schema), true);
