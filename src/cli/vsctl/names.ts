/** Tables, columns and rows by what users call them (ovs-vsctl(8), "Identifying Tables, Records, and Columns"). */
import { parseUuid } from '../../ovsdb/data.ts';
import type { Column, DatabaseSchema, TableSchema } from '../../ovsdb/schema.ts';
import { atomText } from '../../ovsdb/text.ts';
import { takeToken } from '../common/datum-text.ts';
import { Fatal } from '../common/io.ts';
import { columnsOf, type WorkRow, type Workspace } from './workspace.ts';

const plain = (name: string): string => name.toLowerCase().replaceAll('-', '_');

/** What the name means: itself, itself in other letters, or all that it begins. */
function matches<T extends { readonly name: string }>(all: readonly T[], name: string): T[] {
  const exact = all.filter((one) => one.name === name);
  if (exact.length > 0) return exact;
  const same = all.filter((one) => plain(one.name) === plain(name));
  if (same.length > 0) return same;
  return name === '' ? [] : all.filter((one) => plain(one.name).startsWith(plain(name)));
}

/** @throws Fatal for none, and for several */
export function findTable(schema: DatabaseSchema, name: string): TableSchema {
  const tables = [...schema.tables.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const found = matches(tables, name);
  if (found.length === 0) throw new Fatal(`unknown table "${name}"`);
  if (found.length === 1) return found[0]!;
  throw new Fatal(`"${name}" matches multiple table names: ${found.map((table) => table.name).join(', ')}`);
}

/** @throws Fatal for none, and for several */
export function findColumn(table: TableSchema, name: string): Column {
  const found = matches(columnsOf(table), name);
  if (found.length === 1) return found[0]!;
  if (found.length === 0) throw new Fatal(`${table.name} does not contain a column whose name matches "${name}"`);
  const list = found.map((column) => column.name).join(', ');
  throw new Fatal(`${table.name} contains more than one column whose name matches "${name}": ${list}`);
}

/** `COLUMN[:KEY]`, and an operator with a value where such are asked for. */
export interface ColumnArgument {
  readonly column: Column;
  readonly key: string | null;
  readonly operator: string;
  readonly value: string;
}

function operatorList(operators: readonly string[]): string {
  const quoted = operators.map((operator) => `"${operator}"`);
  if (quoted.length === 1) return quoted[0]!;
  return `${quoted.slice(0, -1).join(', ')}, or ${quoted.at(-1)}`;
}

/** @param operators those that may stand before the value; none for an argument without a value @throws Fatal */
export function parseColumnArgument(text: string, table: TableSchema, operators: readonly string[]): ColumnArgument {
  const name = takeToken(text, 0);
  if (name.token === '') throw new Fatal(`${text}: missing column name`);
  const column = findColumn(table, name.token);
  let end = name.end;
  let key: string | null = null;
  if (text[end] === ':') {
    const taken = takeToken(text, end + 1);
    key = taken.token;
    end = taken.end;
  }
  const rest = text.slice(end);
  if (operators.length === 0) {
    if (rest !== '') throw new Fatal(`${text}: trailing garbage "${rest}" in argument`);
    return { column, key, operator: '', value: '' };
  }
  const [operator] = operators
    .filter((one) => rest.startsWith(one) && rest.length > one.length)
    .sort((a, b) => b.length - a.length);
  if (operator === undefined) {
    throw new Fatal(`${text}: argument does not end in ${operatorList(operators)} followed by a value.`);
  }
  return { column, key, operator, value: rest.slice(operator.length) };
}

/** How a row of a table may be named besides its UUID. */
export interface RowId {
  /** Null: there is one row only, called `.`. */
  readonly column: string | null;
  /** Table and column with references to the rows that are meant: then the name is of a row there. */
  readonly via?: readonly [table: string, column: string];
}

const byName: readonly RowId[] = [{ column: 'name' }];
const viaBridge = (column: string): readonly RowId[] => [{ column: 'name', via: ['Bridge', column] }];

export const rowIds: Readonly<Record<string, readonly RowId[]>> = {
  AutoAttach: viaBridge('auto_attach'),
  Bridge: byName,
  Controller: viaBridge('controller'),
  Datapath: [{ column: null }],
  Flow_Sample_Collector_Set: [{ column: 'id' }],
  Flow_Table: byName,
  IPFIX: viaBridge('ipfix'),
  Interface: byName,
  Manager: [{ column: 'target' }],
  Mirror: byName,
  NetFlow: viaBridge('netflow'),
  Open_vSwitch: [{ column: null }],
  Port: byName,
  QoS: [{ column: 'name', via: ['Port', 'qos'] }],
  SSL: [{ column: null }],
  sFlow: viaBridge('sflow'),
};

function rowById(work: Workspace, table: TableSchema, { column, via }: RowId, name: string): WorkRow | null {
  if (column === null) {
    const rows = work.rows(table.name);
    return name === '.' && rows.length === 1 ? rows[0]! : null;
  }
  const [idTable, refColumn] = via ?? [table.name, null];
  const type = work.schema(idTable).byName.get(column)!.type;
  const found = work.rows(idTable).filter((row) => {
    const value = row.first(column);
    row.verify(column);
    if (value === undefined) return false;
    return type.key.type === 'string' ? value === name : atomText(value, type.key.type) === name;
  });
  if (found.length > 1) throw new Fatal(`multiple rows in ${idTable} match "${name}"`);
  if (found.length === 0 || refColumn === null) return found[0] ?? null;
  found[0]!.verify(refColumn);
  const uuid = found[0]!.first(refColumn);
  return uuid === undefined ? null : work.row(table.name, uuid as string);
}

const PARTIAL_MIN = 4;

function rowByPartialUuid(work: Workspace, table: TableSchema, name: string): WorkRow | null {
  if (name.length < PARTIAL_MIN) return null;
  const found = work.rows(table.name).filter(({ uuid }) => uuid.startsWith(name.toLowerCase()));
  if (found.length < 2) return found[0] ?? null;
  const [a, b] = found;
  const where = `${table.name} contains 2 or more rows whose UUIDs begin with ${name}`;
  throw new Fatal(`${where}: at least ${a!.uuid} and ${b!.uuid}`);
}

/** @throws Fatal for several rows, and for none when there must be one */
export function findRow(work: Workspace, table: TableSchema, name: string, mustExist: boolean): WorkRow | null {
  const uuid = parseUuid(name);
  let row = uuid === null ? null : work.row(table.name, uuid);
  for (const id of row ? [] : (rowIds[table.name] ?? [])) row ??= rowById(work, table, id, name);
  row ??= rowByPartialUuid(work, table, name);
  if (!row && mustExist) throw new Fatal(`no row "${name}" in table ${table.name}`);
  return row;
}
