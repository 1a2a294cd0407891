/**
 * A monitor: what one session wants to know of one database (RFC 7047 §4.1.5; versions 2 and 3 are the reference's
 * monitor_cond and monitor_cond_since).
 *
 * Changes are kept until they can be sent: a session that reads slowly gets the sum of what has happened, not every step. So a
 * monitor never holds more than one change for each row.
 */
import { type Condition, conditionFromJson, matchesAny } from './condition.ts';
import { datumToJson, difference, equalData, isDefault, ZERO_UUID } from './data.ts';
import type { Database, Row, Table } from './database.ts';
import { syntaxError } from './error.ts';
import { isArray, isObject, type Json, type JsonObject } from './json.ts';
import { ObjectParser } from './parser.ts';
import type { RowChange } from './row-change.ts';
import { type Column, UUID_INDEX } from './schema.ts';

const kinds = ['initial', 'insert', 'delete', 'modify'] as const;
type Kind = (typeof kinds)[number];
type Select = ReadonlySet<Kind>;
const all: Select = new Set(kinds);

interface MonitoredColumn {
  readonly column: Column;
  readonly select: Select;
}

interface Pending {
  readonly old: Row | null;
  new: Row | null;
}

interface MonitoredTable {
  readonly table: Table;
  readonly columns: MonitoredColumn[];
  readonly select: Set<Kind>;
  /** Of which one clause has to hold; no clause at all means every row. Null for version 1. */
  condition: Condition | null;
  /** Columns whose change counts as one of the row: those above and those that conditions have named. */
  readonly watched: Set<Column>;
  pending: Map<string, Pending>;
}

/** 1: "update"; 2: "update2", differences and conditions; 3: "update3", with the last transaction's id. */
export type MonitorVersion = 1 | 2 | 3;

export class Monitor {
  readonly database: Database;
  readonly version: MonitorVersion;
  /** What the client calls it. */
  id: Json;
  readonly #tables = new Map<Table, MonitoredTable>();

  /** @throws OvsdbError for requests that are no <monitor-requests> */
  constructor(database: Database, version: MonitorVersion, id: Json, requests: Json) {
    this.database = database;
    this.version = version;
    this.id = id;
    if (!isObject(requests)) throw syntaxError(requests, 'monitor-requests must be object');
    for (const name of Object.keys(requests)) {
      const table = database.tables.get(name);
      if (!table) throw syntaxError(undefined, `no table named ${name}`);
      const condition: Condition | null = version === 1 ? null : [];
      const monitored = {
        table,
        columns: [],
        select: new Set<Kind>(),
        condition,
        watched: new Set<Column>(),
        pending: new Map(),
      };
      this.#tables.set(table, monitored);
      const request = requests[name]!;
      for (const one of isArray(request) ? request : [request]) addRequest(monitored, one);
    }
  }

  /** All rows that it wants to know of at the start: a <table-updates> object. */
  initial(): JsonObject {
    for (const monitored of this.#tables.values()) {
      if (!monitored.select.has('initial')) continue;
      for (const row of monitored.table.rows.values()) monitored.pending.set(row.uuid, { old: null, new: row });
    }
    return this.#take(true) ?? {};
  }

  /** Notes what a transaction has changed. */
  record({ table, uuid, old, new: now }: RowChange): void {
    const monitored = this.#tables.get(table);
    if (!monitored) return;
    const before = monitored.pending.get(uuid);
    if (!before) monitored.pending.set(uuid, { old, new: now });
    else if (now || before.old) before.new = now;
    else monitored.pending.delete(uuid);
  }

  get hasPending(): boolean {
    for (const { pending } of this.#tables.values()) if (pending.size > 0) return true;
    return false;
  }

  /** The notification about all that has happened since the last one; null when there is nothing to tell. */
  takeNotification(): { readonly method: string; readonly params: Json[] } | null {
    return this.hasPending ? this.#notification(this.#take(false)) : null;
  }

  #notification(updates: JsonObject | null): { readonly method: string; readonly params: Json[] } | null {
    if (!updates) return null;
    if (this.version === 3) return { method: 'update3', params: [this.id, ZERO_UUID, updates] };
    return { method: this.version === 2 ? 'update2' : 'update', params: [this.id, updates] };
  }

