/** ovsdb-client's commands, but for monitors and backups. */
import { datumFromJson } from '../../ovsdb/data.ts';
import { isArray, isObject, type Json, stringify } from '../../ovsdb/json.ts';
import type { Column, DatabaseSchema, TableSchema } from '../../ovsdb/schema.ts';
import { columnTypeToJson } from '../../ovsdb/type-json.ts';
import { Exit, Fatal } from '../common/io.ts';
import { jsonArgument } from '../common/json-file.ts';
import { backup, convert, needsConversion, restore } from './backup.ts';
import type { ClientContext } from './client-context.ts';
import { watch } from './monitor.ts';
import { parseSchema } from './schema.ts';

export interface ClientCommand {
  readonly name: string;
  /** Arguments besides server and database. */
  readonly usage: string;
  readonly hasDatabase: boolean;
  readonly least: number;
  readonly most: number;
  readonly help: string;
  run(context: ClientContext): Promise<void>;
}

async function schemaOf(context: ClientContext): Promise<DatabaseSchema> {
  return parseSchema(await context.ask('get_schema', [context.database]));
}

async function listDatabases(context: ClientContext): Promise<void> {
  const names = await context.ask('list_dbs', []);
  if (!isArray(names)) throw new Fatal('list_dbs response is not array');
  for (const name of [...names].map(String).sort()) context.io.out(`${name}\n`);
}

async function listTables(context: ClientContext): Promise<void> {
  const { tables } = await schemaOf(context);
  context.printer.print({ headings: ['Table'], rows: [...tables.keys()].map((name) => [name]) });
}

async function listColumns(context: ClientContext): Promise<void> {
  const [wanted] = context.args;
  const { tables } = await schemaOf(context);
  const chosen = [...tables.values()].filter(({ name }) => wanted === undefined || name === wanted);
  const first = wanted === undefined ? ['Table'] : [];
  const rows = chosen.flatMap((table) =>
    table.columns.map((column) => [
      ...(wanted === undefined ? [table.name] : []),
      column.name,
      { json: columnTypeToJson(column.type) },
    ]),
  );
  context.printer.print({ headings: [...first, 'Column', 'Type'], rows });
}

/** A transaction's database and operations. @throws Fatal */
function transactionArgument(context: ClientContext): readonly Json[] {
  const json = jsonArgument(context.args[0]!);
  if (!isArray(json) || typeof json[0] !== 'string') throw new Fatal('not a valid OVSDB query');
  return json;
}

async function transact(context: ClientContext): Promise<void> {
  const params = transactionArgument(context);
  context.printJson(await context.ask('transact', params, 'transaction returned error: '));
}

async function query(context: ClientContext): Promise<void> {
  const params = [...transactionArgument(context), { op: 'abort' }];
  const results = await context.ask('transact', params, 'transaction returned error: ');
  context.printJson(isArray(results) ? results.slice(0, params.length - 2) : results);
}

/** Columns of a table that a dump shows. @throws Fatal for one that is not there */
function dumpedColumns(table: TableSchema, names: readonly string[]): Column[] {
  const unknown = names.find((name) => !table.byName.has(name));
  if (unknown !== undefined) throw new Fatal(`Table "${table.name}" has no column ${unknown}.`);
  const chosen =
    names.length > 0 ? [...names].sort() : [...table.byName.keys()].filter((name) => name !== '_version').sort();
  return chosen.map((name) => table.byName.get(name)!);
}

async function dump(context: ClientContext): Promise<void> {
  const [wanted, ...names] = context.args;
  const { tables } = await schemaOf(context);
  if (wanted !== undefined && !tables.has(wanted)) throw new Fatal(`No table "${wanted}" found.`);
  const chosen = [...tables.values()]
    .filter(({ name }) => wanted === undefined || name === wanted)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((table) => ({ table, columns: dumpedColumns(table, names) }));
  const results = await context.transact(
    chosen.map(({ table, columns }) => ({
      op: 'select',
      table: table.name,
      where: [],
      columns: columns.map(({ name }) => name),
    })),
  );
  chosen.forEach(({ table, columns }, i) => {
    const result = isArray(results) ? results[i] : undefined;
    if (!isObject(result) || !isArray(result.rows)) {
      throw new Fatal(
        `${table.name} table reply is not an object with a "rows" member array: ${stringify(result ?? null)}`,
      );
    }
    const rows = result.rows.map((row) =>
      columns.map(({ name, type }) => ({ datum: datumFromJson(type, isObject(row) ? row[name]! : null, null), type })),
    );
    context.printer.print({ caption: `${table.name} table`, headings: columns.map(({ name }) => name), rows });
  });
}

/** Whether a database has come into a state. */
const states: Readonly<Record<string, (row: Json | undefined) => boolean>> = {
  added: (row) => row !== undefined,
  connected: (row) => isObject(row) && row.connected === true,
  removed: (row) => row === undefined,
};

