/**
 * The way back from a transaction that planChanges() made.
 *
 * What. A Snapshot is the content of a database before; undo() gives the operations that bring back what the transaction's
 * operations touched, and nothing else: what others changed meanwhile stays.
 *
 * Terms. *Deep*: a row that is gone comes back with all rows that it refers to and that went with it. UUIDs are new then.
 */
import { datumToJson } from '../../ovsdb/data.ts';
import type { Json, JsonObject, Replica, ReplicaRow } from '../../ovsdb/index.ts';

export type Snapshot = ReadonlyMap<string, ReadonlyMap<string, ReplicaRow>>;

/** Rows never change, but are replaced: maps of them are all there is to copy. */
export const takeSnapshot = (replica: Replica): Snapshot =>
  new Map([...replica.schema.tables.keys()].map((table) => [table, new Map(replica.table(table))]));

type Mutation = readonly [column: string, mutator: string, value: Json];

const uuidOf = (json: Json | undefined): string => String((json as readonly Json[] | undefined)?.[1] ?? '');

class Undo {
  readonly operations: JsonObject[] = [];
  readonly #before: Snapshot;
  readonly #now: Replica;
  /** Rows that come back, by their old UUID. */
  readonly #names = new Map<string, Json>();
  readonly #restored = new Set<string>();

  constructor(before: Snapshot, now: Replica) {
    this.#before = before;
    this.#now = now;
  }

  /** @param inserted the UUID that the operation has given, when it was an insertion */
  undo(operation: JsonObject, inserted: string): void {
    const table = String(operation.table);
    if (operation.op === 'insert') {
      if (table === 'Bridge') this.#mutate('Open_vSwitch', [], ['bridges', 'delete', ['uuid', inserted]]);
      else if (table === 'Port') this.#takeOff(inserted);
      return;
    }
    const where = operation.where as readonly (readonly Json[])[];
    if (operation.op === 'update') {
      this.#restore(table, uuidOf(where[0]?.[2]), Object.keys(operation.row as JsonObject));
      return;
    }
    for (const [column, mutator, value] of operation.mutations as readonly Mutation[]) {
      if (column === 'bridges' || column === 'ports') {
        if (mutator === 'delete') this.#bringBack(table, where, column, uuidOf(value));
      } else if (where.length > 0) this.#restore(table, uuidOf(where[0]?.[2]), [column]);
    }
  }

  #mutate(table: string, where: Json, mutation: Json): void {
    this.operations.push({ op: 'mutate', table, where, mutations: [mutation] });
  }

  /** A port that was added, off its bridge. */
  #takeOff(port: string): void {
    for (const bridge of this.#now.table('Bridge').values())
      if (bridge.refs('ports').includes(port))
        this.#mutate('Bridge', [['_uuid', '==', ['uuid', bridge.uuid]]], ['ports', 'delete', ['uuid', port]]);
  }

  /** Columns of a row that is still there. */
  #restore(table: string, uuid: string, columns: readonly string[]): void {
    const row = this.#before.get(table)?.get(uuid);
    if (!row || !this.#now.row(table, uuid)) return;
    const wanted = columns.filter((column) => !this.#restored.has(`${uuid} ${column}`));
    for (const column of wanted) this.#restored.add(`${uuid} ${column}`);
    if (wanted.length === 0) return;
    const values = Object.fromEntries(wanted.map((column) => [column, this.#value(row, column)]));
    this.operations.push({ op: 'update', table, where: [['_uuid', '==', ['uuid', uuid]]], row: values });
  }

  /** A bridge or a port that was taken out of its parent's column. */
  #bringBack(table: string, where: Json, column: string, uuid: string): void {
    const row = this.#before.get(column === 'bridges' ? 'Bridge' : 'Port')?.get(uuid);
    if (row) this.#mutate(table, where, [column, 'insert', ['set', [this.#deep(row)]]]);
  }

  #deep(row: ReplicaRow): Json {
    if (this.#now.row(row.table.name, row.uuid)) return ['uuid', row.uuid];
    const known = this.#names.get(row.uuid);
    if (known) return known;
    const name = `back${this.#names.size}`;
    this.#names.set(row.uuid, ['named-uuid', name]);
    const columns = row.table.columns.map((column) => column.name).filter((column) => !column.startsWith('_'));
    const values = Object.fromEntries(columns.map((column) => [column, this.#value(row, column)]));
    this.operations.push({ op: 'insert', table: row.table.name, row: values, 'uuid-name': name });
    return ['named-uuid', name];
  }

  #value(row: ReplicaRow, column: string): Json {
    const { type } = row.table.byName.get(column)!;
    const datum = row.datum(column);
    const tables = [type.key.refTable, type.value?.refTable ?? null];
    if (tables.every((table) => table === null)) return datumToJson(datum, type);
    const atom = (uuid: unknown, table: string | null): Json | null => {
      if (table === null) return uuid as Json;
      const target = this.#before.get(table)?.get(String(uuid));
      return target ? this.#deep(target) : null;
    };
    const keys = datum.keys.map((key) => atom(key, tables[0]!));
    if (!datum.values) return ['set', keys.filter((key) => key !== null)];
    const values = datum.values.map((value) => atom(value, tables[1]!));
    const pairs = keys.map((key, i): Json => [key, values[i]!]);
    return ['map', pairs.filter((_, i) => keys[i] !== null && values[i] !== null)];
  }
}

/**
 * @param results of the operations, in their order
 * @param now the content as it is now
 */
export function undoOperations(
  operations: readonly JsonObject[],
  results: readonly Json[],
  before: Snapshot,
  now: Replica,
): JsonObject[] {
  const undo = new Undo(before, now);
  operations.forEach((operation, i) => {
    undo.undo(operation, uuidOf((results[i] as JsonObject | null)?.uuid));
  });
  return undo.operations;
}
