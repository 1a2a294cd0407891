/** The operations of a transaction (RFC 7047 §5.2), and the reference's order of checks and errors. */
import { conditionFromJson, query } from './condition.ts';
import { checkDatum, datumFromJson, datumToJson, parseUuid, type SymbolTable } from './data.ts';
import { compareRows, type Database, Row, type Table } from './database.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { isArray, isObject, type Json, type JsonObject } from './json.ts';
import { mutateRow, mutationFromJson } from './mutation.ts';
import { ObjectParser } from './parser.ts';
import { type Column, columnNames, type TableSchema, UUID_INDEX } from './schema.ts';
import { Transaction } from './transaction.ts';

export interface ExecutionContext {
  /** Makes new UUIDs. */
  uuid(): string;
  /** Whether the session that asks owns a lock. */
  ownsLock(name: string): boolean;
  readonly isReadOnly: boolean;
  /** Milliseconds since the request came in. */
  readonly elapsed: number;
}

export type Execution =
  /** All operations went well; nothing is committed yet. */
  | {
      readonly kind: 'composed';
      readonly transaction: Transaction;
      readonly results: Json[];
      readonly isDurable: boolean;
    }
  /** An operation failed; everything is taken back. */
  | { readonly kind: 'failed'; readonly results: Json[] }
  /** A "wait" is not satisfied: to be tried again when the database changes, or after so many milliseconds in all. */
  | { readonly kind: 'waiting'; readonly timeout: number };

/** Thrown by a "wait" that is not satisfied yet. */
class Unsatisfied extends Error {}

class Symbols implements SymbolTable {
  readonly #symbols = new Map<string, { readonly uuid: string; isInserted: boolean }>();
  readonly #uuid: () => string;

  constructor(uuid: () => string) {
    this.#uuid = uuid;
  }

  resolve(name: string): string {
    return this.#get(name).uuid;
  }

  #get(name: string, uuid?: string): { readonly uuid: string; isInserted: boolean } {
    const known = this.#symbols.get(name);
    if (known) return known;
    const symbol = { uuid: uuid ?? this.#uuid(), isInserted: false };
    this.#symbols.set(name, symbol);
    return symbol;
  }

  /** The UUID for a row that is inserted under a name. */
  insert(name: string, uuid: string | null): string {
    const symbol = this.#get(name, uuid ?? undefined);
    if (symbol.isInserted) {
      throw syntaxError(name, 'This "uuid-name" appeared on an earlier "insert" operation.', 'duplicate uuid-name');
    }
    symbol.isInserted = true;
    if (uuid !== null && symbol.uuid !== uuid) this.#symbols.set(name, { uuid, isInserted: true });
    return uuid ?? symbol.uuid;
  }
}

type Operation = (execution: Executor, parser: ObjectParser) => JsonObject;

const operations: Readonly<Record<string, { readonly isReadOnly: boolean; readonly execute: Operation }>> = {
  insert: { isReadOnly: false, execute: (x, parser) => x.insert(parser) },
  select: { isReadOnly: true, execute: (x, parser) => x.select(parser) },
  update: { isReadOnly: false, execute: (x, parser) => x.update(parser) },
  mutate: { isReadOnly: false, execute: (x, parser) => x.mutate(parser) },
  delete: { isReadOnly: false, execute: (x, parser) => x.delete(parser) },
  wait: { isReadOnly: true, execute: (x, parser) => x.wait(parser) },
  commit: { isReadOnly: false, execute: (x, parser) => x.commit(parser) },
  abort: {
    isReadOnly: true,
    execute: () => {
      throw new OvsdbError('aborted', 'aborted by request');
    },
  },
  comment: { isReadOnly: true, execute: (x, parser) => x.comment(parser) },
  assert: { isReadOnly: true, execute: (x, parser) => x.assert(parser) },
};

/**
 * Runs the operations of a "transact" request.
 * @param params the request's: database name, operations
 */
export function execute(database: Database, params: Json, context: ExecutionContext): Execution {
  if (!isArray(params)) return { kind: 'failed', results: [syntaxError(params, 'array expected').toJson()] };
  if (params[0] !== database.name) {
    return { kind: 'failed', results: [syntaxError(params, 'database name expected as first parameter').toJson()] };
  }
  const executor = new Executor(database, context);
  const results: Json[] = [];
  const count = params.length - 1;
  for (let i = 1; i <= count; i++) {
    try {
      results.push(executor.run(params[i]!, `ovsdb operation ${i} of ${count}`));
    } catch (error) {
      executor.transaction.abort();
      if (error instanceof Unsatisfied) return { kind: 'waiting', timeout: executor.timeout };
      if (!(error instanceof OvsdbError)) throw error;
      results.push(error.toJson());
      while (results.length < count) results.push(null);
      return { kind: 'failed', results };
    }
  }
  return { kind: 'composed', transaction: executor.transaction, results, isDurable: executor.isDurable };
}

