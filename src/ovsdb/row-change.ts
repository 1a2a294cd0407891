/** What a transaction has done to a row. */
import type { Row, Table } from './database.ts';

/** A row that a transaction has touched: inserted (no `old`), deleted (no `new`), changed, or both inserted and deleted. */
export class RowChange {
  readonly table: Table;
  readonly uuid: string;
  readonly old: Row | null;
  new: Row | null;
  /** Strong references to it. */
  refs: number;
  /** One flag a column; all set for what is inserted or deleted. */
  readonly changed: boolean[];

  constructor(table: Table, uuid: string, old: Row | null, now: Row | null) {
    this.table = table;
    this.uuid = uuid;
    this.old = old;
    this.new = now;
    this.refs = old?.refs ?? 0;
    this.changed = table.schema.columns.map(() => false);
  }

  get isChanged(): boolean {
    return this.changed.includes(true);
  }
}