  #take(isInitial: boolean): JsonObject | null {
    let json: Record<string, Json> | null = null;
    for (const monitored of this.#tables.values()) {
      const rows: Record<string, Json> = {};
      let isEmpty = true;
      for (const [uuid, { old, new: now }] of monitored.pending) {
        const update = this.#rowUpdate(monitored, old, now, isInitial);
        if (update === null) continue;
        rows[uuid] = update;
        isEmpty = false;
      }
      if (monitored.pending.size > 0) monitored.pending = new Map();
      if (isEmpty) continue;
      json ??= {};
      json[monitored.table.schema.name] = rows;
    }
    return json;
  }

  #rowUpdate(monitored: MonitoredTable, old: Row | null, now: Row | null, isInitial: boolean): JsonObject | null {
    const { condition } = monitored;
    const from = old && isWanted(old, condition) ? old : null;
    const to = now && isWanted(now, condition) ? now : null;
    if (!from && !to) return null;
    const kind: Kind = isInitial ? 'initial' : !from ? 'insert' : !to ? 'delete' : 'modify';
    if (!monitored.select.has(kind)) return null;
    if (kind === 'modify' && ![...monitored.watched].some((column) => differs(from!, to!, column))) return null;
    return this.version === 1 ? rowUpdate(monitored, kind, from, to) : rowUpdate2(monitored, kind, from, to);
  }

  /**
   * Changes conditions and the monitor's id.
   * @returns the notification about rows that come or go by that
   * @throws OvsdbError; nothing is changed then
   */
  changeConditions(id: Json, requests: Json): ReturnType<Monitor['takeNotification']> {
    if (!isObject(requests)) throw syntaxError(undefined, 'monitor-cond-change-requests must be object');
    const changes = new Map<MonitoredTable, Condition>();
    for (const name of Object.keys(requests)) {
      const table = this.database.tables.get(name);
      if (!table) throw syntaxError(undefined, `no table named ${name}`);
      const monitored = this.#tables.get(table);
      if (!monitored) throw syntaxError(undefined, `no table named ${name} in monitor session`);
      const request = requests[name]!;
      if (!isArray(request)) throw syntaxError(undefined, `table ${name} no monitor-cond-change JSON array`);
      for (const one of request) {
        const condition = changedCondition(table, one);
        if (condition) changes.set(monitored, condition);
      }
    }
    this.id = id;
    const json: Record<string, Json> = {};
    for (const [monitored, condition] of changes) {
      const rows = this.#conditionUpdate(monitored, condition);
      if (rows) json[monitored.table.schema.name] = rows;
    }
    return this.#notification(Object.keys(json).length > 0 ? json : null);
  }

  #conditionUpdate(monitored: MonitoredTable, condition: Condition): JsonObject | null {
    const before = monitored.condition;
    monitored.condition = condition;
    watchCondition(monitored);
    if (this.version === 1) return null;
    const json: Record<string, Json> = {};
    for (const row of monitored.table.rows.values()) {
      const was = isWanted(row, before);
      const is = isWanted(row, condition);
      if (was === is) continue;
      const kind: Kind = is ? 'insert' : 'delete';
      if (monitored.select.has(kind)) json[row.uuid] = rowUpdate2(monitored, kind, row, row);
    }
    return Object.keys(json).length > 0 ? json : null;
  }
}

const isWanted = (row: Row, condition: Condition | null): boolean =>
  condition === null || condition.length === 0 || matchesAny(row, condition);

const differs = (a: Row, b: Row, { index }: Column): boolean => !equalData(a.fields[index]!, b.fields[index]!);

function addRequest(monitored: MonitoredTable, request: Json): void {
  const { schema } = monitored.table;
  const parser = new ObjectParser(request, `table ${schema.name}`);
  const where = monitored.condition ? parser.optional('where', 'array') : null;
  const columnsJson = parser.optional('columns', 'array');
  const selectJson = parser.optional('select', 'object');
  parser.finish();
  const select = selectJson ? selectFromJson(schema.name, selectJson) : all;
  for (const kind of select) monitored.select.add(kind);
  const columns = columnsJson
    ? monitoredColumns(monitored, columnsJson)
    : schema.columns.filter(({ index }) => index !== UUID_INDEX);
  for (const column of columns) {
    if (monitored.columns.some((known) => known.column === column)) {
      throw syntaxError(columnsJson ?? undefined, `column ${column.name} mentioned more than once`);
    }
    monitored.columns.push({ column, select });
    monitored.watched.add(column);
  }
  if (where) monitored.condition = [...monitored.condition!, ...conditionFromJson(schema, where, null)];
  watchCondition(monitored);
}

function watchCondition({ condition, watched }: MonitoredTable): void {
  for (const clause of condition ?? []) if (typeof clause === 'object') watched.add(clause.column);
}

function selectFromJson(tableName: string, json: JsonObject): Select {
  const parser = new ObjectParser(json, `table ${tableName} select`);
  const select = new Set(kinds.filter((kind) => parser.optional(kind, 'boolean') ?? true));
  parser.finish();
  return select;
}

function monitoredColumns({ table }: MonitoredTable, json: readonly Json[]): Column[] {
  const seen = new Set<Column>();
  return json.map((name) => {
    if (typeof name !== 'string') throw syntaxError(json, 'array of column names expected');
    const column = table.schema.byName.get(name);
    if (!column) throw syntaxError(json, `${name} is not a valid column name`);
    if (seen.has(column)) throw syntaxError(json, `column ${name} mentioned more than once`);
    seen.add(column);
    return column;
  });
}

function changedCondition(table: Table, json: Json): Condition | null {
  const parser = new ObjectParser(json, `table ${table.schema.name}`);
  const columns = parser.optional('columns', 'array');
  const where = parser.optional('where', 'array');
  parser.finish();
  if (columns) throw syntaxError(json, 'changing columns is unsupported');
  return where ? conditionFromJson(table.schema, where, null) : null;
}

function rowUpdate(monitored: MonitoredTable, kind: Kind, old: Row | null, now: Row | null): JsonObject {
  const before: Record<string, Json> = {};
  const after: Record<string, Json> = {};
  for (const { column, select } of monitored.columns) {
    if (!select.has(kind)) continue;
    const { name, index, type } = column;
    if (kind === 'delete' || (kind === 'modify' && differs(old!, now!, column))) {
      before[name] = datumToJson(old!.fields[index]!, type);
    }
    if (kind !== 'delete') after[name] = datumToJson(now!.fields[index]!, type);
  }
  if (kind === 'delete') return { old: before };
  return kind === 'modify' ? { old: before, new: after } : { new: after };
}

function rowUpdate2(monitored: MonitoredTable, kind: Kind, old: Row | null, now: Row | null): JsonObject {
  if (kind === 'delete') return { delete: null };
  const json: Record<string, Json> = {};
  for (const { column, select } of monitored.columns) {
    if (!select.has(kind)) continue;
    const { name, index, type } = column;
    const field = now!.fields[index]!;
    if (kind === 'modify') {
      if (differs(old!, now!, column)) json[name] = datumToJson(difference(old!.fields[index]!, field, type), type);
    } else if (!isDefault(field, type)) json[name] = datumToJson(field, type);
  }
  return { [kind]: json };
}
