/** The records of a database file, for people: ovsdb-tool's show-log. */
import { datumFromJson } from '../../ovsdb/data.ts';
import { isObject, type Json, type JsonObject } from '../../ovsdb/json.ts';
import { Log } from '../../ovsdb/log.ts';
import { type DatabaseSchema, schemaFromJson, type TableSchema } from '../../ovsdb/schema.ts';
import { datumText } from '../../ovsdb/text.ts';
import { isComposite } from '../../ovsdb/types.ts';

const COMMENT_ESCAPES: readonly (readonly [RegExp, string])[] = [
  [/\\/g, '\\\\'],
  [/"/g, '\\"'],
  [/\n/g, '\\n'],
];

/** What is known of rows so far: their names. */
type RowTexts = Map<string, string>;

interface Printer {
  readonly out: (text: string) => void;
  readonly verbosity: number;
  readonly names: RowTexts;
}

/** A value as a record has it: of a set or map, what changed. */
function cellText(table: TableSchema, column: string, json: Json): string {
  const known = table.byName.get(column);
  if (!known) return ' ***invalid data***';
  const { type } = known;
  const loose = isComposite(type) ? { ...type, min: 0 as const, max: 4_294_967_295 } : type;
  try {
    return datumText(datumFromJson(loose, json, null), type);
  } catch {
    return ' ***invalid data***';
  }
}

/** How a row is called: by its first index or its name, else by its UUID. */
function nameOf(table: TableSchema, row: Json): string | null {
  const columns = table.indexes[0] ?? [];
  if (!isObject(row) || columns.length === 0) return null;
  const values = columns.map(({ name }) => row[name]);
  if (values.some((value) => typeof value !== 'string')) return null;
  return values.join(', ');
}

function showRow(printer: Printer, table: TableSchema, uuid: string, row: Json, isDifference: boolean): void {
  const { out, names, verbosity } = printer;
  const short = uuid.slice(0, 8);
  const isNew = !names.has(uuid);
  const name = nameOf(table, row);
  if (isNew) {
    names.set(uuid, name ?? short);
    out(
      name === null
        ? `  table ${table.name} insert row ${short}:\n`
        : `  table ${table.name} insert row ${name} (${short}):\n`,
    );
  } else {
    out(`  table ${table.name} row ${names.get(uuid)} (${short})${isDifference ? ' diff' : ''}:\n`);
  }
  if (row === null) {
    names.delete(uuid);
    out('    delete row\n');
  } else if (verbosity > 1 && isObject(row)) {
    for (const column of Object.keys(row).sort()) out(`    ${column}=${cellText(table, column, row[column]!)}\n`);
  }
}

function showTables(printer: Printer, schema: DatabaseSchema, record: JsonObject): void {
  const isDifference = record._is_diff === true;
  for (const name of Object.keys(record).sort()) {
    const table = schema.tables.get(name);
    const rows = record[name];
    if (!table || !isObject(rows)) continue;
    for (const uuid of Object.keys(rows).sort()) showRow(printer, table, uuid, rows[uuid]!, isDifference);
  }
  printer.out('\n');
}

function stampOf(date: Json | undefined): string {
  if (typeof date !== 'number') return '';
  // Seconds in old files
  const milliseconds = date < 2 ** 32 ? date * 1000 : date;
  return ` ${new Date(milliseconds).toISOString().replace('T', ' ').replace('Z', '')}`;
}

function commentOf(comment: Json | undefined): string {
  if (typeof comment !== 'string') return '';
  let text = comment;
  for (const [pattern, escaped] of COMMENT_ESCAPES) text = text.replace(pattern, escaped);
  return ` "${text}"`;
}

/**
 * Prints every record of a file.
 * @param verbosity 0: one line each; 1: rows as well; 2: values as well
 * @throws OvsdbError when the file cannot be read
 */
export function showLog(file: string, verbosity: number, out: (text: string) => void): void {
  const log = Log.open(file, 'read');
  const printer: Printer = { out, verbosity, names: new Map() };
  let schema: DatabaseSchema | null = null;
  try {
    let index = 0;
    for (let record = log.read(); record; record = log.read(), index++) {
      if (index === 0) {
        schema = schemaFromJson(record);
        out(`record 0: "${schema.name}" schema, version="${schema.version}", cksum="${schema.checksum}"\n\n`);
        continue;
      }
      out(`record ${index}:${stampOf(record._date)}${commentOf(record._comment)}\n`);
      if (verbosity > 0 && schema) showTables(printer, schema, record);
    }
  } finally {
    log.close();
  }
}
