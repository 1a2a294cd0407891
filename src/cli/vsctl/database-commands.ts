/** Commands about rows of any table (ovs-vsctl(8), "Database Command Syntax"). */
import { compareData, equalData, excludesAll, findKey, includesAll, subtract, union } from '../../ovsdb/data.ts';
import type { Column, TableSchema } from '../../ovsdb/schema.ts';
import { atomText, datumText } from '../../ovsdb/text.ts';
import { type ColumnType, type Datum, isMap } from '../../ovsdb/types.ts';
import { ovsdbLimits } from '../../spec/ovsdb.ts';
import { atomFromText, datumFromText } from '../common/datum-text.ts';
import { Fatal } from '../common/io.ts';
import type { Cell } from '../common/table.ts';
import { type Context, MANY, NotYet, type VsctlCommand } from './context.ts';
import { findColumn, findRow, parseColumnArgument } from './names.ts';
import { columnsOf, type WorkRow } from './workspace.ts';

const relations = ['=', '!=', '<', '>', '<=', '>='];
const setRelations = ['{=}', '{!=}', '{<}', '{>}', '{<=}', '{>=}', '{in}', '{not-in}'];
const OPERATORS = [...relations, ...setRelations];
const ASSIGNMENT = ['='];

function holds(a: Datum, b: Datum, operator: string): boolean {
  const order = compareData(a, b);
  switch (operator) {
    case '=':
    case '{=}':
      return order === 0;
    case '!=':
    case '{!=}':
      return order !== 0;
    case '<':
      return order < 0;
    case '>':
      return order > 0;
    case '<=':
      return order <= 0;
    case '>=':
      return order >= 0;
    case '{<}':
      return a.keys.length < b.keys.length && includesAll(a, b);
    case '{>}':
      return a.keys.length > b.keys.length && includesAll(b, a);
    case '{<=}':
    case '{in}':
      return includesAll(a, b);
    case '{>=}':
      return includesAll(b, a);
    default:
      return excludesAll(a, b);
  }
}

/** A type for any number of elements. */
const anyNumber = (type: ColumnType): ColumnType => ({ ...type, min: 0, max: ovsdbLimits.UNLIMITED });

function satisfies(context: Context, table: TableSchema, row: WorkRow, text: string): boolean {
  const { column, key, operator, value } = parseColumnArgument(text, table, OPERATORS);
  row.verify(column.name);
  const have = row.get(column.name);
  if (key === null) {
    const type = setRelations.includes(operator) ? anyNumber(column.type) : column.type;
    return holds(have, datumFromText(value, type, context.run.names), operator);
  }
  const { type } = column;
  if (!type.value) throw new Fatal(`cannot specify key to check for non-map column ${column.name}`);
  const wantedKey = atomFromText(key, type.key, context.run.names);
  const wanted = datumFromText(value, anyNumber({ ...type, key: type.value, value: null }), context.run.names);
  const at = findKey(have, wantedKey);
  if (at < 0 && !setRelations.includes(operator)) return false;
  return holds({ keys: at < 0 ? [] : [have.values![at]!], values: null }, wanted, operator);
}

/** The columns of `--columns`, or all; `null` stands for `_uuid`. */
function shownColumns(context: Context, table: TableSchema): (Column | null)[] {
  const text = context.options.get('--columns');
  if (text === undefined) return [null, ...columnsOf(table)];
  const names = text.split(/[, ]+/).filter((name) => name !== '');
  if (names.length === 0) throw new Fatal('must specify at least one column name');
  return names.map((name) => (name.toLowerCase() === '_uuid' ? null : findColumn(table, name)));
}

const uuidType: ColumnType = {
  key: {
    type: 'uuid',
    enum: null,
    min: null,
    max: null,
    minLength: 0,
    maxLength: 0,
    refTable: null,
    refType: 'strong',
  },
  value: null,
  min: 1,
  max: 1,
};

