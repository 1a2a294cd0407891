/** Options on a command line, as getopt_long(3) reads them. */
import { Fatal } from './io.ts';

/** One option: how it is written, whether it has an argument, and what it does. */
export interface OptionRow<D> {
  readonly long: string;
  /** One letter, or nothing. */
  readonly short?: string;
  readonly argument: 'none' | 'required' | 'optional';
  /** How help calls the argument. */
  readonly metavar?: string;
  /** One line for help; left out for what is accepted and means nothing here. */
  readonly help?: string;
  apply(draft: D, value: string): void;
}

/** Whether options may stand behind the first word that is none. */
export type OptionOrder = 'anywhere' | 'first';

function rowOf<D>(rows: readonly OptionRow<D>[], name: string, word: string): OptionRow<D> {
  const exact = rows.find(({ long }) => long === name);
  if (exact) return exact;
  const candidates = rows.filter(({ long }) => long.startsWith(name));
  if (candidates.length === 0) throw new Fatal(`unrecognized option '${word}'`);
  if (candidates.length > 1) {
    const list = candidates.map(({ long }) => `'--${long}'`).join(' ');
    throw new Fatal(`option '${word}' is ambiguous; possibilities: ${list}`);
  }
  return candidates[0]!;
}

function takeLong<D>(rows: readonly OptionRow<D>[], word: string, rest: string[], draft: D): void {
  const at = word.indexOf('=');
  const row = rowOf(rows, at < 0 ? word.slice(2) : word.slice(2, at), word);
  if (at >= 0) {
    if (row.argument === 'none') throw new Fatal(`option '--${row.long}' doesn't allow an argument`);
    row.apply(draft, word.slice(at + 1));
    return;
  }
  const value = row.argument === 'required' ? rest.shift() : '';
  if (value === undefined) throw new Fatal(`option '--${row.long}' requires an argument`);
  row.apply(draft, value);
}

function takeShort<D>(rows: readonly OptionRow<D>[], word: string, rest: string[], draft: D): void {
  for (let at = 1; at < word.length; at++) {
    const row = rows.find(({ short }) => short !== undefined && short === word[at]);
    if (!row) throw new Fatal(`invalid option -- '${word[at]}'`);
    if (row.argument === 'none') {
      row.apply(draft, '');
      continue;
    }
    const attached = word.slice(at + 1);
    const value = attached !== '' || row.argument === 'optional' ? attached : rest.shift();
    if (value === undefined) throw new Fatal(`option requires an argument -- '${row.short}'`);
    row.apply(draft, value);
    return;
  }
}

/**
 * Reads the options of a command line into `draft`.
 * @returns the other words
 * @throws Fatal in getopt's words
 */
export function readOptions<D>(
  rows: readonly OptionRow<D>[],
  args: readonly string[],
  draft: D,
  order: OptionOrder,
): string[] {
  const words: string[] = [];
  const rest = [...args];
  while (rest.length > 0) {
    const word = rest.shift()!;
    if (word === '--') words.push(...rest.splice(0));
    else if (word.startsWith('--')) takeLong(rows, word, rest, draft);
    else if (word.startsWith('-') && word.length > 1) takeShort(rows, word, rest, draft);
    else {
      words.push(word);
      if (order === 'first') words.push(...rest.splice(0));
    }
  }
  return words;
}

const nothing = (): void => undefined;

/** Options about log lines, which these programs take and have no use for. */
export const loggingOptions: readonly OptionRow<unknown>[] = [
  { long: 'verbose', short: 'v', argument: 'optional', apply: nothing },
  { long: 'log-file', argument: 'optional', apply: nothing },
  { long: 'syslog-method', argument: 'required', apply: nothing },
  { long: 'syslog-target', argument: 'required', apply: nothing },
];
/** Lines for `--help`. */
export function describeOptions(rows: readonly OptionRow<never>[]): string {
  const lines = rows
    .filter(({ help }) => help !== undefined)
    .map(({ long, short, metavar, help }) => {
      const value = metavar === undefined ? '' : `=${metavar}`;
      const names = `${short === undefined ? '' : `-${short}, `}--${long}${value}`;
      return `  ${names.padEnd(26)} ${help}\n`;
    });
  return lines.join('');
}
