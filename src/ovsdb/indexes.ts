/** Indexes of a table's schema: no two rows with the same values in all of an index's columns. */
import { compareRows, type Row, type Table } from './database.ts';
import { constraintViolation, type OvsdbError } from './error.ts';
import type { RowChange } from './row-change.ts';
import type { Column } from './schema.ts';
import { englishList } from './text.ts';

type Find = (table: Table, uuid: string) => RowChange | undefined;

/** @throws OvsdbError when a row that the transaction inserts or changes equals another one in an index */
export function checkIndexes(changes: readonly RowChange[], find: Find): void {
  const seen = new Map<Map<string, Row>, Map<string, Row>>();
  for (const { table, new: row } of changes) {
    if (!row) continue;
    table.schema.indexes.forEach((columns, i) => {
      const committed = table.indexes[i]!;
      const key = row.keyOf(columns);
      const own = seen.get(committed) ?? new Map<string, Row>();
      seen.set(committed, own);
      let twin = own.get(key);
      if (!twin) {
        const other = committed.get(key);
        // A row of this transaction is found by the first look, in its new state
        if (other && !find(table, other.uuid)) twin = other;
      }
      if (twin) throw duplicate(find, columns, twin, row);
      own.set(key, row);
    });
  }
}

function duplicate(find: Find, columns: readonly Column[], a: Row, b: Row): OvsdbError {
  const { schema } = a.table;
  const [first, second] = compareRows(a, b, schema.columns) < 0 ? [b, a] : [a, b];
  const names = columns.map((column) => `"${column.name}"`);
  const where = `${columns.length > 1 ? 'columns' : 'column'} ${englishList(names)}`;
  const what = `identical values (${first.textOf(columns)}) for index on ${where}.`;
  const history = (row: Row, title: string): string =>
    `${title} row, with UUID ${row.uuid}, ${origin(find(row.table, row.uuid), columns)}`;
  return constraintViolation(
    `Transaction causes multiple rows in "${schema.name}" table to have ${what}  ` +
      `${history(first, 'First')}  ${history(second, 'Second')}`,
  );
}

function origin(change: RowChange | undefined, columns: readonly Column[]): string {
  if (!change?.isChanged)
    return 'existed in the database before this transaction and was not modified by the transaction.';
  if (!change.old) return 'was inserted by this transaction.';
  if (change.old.equals(change.new!, columns)) {
    return (
      "existed in the database before this transaction, which modified some of the row's columns but not any columns in " +
      'this index.'
    );
  }
  return `had the following index values before the transaction: ${change.old.textOf(columns)}.`;
}