function showRows(context: Context, table: TableSchema, rows: readonly WorkRow[]): void {
  const columns = shownColumns(context, table);
  const cell = (row: WorkRow, column: Column | null): Cell => {
    if (!column) return { datum: { keys: [row.uuid], values: null }, type: uuidType };
    row.verify(column.name);
    return { datum: row.get(column.name), type: column.type };
  };
  context.table = {
    headings: columns.map((column) => column?.name ?? '_uuid'),
    rows: rows.map((row) => columns.map((column) => cell(row, column))),
  };
}

function list(context: Context): void {
  const table = context.findTable(context.arg(0));
  const names = context.args.slice(1);
  const mustExist = !context.has('--if-exists');
  const rows = names.flatMap((name) => findRow(context.work, table, name, mustExist) ?? []);
  showRows(context, table, names.length > 0 ? rows : context.work.rows(table.name));
}

function find(context: Context): void {
  const table = context.findTable(context.arg(0));
  const conditions = context.args.slice(1);
  const rows = context.work.rows(table.name);
  const found = rows.filter((row) => conditions.every((text) => satisfies(context, table, row, text)));
  showRows(context, table, found);
}

/** The row that a command is about. @param mustExist null when the command's --if-exists says it */
function target(context: Context, mustExist: boolean | null = null): { table: TableSchema; row: WorkRow | null } {
  const table = context.findTable(context.arg(0));
  return { table, row: findRow(context.work, table, context.arg(1), mustExist ?? !context.has('--if-exists')) };
}

function get(context: Context): void {
  const id = context.options.get('--id');
  const mustExist = !context.has('--if-exists');
  if (id !== undefined && !mustExist) throw new Fatal('--if-exists and --id may not be specified together');
  const { table, row } = target(context);
  if (!row) return;
  if (id !== undefined) context.run.names.bind(id, row);
  for (const text of context.args.slice(2)) context.say(value(context, table, row, text, mustExist));
}

function value(context: Context, table: TableSchema, row: WorkRow, text: string, mustExist: boolean): string {
  if (text.toLowerCase() === '_uuid') return row.uuid;
  const { column, key } = parseColumnArgument(text, table, []);
  row.verify(column.name);
  const { type } = column;
  const datum = row.get(column.name);
  if (key === null) return datumText(datum, type);
  if (!type.value) throw new Fatal(`cannot specify key to get for non-map column ${column.name}`);
  const at = findKey(datum, atomFromText(key, type.key, context.run.names));
  if (at >= 0) return atomText(datum.values![at]!, type.value.type);
  if (!mustExist) return '';
  throw new Fatal(`no key "${key}" in ${table.name} record "${context.arg(1)}" column ${column.name}`);
}

function checkMutable(table: TableSchema, column: Column): void {
  if (!column.isMutable) throw new Fatal(`cannot modify read-only column ${column.name} in table ${table.name}`);
}

/** Looks at a `COLUMN[:KEY]=VALUE` before there is a row. @throws Fatal */
export function checkSetting(table: TableSchema, text: string, isNew: boolean): void {
  const { column } = parseColumnArgument(text, table, ASSIGNMENT);
  if (!isNew) checkMutable(table, column);
}

/** Does what `COLUMN[:KEY]=VALUE` says. @throws Fatal */
export function setColumn(context: Context, row: WorkRow, text: string): void {
  const { column, key, value: valueText } = parseColumnArgument(text, row.table, ASSIGNMENT);
  const { type, name } = column;
  const { names } = context.run;
  if (key === null) {
    row.set(name, datumFromText(valueText, type, names));
    return;
  }
  if (!type.value) throw new Fatal(`cannot specify key to set for non-map column ${name}`);
  const pair: Datum = {
    keys: [atomFromText(key, type.key, names)],
    values: [atomFromText(valueText, type.value, names)],
  };
  row.verify(name);
  row.set(name, union(pair, row.get(name)));
}

function set(context: Context): void {
  const { row } = target(context);
  if (row) for (const text of context.args.slice(2)) setColumn(context, row, text);
}

function columnArgument(context: Context, name: string): { table: TableSchema; column: Column } {
  const table = context.findTable(context.arg(0));
  const column = findColumn(table, name);
  checkMutable(table, column);
  return { table, column };
}