class Executor {
  readonly transaction: Transaction;
  readonly #database: Database;
  readonly #context: ExecutionContext;
  readonly #symbols: Symbols;
  isDurable = false;
  timeout = Number.POSITIVE_INFINITY;

  constructor(database: Database, context: ExecutionContext) {
    this.#database = database;
    this.#context = context;
    this.transaction = new Transaction(database, () => context.uuid());
    this.#symbols = new Symbols(() => context.uuid());
  }

  run(json: Json, name: string): JsonObject {
    const parser = new ObjectParser(json, name);
    const opName = parser.required('op', 'id');
    const operation = opName !== null && Object.hasOwn(operations, opName) ? operations[opName]! : null;
    if (opName !== null && !operation) parser.raise(`No operation "${opName}"`);
    let result: JsonObject = {};
    let failure: unknown = null;
    try {
      if (operation) result = operation.execute(this, parser);
    } catch (error) {
      failure = error;
    }
    // A mistake in the operation's form counts before all others
    parser.finish();
    if (failure) throw failure;
    if (!operation!.isReadOnly) this.#checkMayWrite(opName!);
    return result;
  }

  #checkMayWrite(name: string): void {
    const refuse = (where: string): OvsdbError =>
      new OvsdbError('not allowed', `${name} operation not allowed ${where}`);
    if (this.#context.isReadOnly) throw refuse('when database server is in read only mode');
    if (this.#database.name.startsWith('_')) throw refuse(`on table in reserved database ${this.#database.name}`);
  }

  #table(parser: ObjectParser): Table | null {
    const name = parser.required('table', 'id');
    if (name === null) return null;
    const table = this.#database.tables.get(name);
    if (!table) parser.raise(`No table named ${name}.`);
    return table ?? null;
  }

  /** Fills a row from JSON and returns the columns that were given. */
  #fill(row: Row, json: Json): Column[] {
    if (!isObject(json)) throw syntaxError(json, 'row must be JSON object');
    const { schema } = row.table;
    return Object.keys(json).map((name) => {
      const column = schema.byName.get(name);
      if (!column) throw syntaxError(json, `No column ${name} in table ${schema.name}.`, 'unknown column');
      row.fields[column.index] = datumFromJson(column.type, json[name]!, this.#symbols);
      return column;
    });
  }

