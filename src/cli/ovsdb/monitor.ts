/** ovsdb-client's monitors: tables of changes as they come (RFC 7047 §4.1.5, ovsdb-server(7) for the conditional ones). */
import { datumFromJson, parseUuid, ZERO_UUID } from '../../ovsdb/data.ts';
import { isArray, isObject, type Json, type JsonObject } from '../../ovsdb/json.ts';
import type { Column, DatabaseSchema, TableSchema } from '../../ovsdb/schema.ts';
import { type ColumnType, isComposite } from '../../ovsdb/types.ts';
import { Fatal } from '../common/io.ts';
import { jsonArgument } from '../common/json-file.ts';
import type { Cell } from '../common/table.ts';
import type { ClientContext } from './client-context.ts';
import { parseSchema } from './schema.ts';

type Kind = 'monitor' | 'monitor_cond' | 'monitor_cond_since';

interface MonitoredTable {
  readonly schema: TableSchema;
  readonly columns: readonly Column[];
  readonly requests: readonly Json[];
}

const KINDS = ['initial', 'insert', 'delete', 'modify'];

/** All columns but the UUID, which has a place of its own; the version last. */
function allColumns(table: TableSchema): Column[] {
  const named = table.columns.filter(({ name }) => !name.startsWith('_'));
  return [...named.sort((a, b) => (a.name < b.name ? -1 : 1)), table.byName.get('_version')!];
}

/** Reads `COLUMN,…` and `!KIND,…` of one argument. @throws Fatal */
function parseColumns(context: ClientContext, table: TableSchema, text: string, seen: Set<string>): [Column[], Json] {
  const select: Record<string, boolean> = {};
  const columns: Column[] = [];
  for (const word of text.split(',').filter((one) => one !== '')) {
    if (word.startsWith('!') && KINDS.includes(word.slice(1))) select[word.slice(1)] = false;
    else {
      const column = table.byName.get(word);
      if (!column) {
        const where = `table "${table.name}" in ${context.database}`;
        throw new Fatal(`${context.server}: ${where} does not have a column named "${word}"`);
      }
      columns.push(column);
    }
  }
  const chosen = columns.length > 0 ? columns : allColumns(table);
  for (const { name } of chosen) {
    if (seen.has(name)) throw new Fatal(`${context.server}: column "${name}" mentioned multiple times`);
    seen.add(name);
  }
  return [chosen, select];
}

function monitorTable(
  context: ClientContext,
  table: TableSchema,
  args: readonly string[],
  where: Json | null,
): MonitoredTable {
  const seen = new Set<string>();
  const parts = (args.length > 0 ? args : ['']).map((text) => parseColumns(context, table, text, seen));
  const requests = parts.map(([columns, select]) => ({
    columns: columns.map(({ name }) => name),
    ...(where === null ? {} : { where }),
    ...(Object.keys(select as JsonObject).length === 0 ? {} : { select }),
  }));
  return { schema: table, columns: parts.flatMap(([columns]) => columns), requests };
}

