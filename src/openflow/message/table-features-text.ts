/** Tables' features and statistics as text: each table is told against the one before it. */
import type { OfFieldName } from '../../spec/of-fields.ts';
import type { ActionFeatures, InstructionFeatures, OfTableCounts, OfTableFeatures } from './table-capabilities.ts';

export interface TableLine {
  readonly features: OfTableFeatures;
  /** Null when nothing was counted. */
  readonly stats: OfTableCounts | null;
}

const isSame = (a: unknown, b: unknown): boolean => toComparable(a) === toComparable(b);
const toComparable = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v));

/** The prefix up to and with the first underscore; null when there is none. */
const prefixOf = (name: string): string | null => {
  const at = name.indexOf('_');
  return at < 0 ? null : name.slice(0, at + 1);
};

/** How many names from `at` on count upwards: reg0, reg1, … */
function countedRun(names: readonly string[], at: number): number {
  const found = /^(.*?)([0-9]+)$/.exec(names[at]!);
  if (!found) return 1;
  let count = 1;
  while (names[at + count] === `${found[1]}${Number(found[2]) + count}`) count++;
  return count;
}

/** `eth_{src,dst} reg0...reg15`: what names have in common is said once. */
function groupNames(names: readonly string[]): string[] {
  const words: string[] = [];
  for (let at = 0; at < names.length; ) {
    const prefix = prefixOf(names[at]!);
    let end = at + 1;
    while (prefix !== null && names[end]?.startsWith(prefix)) end++;
    if (prefix !== null && end - at > 1) {
      words.push(`${prefix}{${groupNames(names.slice(at, end).map((n) => n.slice(prefix.length))).join(',')}}`);
      at = end;
      continue;
    }
    const run = countedRun(names, at);
    if (run > 1) words.push(`${names[at]}...${names[at + run - 1]}`);
    else words.push(names[at]!);
    at += run;
  }
  return words;
}

const fieldWords = (names: readonly OfFieldName[]): string => groupNames(names).join(' ');

/** `1-5,7` */
function ranges(tables: readonly number[]): string {
  const words: string[] = [];
  for (let at = 0; at < tables.length; ) {
    let end = at;
    while (tables[end + 1] === tables[end]! + 1) end++;
    words.push(end > at ? `${tables[at]}-${tables[end]}` : String(tables[at]));
    at = end + 1;
  }
  return words.join(',');
}

const isEmptyActions = ({ actions, setFields }: ActionFeatures): boolean =>
  actions.length === 0 && setFields.length === 0;
const isEmpty = (f: InstructionFeatures): boolean =>
  f.instructions.length === 0 && f.nextTables.length === 0 && isEmptyActions(f.write) && isEmptyActions(f.apply);

function actionText(f: ActionFeatures, before: ActionFeatures | null): string {
  let text = '';
  if (f.actions.length > 0) {
    text +=
      before && f.setFields.length > 0 && isSame(before.actions, f.actions)
        ? '        (same actions)\n'
        : `        actions: ${f.actions.join(' ')}\n`;
  }
  if (f.setFields.length > 0) {
    text +=
      before && isSame(before.setFields, f.setFields)
        ? '        (same set-fields)\n'
        : `        supported on Set-Field: ${fieldWords(f.setFields)}\n`;
  }
  return text;
}

function instructionText(f: InstructionFeatures, before: InstructionFeatures | null): string {
  let text = '';
  if (f.nextTables.length > 0) {
    text +=
      before && isSame(before.nextTables, f.nextTables)
        ? '      (same next tables)\n'
        : `      next tables: ${ranges(f.nextTables)}\n`;
  }
  if (f.instructions.length > 0) {
    text +=
      before && isSame(before.instructions, f.instructions)
        ? '      (same instructions)\n'
        : `      instructions: ${f.instructions.join(' ')}\n`;
  }
  const setsFields = f.write.setFields.length > 0;
  if (before && setsFields && isSame(before.write, f.write) && isSame(before.apply, f.apply)) {
    return `${text}      (same actions)\n`;
  }
  if (!isSame(f.write, f.apply)) {
    text += `      Write-Actions features:\n${actionText(f.write, before?.write ?? null)}`;
    return `${text}      Apply-Actions features:\n${actionText(f.apply, before?.apply ?? null)}`;
  }
  if (isEmptyActions(f.write)) return text;
  return `${text}      Write-Actions and Apply-Actions features:\n${actionText(f.write, before?.write ?? null)}`;
}