  insert(parser: ObjectParser): JsonObject {
    const table = this.#table(parser);
    const uuidText = parser.optional('uuid', 'string');
    const uuidName = parser.optional('uuid-name', 'id');
    const rowJson = parser.required('row', 'object');
    parser.check();
    let uuid = uuidText === null ? null : parseUuid(uuidText);
    if (uuidText !== null) {
      if (uuid === null) throw syntaxError(uuidText, 'bad uuid');
      if (!this.transaction.mayInsert(table!, uuid)) {
        const already = 'already present within the table or deleted within the same transaction.';
        throw syntaxError(uuidText, `This UUID would duplicate a UUID ${already}`, 'duplicate uuid');
      }
    }
    uuid = uuidName === null ? (uuid ?? this.#context.uuid()) : this.#symbols.insert(uuidName, uuid);
    const row = Row.withDefaults(table!, uuid);
    this.#fill(row, rowJson!);
    // Defaults need not satisfy the constraints
    for (const { index, type } of table!.schema.columns) {
      if (row.fields[index]!.keys.length === 1) checkDatum(row.fields[index]!, type);
    }
    row.fields[UUID_INDEX] = { keys: [uuid], values: null };
    this.transaction.insert(row);
    return { uuid: ['uuid', uuid] };
  }

  select(parser: ObjectParser): JsonObject {
    const table = this.#table(parser);
    const where = parser.required('where', 'array');
    const columnsJson = parser.optional('columns', 'array');
    const sortJson = parser.optional('sort', 'array');
    parser.check();
    const condition = conditionFromJson(table!.schema, where!, this.#symbols);
    const columns = columnsOf(table!.schema, columnsJson);
    const sort = sortJson === null ? null : columnsOf(table!.schema, sortJson);
    const distinct = new Map<string, Row>();
    for (const row of query(table!.rows, condition)) {
      const key = columnsJson === null ? row.uuid : row.keyOf(columns);
      if (!distinct.has(key)) distinct.set(key, row);
    }
    const rows = [...distinct.values()];
    if (sort) rows.sort((a, b) => compareRows(a, b, sort));
    return { rows: rows.map((row) => rowToJson(row, columns)) };
  }

  update(parser: ObjectParser): JsonObject {
    const table = this.#table(parser);
    const where = parser.required('where', 'array');
    const rowJson = parser.required('row', 'object');
    parser.check();
    const source = Row.withDefaults(table!);
    const columns = this.#fill(source, rowJson!);
    const immutable = columns.find((column) => !column.isMutable);
    if (immutable) {
      const details = `Cannot update immutable column ${immutable.name} in table ${table!.schema.name}.`;
      throw syntaxError(parser.json!, details, 'constraint violation');
    }
    let count = 0;
    for (const row of query(table!.rows, conditionFromJson(table!.schema, where!, this.#symbols))) {
      count++;
      if (row.equals(source, columns)) continue;
      const now = this.transaction.modify(row);
      for (const { index } of columns) now.fields[index] = source.fields[index]!;
    }
    return { count };
  }

  mutate(parser: ObjectParser): JsonObject {
    const table = this.#table(parser);
    const where = parser.required('where', 'array');
    const mutationsJson = parser.required('mutations', 'array');
    parser.check();
    const mutations = mutationsJson!.map((json) => mutationFromJson(table!.schema, json, this.#symbols));
    let count = 0;
    for (const row of query(table!.rows, conditionFromJson(table!.schema, where!, this.#symbols))) {
      count++;
      mutateRow(this.transaction.modify(row), mutations);
    }
    return { count };
  }

  delete(parser: ObjectParser): JsonObject {
    const where = parser.required('where', 'array');
    const table = this.#table(parser);
    parser.check();
    let count = 0;
    for (const row of query(table!.rows, conditionFromJson(table!.schema, where!, this.#symbols))) {
      count++;
      this.transaction.delete(row);
    }
    return { count };
  }

  wait(parser: ObjectParser): JsonObject {
    const timeoutJson = parser.optional('timeout', 'integer');
    const where = parser.required('where', 'array');
    const columnsJson = parser.optional('columns', 'array');
    const until = parser.required('until', 'string');
    const rowsJson = parser.required('rows', 'array');
    const table = this.#table(parser);
    parser.check();
    const condition = conditionFromJson(table!.schema, where!, this.#symbols);
    const columns = columnsOf(table!.schema, columnsJson);
    const timeout = timeoutJson === null ? null : Number(timeoutJson);
    if (timeout !== null && timeout < 0) throw syntaxError(timeoutJson!, 'timeout must be nonnegative');
    if (timeout !== null) this.timeout = Math.min(this.timeout, timeout);
    if (until !== '==' && until !== '!=') throw syntaxError(until!, '"until" must be "==" or "!="');
    const expected = new Set<string>();
    for (const json of rowsJson!) {
      const row = Row.withDefaults(table!);
      this.#fill(row, json);
      expected.add(row.keyOf(columns));
    }
    const actual = new Set<string>();
    for (const row of query(table!.rows, condition)) actual.add(row.keyOf(columns));
    const isEqual = actual.size === expected.size && [...actual].every((key) => expected.has(key));
    if (isEqual === (until === '==')) return {};
    const { elapsed } = this.#context;
    if (timeout === null || elapsed < timeout) throw new Unsatisfied();
    throw new OvsdbError('timed out', elapsed ? `"wait" timed out after ${elapsed} ms` : '"where" clause test failed');
  }

  commit(parser: ObjectParser): JsonObject {
    if (parser.required('durable', 'boolean')) this.isDurable = true;
    return {};
  }

  comment(parser: ObjectParser): JsonObject {
    const comment = parser.required('comment', 'string');
    if (comment !== null) this.transaction.addComment(comment);
    return {};
  }

  assert(parser: ObjectParser): JsonObject {
    const name = parser.required('lock', 'id');
    if (name === null || this.#context.ownsLock(name)) return {};
    throw new OvsdbError('not owner', `Asserted lock ${name} not held.`);
  }
}

function columnsOf(table: TableSchema, json: Json | null): readonly Column[] {
  if (json === null) return table.columns;
  return columnNames(json, (name) => table.byName.has(name)).map((name) => table.byName.get(name)!);
}

function rowToJson(row: Row, columns: readonly Column[]): JsonObject {
  const json: Record<string, Json> = {};
  for (const { name, index, type } of columns) json[name] = datumToJson(row.fields[index]!, type);
  return json;
}
