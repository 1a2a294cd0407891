/** A database and the file that holds it: records of transactions from and to JSON, opening, committing, compacting. */
import { ovsdbLimits } from '../spec/ovsdb.ts';
import { applyDifference, datumFromJson, datumToJson, difference, isDefault, parseUuid } from './data.ts';
import { Database, Row, type Table } from './database.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { isInteger, isObject, type Json, type JsonObject } from './json.ts';
import { Log } from './log.ts';
import type { RowChange } from './row-change.ts';
import { type DatabaseSchema, schemaFromJson, schemaToJson, UUID_INDEX } from './schema.ts';
import { Transaction } from './transaction.ts';

/** What the room asks of the world. */
export interface Environment {
  /** Milliseconds since 1970. */
  now(): number;
  /** A new random UUID. */
  uuid(): string;
}

function rowToRecord({ table, old, new: now, changed }: RowChange): Json | undefined {
  if (!now) return null;
  const json: Record<string, Json> = {};
  let isEmpty = true;
  for (const { name, index, type, isPersistent } of table.schema.columns) {
    if (index === UUID_INDEX || !isPersistent) continue;
    const field = now.fields[index]!;
    if (old ? !changed[index] : isDefault(field, type)) continue;
    json[name] = datumToJson(old ? difference(old.fields[index]!, field, type) : field, type);
    isEmpty = false;
  }
  return old && isEmpty ? undefined : json;
}

/** The record of a transaction, without its annotations; null when nothing in it is to be kept. */
function changesToRecord(changes: Iterable<RowChange>): Record<string, Json> | null {
  const tables: Record<string, Record<string, Json>> = {};
  let isEmpty = true;
  for (const change of changes) {
    const row = rowToRecord(change);
    if (row === undefined) continue;
    isEmpty = false;
    (tables[change.table.schema.name] ??= {})[change.uuid] = row;
  }
  return isEmpty ? null : tables;
}

const annotate = (record: Record<string, Json>, comment: string, date: number): JsonObject => ({
  ...record,
  ...(comment === '' ? {} : { _comment: comment }),
  _is_diff: true,
  _date: date,
});

/** The whole of a database as one record. */
function databaseToRecord(database: Database, comment: string, date: number): JsonObject {
  const record: Record<string, Json> = {};
  for (const [name, table] of database.tables) {
    const rows: Record<string, Json> = {};
    for (const row of table.rows.values()) rows[row.uuid] = rowToRecord(asInserted(row))!;
    if (table.rows.size > 0) record[name] = rows;
  }
  return annotate(record, comment, date);
}

const asInserted = (row: Row): RowChange =>
  ({ table: row.table, uuid: row.uuid, old: null, new: row, changed: [] }) as unknown as RowChange;

interface ReadingOptions {
  /** Tables and columns that the schema does not have are passed over. */
  readonly isConverting: boolean;
  readonly isDifference: boolean;
}

function readRow(transaction: Transaction, table: Table, uuid: string, json: Json, options: ReadingOptions): void {
  const row = table.rows.get(uuid);
  if (json === null) {
    if (!row) throw syntaxError(undefined, `transaction deletes row ${uuid} that does not exist`);
    transaction.delete(row);
    return;
  }
  if (!isObject(json)) throw syntaxError(json, 'row must be JSON object');
  const target = row ? transaction.modify(row) : Row.withDefaults(table, uuid);
  for (const name of Object.keys(json)) {
    const column = table.schema.byName.get(name);
    if (!column) {
      if (options.isConverting) continue;
      throw syntaxError(json, `No column ${name} in table ${table.schema.name}.`, 'unknown column');
    }
    const isDifference = row !== undefined && options.isDifference;
    // A difference may have fewer or more elements than the column
    const type =
      isDifference && column.type.max > 1
        ? { ...column.type, min: 0 as const, max: ovsdbLimits.UNLIMITED }
        : column.type;
    const datum = datumFromJson(type, json[name]!, null);
    const before = target.fields[column.index]!;
    target.fields[column.index] = isDifference ? applyDifference(before, datum, column.type) : datum;
  }
  if (!row) transaction.insert(target);
}

/** Does to a transaction what a record says. @throws OvsdbError */
function readRecord(transaction: Transaction, record: JsonObject, isConverting: boolean): void {
  const options = { isConverting, isDifference: Object.hasOwn(record, '_is_diff') && record._is_diff === true };
  for (const name of Object.keys(record)) {
    const tableJson = record[name]!;
    const table = transaction.database.tables.get(name);
    if (!table) {
      if (name === '_date' && isInteger(tableJson)) continue;
      if (name === '_comment' || name === '_is_diff' || isConverting) continue;
      throw syntaxError(record, `No table named ${name}.`, 'unknown table');
    }
    if (!isObject(tableJson)) throw syntaxError(tableJson, 'object expected');
    for (const text of Object.keys(tableJson)) {
      const uuid = parseUuid(text);
      if (uuid === null) throw syntaxError(tableJson, `"${text}" is not a valid UUID`);
      readRow(transaction, table, uuid, tableJson[text]!, options);
    }
  }
}