async function waitFor(context: ClientContext): Promise<void> {
  const [name, state] = context.args as readonly [string, string];
  const isReached = Object.hasOwn(states, state) ? states[state] : undefined;
  if (!isReached) throw new Fatal(`${state}: unknown state`);
  await context.ask('set_db_change_aware', [true]);
  const select = { op: 'select', table: 'Database', where: [['name', '==', name]], columns: ['name', 'connected'] };
  await context.ask('monitor', ['_Server', null, { Database: [{ columns: ['name', 'connected'] }] }]);
  for (;;) {
    const results = await context.ask('transact', ['_Server', select]);
    const result = isArray(results) ? results[0] : undefined;
    const rows = isObject(result) && isArray(result.rows) ? result.rows : [];
    if (isReached(rows[0])) return;
    const next = await context.rpc.next(context.io.signal);
    if (!next) throw new Exit(1);
  }
}

/** Asks for a lock and tells what becomes of it, for ever. */
async function lock(context: ClientContext, method: 'lock' | 'steal' | 'unlock'): Promise<void> {
  const { result, error } = await context.rpc.request(method, [context.args[0]!]);
  if (error === null && isObject(result) && result.locked !== undefined) context.printJson(result);
  for (;;) {
    const next = await context.rpc.next(context.io.signal);
    if (!next) break;
    context.io.out(`${next.method}\n${stringify(next.params)}\n`);
  }
  if (!context.io.signal?.aborted) throw new Fatal(`${context.server}: receive failed (${context.rpc.failure})`);
}

type Row = readonly [
  name: string,
  usage: string,
  scope: 'server' | 'database',
  least: number,
  most: number,
  help: string,
  run: ClientCommand['run'],
];

const MANY = Number.MAX_SAFE_INTEGER;

const rows: readonly Row[] = [
  ['list-dbs', '', 'server', 0, 0, 'show the names of all databases', listDatabases],
  [
    'get-schema',
    '',
    'database',
    0,
    0,
    'show the schema',
    async (context) => context.printJson(await context.ask('get_schema', [context.database])),
  ],
  [
    'get-schema-version',
    '',
    'database',
    0,
    0,
    'show the schema’s version',
    async (context) => context.io.out(`${(await schemaOf(context)).version}\n`),
  ],
  [
    'get-schema-cksum',
    '',
    'database',
    0,
    0,
    'show the schema’s checksum',
    async (context) => context.io.out(`${(await schemaOf(context)).checksum}\n`),
  ],
  ['list-tables', '', 'database', 0, 0, 'show the names of all tables', listTables],
  ['list-columns', '[TABLE]', 'database', 0, 1, 'show columns and their types', listColumns],
  ['transact', 'TRANSACTION', 'server', 1, 1, 'run a transaction and show its results', transact],
  ['query', 'TRANSACTION', 'server', 1, 1, 'run a transaction, show its results, keep nothing', query],
  [
    'monitor',
    'TABLE [COLUMN,...]...|ALL',
    'database',
    1,
    MANY,
    'show changes as they happen',
    (context) => watch(context, 'monitor'),
  ],
  [
    'monitor-cond',
    'CONDITION TABLE [COLUMN,...]...',
    'database',
    2,
    MANY,
    'show changes of rows for which the condition holds',
    (context) => watch(context, 'monitor_cond'),
  ],
  [
    'monitor-cond-since',
    '[LASTID] CONDITION TABLE [COLUMN,...]...',
    'database',
    2,
    MANY,
    'the same, from a transaction on',
    (context) => watch(context, 'monitor_cond_since'),
  ],
  ['convert', 'SCHEMA', 'server', 1, 1, 'put the rows under another schema', convert],
  ['needs-conversion', 'SCHEMA', 'server', 1, 1, 'tell whether the schema is another one', needsConversion],
  ['wait', 'DATABASE STATE', 'server', 2, 2, 'wait until a database is added, connected or removed', waitFor],
  ['dump', '[TABLE [COLUMN]...]', 'database', 0, MANY, 'show the rows of all tables, or of one', dump],
  ['backup', '', 'database', 0, 0, 'write the database to standard output as a database file', backup],
  ['restore', '', 'database', 0, 0, 'replace the database by a backup from standard input', restore],
  ['lock', 'LOCK', 'server', 1, 1, 'ask for a lock, and hold it', (context) => lock(context, 'lock')],
  ['steal', 'LOCK', 'server', 1, 1, 'take a lock from whoever has it', (context) => lock(context, 'steal')],
  ['unlock', 'LOCK', 'server', 1, 1, 'give a lock back', (context) => lock(context, 'unlock')],
];

export const clientCommands: readonly ClientCommand[] = rows.map(([name, usage, scope, least, most, help, run]) => ({
  name,
  usage,
  hasDatabase: scope === 'database',
  least,
  most,
  help,
  run,
}));