function chooseTables(
  context: ClientContext,
  schema: DatabaseSchema,
  words: readonly string[],
  where: Json | null,
): MonitoredTable[] {
  const [name, ...columns] = words as readonly [string, ...string[]];
  if (name === 'ALL') {
    if (where !== null) throw new Fatal('ALL tables are not allowed with condition');
    return [...schema.tables.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((table) => monitorTable(context, table, [], null));
  }
  const table = schema.tables.get(name);
  if (!table) {
    throw new Fatal(`${context.server}: ${context.database} does not have a table named "${name}"`);
  }
  return [monitorTable(context, table, columns, where)];
}

/** Changes may have more elements than a whole value, and fewer. */
const loosely = (type: ColumnType): ColumnType =>
  isComposite(type) ? { ...type, min: 0, max: 4_294_967_295 } : { ...type, min: 0 };

function cells(columns: readonly Column[], row: Json | undefined): Cell[] {
  return columns.map(({ name, type }) => {
    const json = isObject(row) ? row[name] : undefined;
    return json === undefined ? null : { datum: datumFromJson(loosely(type), json, null), type };
  });
}

/** Rows for "update": an old and a new row for what was changed. */
function rowsOfUpdate(columns: readonly Column[], updates: JsonObject, isInitial: boolean): Cell[][] {
  return Object.entries(updates).flatMap(([uuid, update]) => {
    if (!isObject(update)) return [];
    const { old, new: now } = update;
    if (isInitial) return [[uuid, 'initial', ...cells(columns, now)]];
    if (old === undefined) return [[uuid, 'insert', ...cells(columns, now)]];
    if (now === undefined) return [[uuid, 'delete', ...cells(columns, old)]];
    return [
      [uuid, 'old', ...cells(columns, old)],
      ['', 'new', ...cells(columns, now)],
    ];
  });
}

/** Rows for "update2" and "update3". */
function rowsOfUpdate2(columns: readonly Column[], updates: JsonObject): Cell[][] {
  return Object.entries(updates).flatMap(([uuid, update]) => {
    if (!isObject(update)) return [];
    const [kind] = Object.keys(update);
    return kind === undefined ? [] : [[uuid, kind, ...cells(columns, update[kind])]];
  });
}

function show(
  context: ClientContext,
  tables: readonly MonitoredTable[],
  updates: Json,
  rowsOf: (columns: readonly Column[], updates: JsonObject) => Cell[][],
): void {
  if (!isObject(updates)) return;
  for (const { schema, columns } of tables) {
    const update = updates[schema.name];
    if (!isObject(update)) continue;
    const rows = rowsOf(columns, update);
    if (rows.length === 0) continue;
    context.printer.print({
      headings: ['row', 'action', ...columns.map(({ name }) => name)],
      rows,
      ...(tables.length > 1 ? { caption: schema.name } : {}),
      ...(context.options.hasTimestamps ? { time: context.io.date() } : {}),
    });
  }
}

interface Plan {
  readonly kind: Kind;
  readonly lastId: string;
  readonly where: Json | null;
  /** Table and columns. */
  readonly words: readonly string[];
}

function planOf(kind: Kind, args: readonly string[]): Plan {
  if (kind === 'monitor') return { kind, lastId: ZERO_UUID, where: null, words: args };
  const first = kind === 'monitor_cond_since' && args.length > 2 ? parseUuid(args[0]!) : null;
  const rest = first === null ? args : args.slice(1);
  const where = jsonArgument(rest[0]!);
  return { kind, lastId: first ?? ZERO_UUID, where, words: rest.slice(1) };
}

/** Shows what a monitor has at first. */
function showInitial(context: ClientContext, plan: Plan, tables: readonly MonitoredTable[], result: Json): void {
  if (plan.kind === 'monitor') {
    show(context, tables, result, (columns, updates) => rowsOfUpdate(columns, updates, true));
  } else if (plan.kind === 'monitor_cond') show(context, tables, result, rowsOfUpdate2);
  else if (isArray(result)) {
    context.io.out(`found: ${String(result[0])}, last_id: ${String(result[1])}\n`);
    show(context, tables, result[2] ?? null, rowsOfUpdate2);
  }
}

function showUpdate(
  context: ClientContext,
  tables: readonly MonitoredTable[],
  method: string,
  params: readonly Json[],
): void {
  if (method === 'update') {
    show(context, tables, params[1] ?? null, (columns, updates) => rowsOfUpdate(columns, updates, false));
  } else if (method === 'update2') show(context, tables, params[1] ?? null, rowsOfUpdate2);
  else if (method === 'update3') {
    context.io.out(`\nlast_id: ${String(params[1])}`);
    show(context, tables, params[2] ?? null, rowsOfUpdate2);
  }
}

/** Watches tables until the connection ends, or somebody has had enough. */
export async function watch(context: ClientContext, kind: Kind): Promise<void> {
  const plan = planOf(kind, context.args);
  const schema = parseSchema(await context.ask('get_schema', [context.database]));
  const tables = chooseTables(context, schema, plan.words, plan.where);
  const requests = Object.fromEntries(tables.map(({ schema: { name }, requests: list }) => [name, list]));
  const params: Json[] = [context.database, null, requests];
  if (kind === 'monitor_cond_since') params.push(plan.lastId);
  showInitial(context, plan, tables, await context.ask(kind, params));
  for (;;) {
    const next = await context.rpc.next(context.io.signal);
    if (!next) break;
    showUpdate(context, tables, next.method, next.params);
  }
  if (!context.io.signal?.aborted) throw new Fatal(`${context.server}: receive failed (${context.rpc.failure})`);
}