/** Applies a record to a database in memory. @throws OvsdbError; the database is as it was then */
function applyRecord(database: Database, record: JsonObject, environment: Environment, isConverting = false): void {
  const transaction = new Transaction(database, () => environment.uuid());
  try {
    readRecord(transaction, record, isConverting);
    transaction.precommit();
  } catch (error) {
    transaction.abort();
    throw error;
  }
  transaction.complete();
}

export class Storage {
  readonly environment: Environment;
  readonly #log: Log | null;
  #lastCompaction: number;

  private constructor(log: Log | null, environment: Environment) {
    this.#log = log;
    this.environment = environment;
    this.#lastCompaction = environment.now();
  }

  /** For a database that is not kept. */
  static inMemory(environment: Environment): Storage {
    return new Storage(null, environment);
  }

  /**
   * Reads a database file. A record that is torn or makes no sense ends it: the database is what came before, and the next
   * transaction overwrites the rest.
   * @returns a warning as well when that was so
   * @throws OvsdbError when the file cannot be opened, or has no schema
   */
  static open(
    fileName: string,
    environment: Environment,
  ): { readonly storage: Storage; readonly database: Database; readonly warning: string | null } {
    const log = Log.open(fileName);
    try {
      const database = new Database(readSchema(log));
      const warning = replay(log, database, environment);
      return { storage: new Storage(log, environment), database, warning };
    } catch (error) {
      log.close();
      throw error;
    }
  }

  /** Makes a file with a schema and no rows. @throws OvsdbError */
  static create(fileName: string, schema: DatabaseSchema): void {
    const log = Log.create(fileName);
    try {
      log.write(schemaToJson(schema));
      log.commit();
    } finally {
      log.close();
    }
  }

  get fileName(): string | null {
    return this.#log?.name ?? null;
  }

  /** Writes a transaction that precommit() has passed. @returns whether there was anything to write @throws OvsdbError */
  write(transaction: Transaction): boolean {
    const record = this.#log && changesToRecord(transaction.changes());
    if (!this.#log || !record) return false;
    this.#log.write(annotate(record, transaction.comment, this.environment.now()));
    return true;
  }

  /** Returns when all that was written is on the disk. @throws OvsdbError; nothing can be written from then on */
  sync(): void {
    this.#log?.commit();
  }

  /** Makes the file as small as it can be. @throws OvsdbError; the file is as it was then */
  compact(database: Database, comment = 'compacting database online'): void {
    this.#lastCompaction = this.environment.now();
    this.#log?.replace([schemaToJson(database.schema), databaseToRecord(database, comment, this.environment.now())]);
  }

  /** True when the file has grown so much, and for so long, that it should be compacted. */
  get isDue(): boolean {
    const waited = this.environment.now() - this.#lastCompaction;
    if (!this.#log || waited < ovsdbLimits.COMPACT_INTERVAL_MIN) return false;
    return this.#log.hasGrown;
  }

  close(): void {
    this.#log?.close();
  }
}

function readSchema(log: Log): DatabaseSchema {
  const json = log.read();
  if (!json) {
    const what = `${log.name}: database file contains no schema`;
    throw new OvsdbError('I/O error', what, { ioError: 'End of file' });
  }
  try {
    return schemaFromJson(json);
  } catch (error) {
    if (error instanceof OvsdbError) throw error.wrap(`failed to parse "${log.name}" as ovsdb schema`);
    throw error;
  }
}

function replay(log: Log, database: Database, environment: Environment): string | null {
  let count = 0;
  try {
    for (let record = log.read(); record; record = log.read()) {
      try {
        applyRecord(database, record, environment);
      } catch (error) {
        log.unread();
        throw error;
      }
      if (++count === 1) log.markBase();
    }
    return null;
  } catch (error) {
    if (error instanceof OvsdbError) return error.toString();
    throw error;
  }
}

/** A database's rows under another schema. @throws OvsdbError when they do not fit it */
export function convert(database: Database, schema: DatabaseSchema, environment: Environment): Database {
  const converted = new Database(schema);
  applyRecord(converted, databaseToRecord(database, '', environment.now()), environment, true);
  return converted;
}
