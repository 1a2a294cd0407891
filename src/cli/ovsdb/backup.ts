/** ovsdb-client's backup, restore, convert and needs-conversion. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { datumToJson } from '../../ovsdb/data.ts';
import { OvsdbError } from '../../ovsdb/error.ts';
import { isArray, isObject, type Json, stringify } from '../../ovsdb/json.ts';
import { type DatabaseSchema, schemaText } from '../../ovsdb/schema.ts';
import { Storage } from '../../ovsdb/storage.ts';
import { Fatal } from '../common/io.ts';
import { readSchemaJson } from '../common/json-file.ts';
import type { ClientContext } from './client-context.ts';
import { parseSchema } from './schema.ts';

/** Columns that a backup keeps. */
const keptColumns = (schema: DatabaseSchema, table: string): string[] =>
  schema.tables
    .get(table)!
    .columns.filter(({ name, isPersistent }) => isPersistent && !name.startsWith('_'))
    .map(({ name }) => name);

/** One record of a database file. */
function record(json: Json): string {
  const body = `${stringify(json)}\n`;
  const hash = createHash('sha1').update(body).digest('hex');
  return `OVSDB JSON ${Buffer.byteLength(body)} ${hash}\n${body}`;
}

function rowsByUuid(result: Json | undefined): Record<string, Json> {
  const rows = isObject(result) && isArray(result.rows) ? result.rows : [];
  return Object.fromEntries(
    rows.flatMap((row) => {
      if (!isObject(row) || !isArray(row._uuid)) return [];
      const { _uuid, ...cells } = row;
      return [[String((_uuid as readonly Json[])[1]), cells]];
    }),
  );
}

/** Prints the whole database as a database file. */
export async function backup(context: ClientContext): Promise<void> {
  const schemaJson = await context.ask('get_schema', [context.database]);
  const schema = parseSchema(schemaJson);
  const tables = [...schema.tables.keys()];
  const results = await context.transact(
    tables.map((table) => ({ op: 'select', table, where: [], columns: ['_uuid', ...keptColumns(schema, table)] })),
  );
  const content: Record<string, Json> = {};
  tables.forEach((table, i) => {
    const rows = rowsByUuid(isArray(results) ? results[i] : undefined);
    if (Object.keys(rows).length > 0) content[table] = rows;
  });
  const notes = { _comment: `produced by "ovsdb-client backup"`, _is_diff: true, _date: context.io.date() };
  context.io.out(record(schemaJson) + record({ ...content, ...notes }));
}

/** Reads a database file's text by way of a file. */
function readBackup(context: ClientContext, text: string): ReturnType<typeof Storage.open>['database'] {
  const folder = mkdtempSync(join(tmpdir(), 'weft-restore-'));
  const file = join(folder, 'backup.db');
  try {
    writeFileSync(file, text);
    const { storage, database, warning } = Storage.open(file, { now: context.io.date, uuid: context.io.uuid });
    storage.close();
    if (warning !== null) throw new Fatal(warning.replaceAll(file, '/dev/stdin'));
    return database;
  } catch (error) {
    if (error instanceof OvsdbError) throw new Fatal(error.toString().replaceAll(file, '/dev/stdin'));
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function checkSchemas(context: ClientContext, ours: DatabaseSchema, theirs: DatabaseSchema): void {
  if (schemaText(ours) === schemaText(theirs)) return;
  const what =
    ours.version === theirs.version
      ? `backup schema and database schema are both version ${ours.version} but still differ`
      : `backup schema has version "${ours.version}" but database schema has version "${theirs.version}"`;
  if (context.options.mustForce) {
    context.log('INFO', what);
    return;
  }
  const hint = '(use --force to override differences, or "ovsdb-client convert" to change the schema)';
  throw new Fatal(`${what} ${hint}`);
}

const rowName = (uuid: string): string => `row${uuid.replaceAll('-', '_')}`;

/** Puts the content of a backup in the place of the database's. */
export async function restore(context: ClientContext): Promise<void> {
  const database = readBackup(context, context.io.stdin());
  const schema = parseSchema(await context.ask('get_schema', [context.database]));
  checkSchemas(context, database.schema, schema);
  const uuids = new Set([...database.tables.values()].flatMap((table) => [...table.rows.keys()]));
  const named = (json: Json): Json => {
    if (!isArray(json)) return json;
    const [tag, uuid] = json;
    if (tag === 'uuid' && typeof uuid === 'string' && uuids.has(uuid)) return ['named-uuid', rowName(uuid)];
    return json.map(named);
  };
  const operations: Json[] = [...schema.tables.keys()].map((table) => ({ op: 'delete', table, where: [] }));
  for (const [name, table] of database.tables) {
    for (const row of table.rows.values()) {
      const known = table.schema.columns.filter(
        (column) =>
          column.isPersistent && !column.name.startsWith('_') && schema.tables.get(name)?.byName.has(column.name),
      );
      const cells = known.map((column) => [column.name, named(datumToJson(row.fields[column.index]!, column.type))]);
      operations.push({
        op: 'insert',
        table: name,
        'uuid-name': rowName(row.uuid),
        row: Object.fromEntries(cells) as Json,
      });
    }
  }
  operations.push({ op: 'comment', comment: 'ovsdb-client: restored backup' });
  checkResults(await context.transact(operations));
}

/** @throws Fatal for the first operation that failed */
function checkResults(results: Json): void {
  const failed = isArray(results) ? results.find((one) => isObject(one) && one.error !== undefined) : undefined;
  if (failed !== undefined) throw new Fatal(`server returned error reply: ${stringify(failed, true)}`);
}

/** A schema's file, for the database of its name. */
function schemaArgument(context: ClientContext): { readonly json: Json; readonly schema: DatabaseSchema } {
  const json = readSchemaJson(context.args[0]!);
  return { json, schema: parseSchema(json) };
}

export async function convert(context: ClientContext): Promise<void> {
  const { json, schema } = schemaArgument(context);
  await context.ask('set_db_change_aware', [true]);
  await context.ask('convert', [schema.name, json]);
}

export async function needsConversion(context: ClientContext): Promise<void> {
  const { schema } = schemaArgument(context);
  const current = parseSchema(await context.ask('get_schema', [schema.name]));
  context.io.out(schemaText(current) === schemaText(schema) ? 'no\n' : 'yes\n');
}
