/** Tables of database cells as text: table, list, CSV, HTML, JSON; cells as strings, bare, or JSON. */
import { datumToJson } from '../../ovsdb/data.ts';
import { type Json, stringify } from '../../ovsdb/json.ts';
import { datumText } from '../../ovsdb/text.ts';
import type { ColumnType, Datum } from '../../ovsdb/types.ts';
import { bareDatum } from './datum-text.ts';
import type { OptionRow } from './getopt.ts';
import { Fatal } from './io.ts';
import { prettyJson } from './pretty.ts';

const formats = ['table', 'list', 'html', 'csv', 'json'] as const;
const cellFormats = ['string', 'bare', 'json'] as const;

export interface TableStyle {
  format: (typeof formats)[number];
  cells: (typeof cellFormats)[number];
  hasHeadings: boolean;
  isPretty: boolean;
  /** Characters of a column in format `table`; 0 for as many as it takes. */
  columnWidthMax: number;
}

export const listStyle = (): TableStyle => ({
  format: 'list',
  cells: 'string',
  hasHeadings: true,
  isPretty: false,
  columnWidthMax: 0,
});

/** A cell is plain text, a datum with its type, other JSON, or nothing. */
export type Cell = string | null | { readonly datum: Datum; readonly type: ColumnType } | { readonly json: Json };

export interface Table {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Above the table. */
  readonly caption?: string;
  /** When it was made, milliseconds since 1970. */
  readonly time?: number;
}

function cellText(cell: Cell, style: TableStyle): string {
  if (cell === null) return '';
  if (typeof cell === 'string') return style.cells === 'json' ? stringify(cell) : cell;
  if ('json' in cell) return stringify(cell.json, true);
  if (style.cells === 'json') return stringify(datumToJson(cell.datum, cell.type), true);
  return style.cells === 'bare' ? bareDatum(cell.datum, cell.type) : datumText(cell.datum, cell.type);
}

function cellJson(cell: Cell): Json {
  if (typeof cell === 'string' || cell === null) return cell;
  return 'json' in cell ? cell.json : datumToJson(cell.datum, cell.type);
}

