/** Text for people: colour where there is a terminal that wants it, plain text elsewhere. */

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan';

const codes: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
};

/** Where a command writes, and the status it ends with. */
export interface Console {
  out(text: string): void;
  err(text: string): void;
  readonly paint: Paint;
  setStatus(status: number): void;
}

export type Paint = (style: Style, text: string) => string;

/** https://no-color.org; FORCE_COLOR is for those who look at a pipe. */
export function paintFor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  const isWanted = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0';
  const isColoured = isWanted || (stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb');
  if (!isColoured) return (_style, text) => text;
  return (style, text) => `\x1b[${codes[style][0]}m${text}\x1b[${codes[style][1]}m`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
const ESCAPES = /\x1b\[[0-9;]*m/g;

/** Columns that the text takes. */
const widthOf = (text: string): number => text.replace(ESCAPES, '').length;

const padStart = (text: string, width: number): string => ' '.repeat(Math.max(0, width - widthOf(text))) + text;
const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)));

/** Rows in columns; numbers to the right. @param indent blanks before each row */
export function table(rows: readonly (readonly (string | number)[])[], indent = 2): string {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const column = (i: number): (string | number)[] => rows.map((row) => row[i] ?? '');
  const widths = Array.from({ length: count }, (_, i) => Math.max(...column(i).map((cell) => widthOf(String(cell)))));
  const isNumeric = Array.from({ length: count }, (_, i) =>
    column(i)
      .slice(1)
      .every((cell) => typeof cell === 'number'),
  );
  return rows
    .map((row) => {
      const cells = row.map((cell, i) => (isNumeric[i] ? padStart : padEnd)(String(cell), widths[i]!));
      return `${' '.repeat(indent)}${cells.join('  ').trimEnd()}`;
    })
    .join('\n');
}