function behaviourText(f: OfTableFeatures, before: OfTableFeatures | null): string {
  if (before && isSame(before.nonmiss, f.nonmiss) && isSame(before.miss, f.miss)) {
    return isEmpty(f.nonmiss) ? '' : '    (same instructions)\n';
  }
  if (!isSame(f.nonmiss, f.miss)) {
    return (
      `    instructions (other than table miss):\n${instructionText(f.nonmiss, before?.nonmiss ?? null)}` +
      `    instructions (table miss):\n${instructionText(f.miss, before?.miss ?? null)}`
    );
  }
  if (isEmpty(f.nonmiss)) return '';
  return `    instructions (table miss and others):\n${instructionText(f.nonmiss, before?.nonmiss ?? null)}`;
}

function matchingText(f: OfTableFeatures, before: OfTableFeatures | null): string {
  if (f.match.length === 0) return '';
  const isUnchanged =
    before !== null &&
    isSame(before.match, f.match) &&
    isSame(before.mask, f.mask) &&
    isSame(before.wildcard, f.wildcard);
  if (isUnchanged) return '    (same matching)\n';
  const masked = new Set(f.mask);
  const wild = new Set(f.wildcard);
  const kinds = [
    ['arbitrary mask', f.match.filter((n) => masked.has(n))],
    ['exact match or wildcard', f.match.filter((n) => !masked.has(n) && wild.has(n))],
    ['must exact match', f.match.filter((n) => !masked.has(n) && !wild.has(n))],
  ] as const;
  const lines = kinds.filter(([, names]) => names.length > 0).map(([label, n]) => `      ${label}: ${fieldWords(n)}\n`);
  return `    matching:\n${lines.join('')}`;
}

const hexOf = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);

function tableText(
  { features: f, stats }: TableLine,
  before: TableLine | null,
  name: (table: number) => string,
): string {
  let text = `\n  table ${name(f.table)}${f.name === '' ? '' : ` ("${f.name}")`}:\n`;
  if (stats) text += `    active=${stats.active}, lookup=${stats.lookups}, matched=${stats.matches}\n`;
  const isTold = f.maxEntries !== 0 || f.match.length > 0;
  if (before && stats && isTold && isSameFeatures(f, before.features)) return `${text}    (same features)\n`;
  if (f.metadataMatch !== 0n || f.metadataWrite !== 0n) {
    text += `    metadata: match=${hexOf(f.metadataMatch)} write=${hexOf(f.metadataWrite)}\n`;
  }
  if (f.missConfig !== 'default') text += `    config=${f.missConfig}\n`;
  if (f.supportsEviction !== null) text += `    eviction: ${f.supportsEviction ? '' : 'not '}supported\n`;
  if (f.supportsVacancyEvents !== null) {
    text += `    vacancy events: ${f.supportsVacancyEvents ? '' : 'not '}supported\n`;
  }
  if (f.maxEntries !== 0) text += `    max_entries=${f.maxEntries}\n`;
  return text + behaviourText(f, before?.features ?? null) + matchingText(f, before?.features ?? null);
}

/** The same tables follow, but for the table itself. */
const withoutNext = (f: OfTableFeatures, table: number): OfTableFeatures => ({
  ...f,
  nonmiss: { ...f.nonmiss, nextTables: f.nonmiss.nextTables.filter((next) => next > table) },
  miss: { ...f.miss, nextTables: f.miss.nextTables.filter((next) => next > table) },
});

const isSameFeatures = (f: OfTableFeatures, before: OfTableFeatures): boolean =>
  isSame({ ...withoutNext(f, f.table), table: 0, name: '' }, { ...withoutNext(before, f.table), table: 0, name: '' });

const isDitto = (line: TableLine, before: TableLine): boolean =>
  isSameFeatures(line.features, before.features) && isSame(countsOf(line), countsOf(before));
const countsOf = ({ stats }: TableLine): unknown => stats && [stats.active, stats.lookups, stats.matches];

function dittoText(first: number, last: number, name: (table: number) => string): string {
  if (first < 0) return '';
  return first === last ? `\n  table ${name(first)}: ditto\n` : `\n  tables ${name(first)}...${name(last)}: ditto\n`;
}

/** All tables; runs of tables that are like the one before are one line. */
export function formatTables(lines: readonly TableLine[], name: (table: number) => string): string {
  let text = '\n';
  let before: TableLine | null = null;
  let [first, last] = [-1, -1];
  for (const line of lines) {
    const { table } = line.features;
    if (before && isDitto(line, before) && line.features.name === '') {
      if (first < 0) first = table;
      last = table;
    } else {
      text += dittoText(first, last, name) + tableText(line, before, name).slice(before ? 0 : 1);
      first = -1;
    }
    before = line;
  }
  return text + dittoText(first, last, name);
}