const csvCell = (text: string): string => (/[\n",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (character) => entities[character]!);

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A UUID in HTML: a short form that leads to the row. */
function htmlUuid(text: string): string {
  return UUID.test(text) ? `<a href="#${text}">${text.slice(0, 8)}</a>` : escapeHtml(text);
}

const widthOf = (text: string): number => [...text].length;

/** Prints tables one after the other, with what stands between them. */
export class TablePrinter {
  readonly #style: TableStyle;
  readonly #out: (text: string) => void;
  #isFirst = true;

  constructor(style: TableStyle, out: (text: string) => void) {
    this.#style = style;
    this.#out = out;
  }

  print(table: Table): void {
    const { format } = this.#style;
    if (format !== 'json' && format !== 'html') {
      if (!this.#isFirst) this.#out('\n');
      this.#isFirst = false;
    }
    this.#out(this[format](table));
  }

  #caption({ caption, time }: Table): string {
    const stamp = time === undefined ? '' : stampOf(time);
    if (caption === undefined && stamp === '') return '';
    return `${[stamp, caption ?? ''].filter((part) => part !== '').join(' ')}\n`;
  }

  table(table: Table): string {
    const style = this.#style;
    const cells = table.rows.map((row) => row.map((cell) => cellText(cell, style)));
    const shown = style.hasHeadings ? [table.headings, ...cells] : cells;
    const limit = (width: number): number => (style.columnWidthMax > 0 ? Math.min(width, style.columnWidthMax) : width);
    const widths = table.headings.map((heading, i) =>
      Math.max(style.hasHeadings ? widthOf(heading) : 0, ...cells.map((row) => limit(widthOf(row[i]!)))),
    );
    const line = (row: readonly string[]): string => {
      const parts = row.map((text, i) => {
        const cut = widthOf(text) > widths[i]! ? [...text].slice(0, widths[i]).join('') : text;
        return cut + ' '.repeat(Math.max(0, widths[i]! - widthOf(cut)));
      });
      return `${parts.join(' ').trimEnd()}\n`;
    };
    const lines = shown.map(line);
    if (style.hasHeadings) lines.splice(1, 0, `${widths.map((width) => '-'.repeat(width)).join(' ')}\n`);
    return this.#caption(table) + lines.join('');
  }

  list(table: Table): string {
    const style = this.#style;
    const records = table.rows.map((row) =>
      row
        .map((cell, i) => `${style.hasHeadings ? `${table.headings[i]!.padEnd(20)}: ` : ''}${cellText(cell, style)}\n`)
        .join(''),
    );
    return this.#caption(table) + records.join('\n');
  }

  csv(table: Table): string {
    const lines = table.rows.map((row) => row.map((cell) => cellText(cell, this.#style)));
    const all = this.#style.hasHeadings ? [table.headings, ...lines] : lines;
    return this.#caption(table) + all.map((line) => `${line.map(csvCell).join(',')}\n`).join('');
  }

  html(table: Table): string {
    const row = (cells: readonly string[]): string => `  <tr>\n${cells.join('')}  </tr>\n`;
    const head = table.headings.map((text) => `    <th>${escapeHtml(text)}</th>\n`);
    const body = table.rows.map((cells) =>
      row(cells.map((cell, i) => `    <td>${this.#htmlCell(cell, table.headings[i]!)}</td>\n`)),
    );
    const caption = this.#caption(table).trimEnd();
    const top = caption === '' ? '' : `    <caption>${escapeHtml(caption)}</caption>\n`;
    return `<table border=1>\n${top}${this.#style.hasHeadings ? row(head) : ''}${body.join('')}</table>\n`;
  }

  #htmlCell(cell: Cell, heading: string): string {
    const text = cellText(cell, this.#style);
    if (heading === '_uuid' && UUID.test(text)) return `<a name="${text}">${text.slice(0, 8)}</a>`;
    const isReference = typeof cell === 'object' && cell !== null && 'type' in cell && cell.type.key.type === 'uuid';
    return isReference ? htmlUuid(text) : escapeHtml(text);
  }

  json(table: Table): string {
    const { caption, time } = table;
    const json: Json = {
      ...(caption === undefined ? {} : { caption }),
      data: table.rows.map((row) => row.map(cellJson)),
      headings: table.headings,
      ...(time === undefined ? {} : { time: stampOf(time) }),
    };
    return `${this.#style.isPretty ? prettyJson(json) : stringify(json, true)}\n`;
  }
}

const stampOf = (time: number): string => {
  const [day, clock] = new Date(time).toISOString().replace('Z', '').split('T');
  return `${day} ${clock}`;
};

function choose<T extends string>(known: readonly T[], text: string, what: string): T {
  const found = known.find((one) => one === text);
  if (!found) throw new Fatal(`unknown ${what} format "${text}"`);
  return found;
}

/** The options that change how tables look. */
export const tableOptions: readonly OptionRow<{ style: TableStyle }>[] = [
  {
    long: 'format',
    short: 'f',
    argument: 'required',
    metavar: 'FORMAT',
    help: 'how tables look: table, list, html, csv or json',
    apply: ({ style }, text) => {
      style.format = choose(formats, text, 'output');
    },
  },
  {
    long: 'data',
    short: 'd',
    argument: 'required',
    metavar: 'FORMAT',
    help: 'how cells look: string, bare or json',
    apply: ({ style }, text) => {
      style.cells = choose(cellFormats, text, 'data');
    },
  },
  {
    long: 'no-headings',
    argument: 'none',
    help: 'leave out the headings of tables',
    apply: ({ style }) => {
      style.hasHeadings = false;
    },
  },
  {
    long: 'pretty',
    argument: 'none',
    help: 'JSON on several lines',
    apply: ({ style }) => {
      style.isPretty = true;
    },
  },
  {
    long: 'bare',
    argument: 'none',
    help: 'the same as --format=list --data=bare --no-headings',
    apply: ({ style }) => {
      Object.assign(style, { format: 'list', cells: 'bare', hasHeadings: false });
    },
  },
  {
    long: 'max-column-width',
    argument: 'required',
    metavar: 'N',
    help: 'cut columns of tables at N characters',
    apply: ({ style }, text) => {
      style.columnWidthMax = Number.parseInt(text, 10) || 0;
    },
  },
];