function add(context: Context): void {
  const { row } = target(context);
  const { column } = columnArgument(context, context.arg(2));
  if (!row) return;
  for (const text of context.args.slice(3)) {
    row.add(column.name, datumFromText(text, { ...anyNumber(column.type), min: 1 }, context.run.names));
  }
}

function withoutElements(context: Context, text: string, { type }: Column): Datum {
  const some: ColumnType = { ...anyNumber(type), min: 1 };
  if (!isMap(type)) return datumFromText(text, some, context.run.names);
  try {
    return datumFromText(text, some, context.run.names);
  } catch (error) {
    if (!(error instanceof Fatal)) throw error;
    return datumFromText(text, { ...some, value: null }, context.run.names);
  }
}

function remove(context: Context): void {
  const { table, row } = target(context);
  const { column } = columnArgument(context, context.arg(2));
  if (!row) return;
  let datum = row.get(column.name);
  for (const text of context.args.slice(3)) datum = subtract(datum, withoutElements(context, text, column));
  const { type, name } = column;
  if (datum.keys.length < type.min) {
    const count = `${datum.keys.length} ${isMap(type) ? 'pairs' : 'values'}`;
    const where = `column ${name} of table ${table.name}`;
    throw new Fatal(`"remove" operation would put ${count} in ${where} but the minimum number is ${type.min}`);
  }
  row.verify(name);
  if (!equalData(datum, row.get(name))) row.set(name, datum);
}

function clear(context: Context): void {
  const { table, row } = target(context);
  if (!row) return;
  for (const text of context.args.slice(2)) {
    const { column } = columnArgument(context, text);
    if (column.type.min > 0) {
      const where = `column ${column.name} of table ${table.name}`;
      throw new Fatal(`"clear" operation cannot be applied to ${where}, which is not allowed to be empty`);
    }
    row.clear(column.name);
  }
}

function create(context: Context): void {
  const table = context.findTable(context.arg(0));
  const id = context.options.get('--id');
  const uuid = id === undefined ? undefined : context.run.names.create(id).uuid;
  if (id !== undefined && table.isRoot) context.run.names.keep(id);
  const row = context.work.insert(table.name, uuid);
  for (const text of context.args.slice(1)) setColumn(context, row, text);
  context.say(row.uuid);
  context.afterCommit = (realUuid) => {
    context.output = `${realUuid(row.uuid)}\n`;
  };
}

function checkCreate(context: Context): void {
  const table = context.findTable(context.arg(0));
  if (!context.has('--id') && !table.isRoot) {
    const what = `applying "create" command to table ${table.name} without --id option will have no effect`;
    context.warn('db_ctl_base', what);
  }
  for (const text of context.args.slice(1)) checkSetting(table, text, true);
}

function checkDestroy(context: Context): void {
  context.findTable(context.arg(0));
  const hasRecords = context.args.length > 1;
  if (context.has('--all') && hasRecords) {
    throw new Fatal('--all and records argument should not be specified together');
  }
  if (context.has('--all') && context.has('--if-exists')) {
    throw new Fatal('--all and --if-exists should not be specified together');
  }
  if (!context.has('--all') && !hasRecords) {
    context.warn('db_ctl_base', 'either --all or records argument should be specified');
  }
}

function destroy(context: Context): void {
  const table = context.findTable(context.arg(0));
  if (context.has('--all')) for (const row of context.work.rows(table.name)) row.delete();
  const mustExist = !context.has('--if-exists');
  for (const name of context.args.slice(1)) findRow(context.work, table, name, mustExist)?.delete();
}

function waitUntil(context: Context): void {
  const { table, row } = target(context, false);
  if (!row) throw new NotYet();
  const isSatisfied = context.args.slice(2).every((text) => satisfies(context, table, row, text));
  if (!isSatisfied) throw new NotYet();
}

const eachArgument =
  (from: number, check: (table: TableSchema, text: string, context: Context) => void) =>
  (context: Context): void => {
    const table = context.findTable(context.arg(0));
    for (const text of context.args.slice(from)) check(table, text, context);
  };

const checkColumns = (context: Context): void => {
  shownColumns(context, context.findTable(context.arg(0)));
};

const checkOneColumn = (context: Context): void => {
  columnArgument(context, context.arg(2));
};

export const databaseCommands: readonly VsctlCommand[] = [
  {
    name: 'list',
    usage: 'TABLE [RECORD]...',
    least: 1,
    most: MANY,
    options: ['--if-exists', '--columns='],
    help: 'show rows of a table',
    syntax: '!TABLE *RECORD',
    check: checkColumns,
    run: list,
  },
  {
    name: 'find',
    usage: 'TABLE [COLUMN[:KEY]=VALUE]...',
    least: 1,
    most: MANY,
    options: ['--columns='],
    help: 'show the rows of a table for which all conditions hold',
    syntax: '!TABLE *COLUMN?:KEY=VALUE',
    check: (context) => {
      checkColumns(context);
      eachArgument(1, (table, text) => parseColumnArgument(text, table, OPERATORS))(context);
    },
    run: find,
  },
  {
    name: 'get',
    usage: 'TABLE RECORD [COLUMN[:KEY]]...',
    least: 2,
    most: MANY,
    options: ['--if-exists', '--id='],
    help: 'show values of a row',
    syntax: '!TABLE !RECORD *COLUMN?:KEY',
    check: eachArgument(2, (table, text) => {
      if (text.toLowerCase() !== '_uuid') parseColumnArgument(text, table, []);
    }),
    run: get,
  },
  {
    name: 'set',
    usage: 'TABLE RECORD COLUMN[:KEY]=VALUE...',
    least: 3,
    most: MANY,
    options: ['--if-exists'],
    help: 'set columns of a row',
    syntax: '!TABLE !RECORD +COLUMN?:KEY=VALUE',
    check: eachArgument(2, (table, text) => checkSetting(table, text, false)),
    run: set,
  },
  {
    name: 'add',
    usage: 'TABLE RECORD COLUMN [KEY=]VALUE...',
    least: 4,
    most: MANY,
    options: ['--if-exists'],
    help: 'add elements to a column of a row',
    syntax: '!TABLE !RECORD !COLUMN +?KEY=VALUE',
    check: checkOneColumn,
    run: add,
  },
  {
    name: 'remove',
    usage: 'TABLE RECORD COLUMN KEY|VALUE|KEY=VALUE...',
    least: 4,
    most: MANY,
    options: ['--if-exists'],
    help: 'take elements out of a column of a row',
    syntax: '!TABLE !RECORD !COLUMN +KEY|VALUE|KEY=VALUE',
    check: checkOneColumn,
    run: remove,
  },
  {
    name: 'clear',
    usage: 'TABLE RECORD COLUMN...',
    least: 3,
    most: MANY,
    options: ['--if-exists'],
    help: 'empty columns of a row',
    syntax: '!TABLE !RECORD +COLUMN',
    check: eachArgument(2, (_table, text, context) => columnArgument(context, text)),
    run: clear,
  },
  {
    name: 'create',
    usage: 'TABLE COLUMN[:KEY]=VALUE...',
    least: 2,
    most: MANY,
    options: ['--id='],
    help: 'make a row and show its UUID',
    syntax: '!TABLE +COLUMN?:KEY=VALUE',
    check: checkCreate,
    run: create,
  },
  {
    name: 'destroy',
    usage: 'TABLE [RECORD]...',
    least: 1,
    most: MANY,
    options: ['--if-exists', '--all'],
    help: 'delete rows',
    syntax: '!TABLE *RECORD',
    check: checkDestroy,
    run: destroy,
  },
  {
    name: 'wait-until',
    usage: 'TABLE RECORD [COLUMN[:KEY]=VALUE]...',
    least: 2,
    most: MANY,
    options: [],
    help: 'wait until the row is there and all conditions hold',
    syntax: '!TABLE !RECORD *COLUMN?:KEY=VALUE',
    check: eachArgument(2, (table, text) => parseColumnArgument(text, table, OPERATORS)),
    run: waitUntil,
  },
  {
    name: 'comment',
    usage: '[ARG]...',
    least: 0,
    most: MANY,
    options: [],
    help: 'do nothing: its arguments go into the log of the database',
    syntax: '*ARG',
    run: () => undefined,
  },
];
