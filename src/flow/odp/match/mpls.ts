/**
 * mpls: label stack entries (RFC 3032), outermost first. The text repeats label, tc, ttl, bos for each. When all bits of
 * all entries count it has no masks, else every value has one.
 */
import { KEY, type KeyFieldName, type Match } from '../../key.ts';
import { decimalBoth, decimalHexMask } from '../number.ts';
import { parseRow, type Row } from '../row.ts';
import type { Scanner } from '../scanner.ts';
import { readSlot, slot } from '../slot.ts';
import type { Attribute, Draft } from './attribute.ts';
import { needsEthType } from './prerequisites.ts';

const fields: readonly KeyFieldName[] = ['mpls_lse0', 'mpls_lse1', 'mpls_lse2'];
const BOTTOM = 0x100;

const entryRows = (field: KeyFieldName): readonly Row[] => [
  { name: 'label', slot: slot(field, 12, 20), notation: decimalHexMask },
  { name: 'tc', slot: slot(field, 9, 3), notation: decimalBoth },
  { name: 'ttl', slot: slot(field, 0, 8), notation: decimalHexMask },
  { name: 'bos', slot: slot(field, 8, 1), notation: decimalBoth },
];

export const mplsEntryRows = fields.map(entryRows);

/** Reads entries: a name that came already begins the next one. */
export function parseMpls(s: Scanner, target: { key: Draft['key']; mask: Draft['mask'] }): void {
  let entry = 0;
  const seen = new Set<string>();
  while (!s.failed && !s.take(')')) {
    const start = s.at;
    const word = s.word();
    if (seen.has(word)) {
      entry++;
      seen.clear();
    }
    seen.add(word);
    const rows = mplsEntryRows[entry];
    if (!rows) {
      s.fail(`more than ${fields.length} label stack entries`, start);
      return;
    }
    const row = rows.find((r) => r.name === word);
    if (!row) {
      s.fail(`unknown field "${word}"`, start);
      return;
    }
    s.expect('=');
    parseRow(s, row, target);
    if (!s.take(',') && !s.peek(')')) s.fail('expected "," or ")"');
  }
}

/** Entries that the text must show: up to the one that is known to be the last, or to the last that counts. */
function entryCount(match: Match): number {
  for (let i = 0; i < fields.length; i++) {
    const field = KEY[fields[i]!];
    const restIsOpen = fields.slice(i + 1).every((name) => match.mask.isZero(KEY[name]));
    if ((match.mask.get(field) & BOTTOM) === 0 && restIsOpen) return i + 1;
    if ((match.key.get(field) & BOTTOM) !== 0 && restIsOpen) return i + 1;
  }
  return fields.length;
}

/** An entry whose bottom bit does not count is shown as the bottom when it is the last one. */
function formatEntry(match: Match, rows: readonly Row[], isExact: boolean, isBottom: boolean): string {
  return rows
    .map(({ name, slot: place, notation }) => {
      const mask = readSlot(match.mask, place);
      const isOpenBottom = name === 'bos' && mask === 0n && isBottom;
      const value = isOpenBottom ? 1n : readSlot(match.key, place);
      return `${name}=${notation.format(value)}${isExact ? '' : `/${notation.formatMask(mask)}`}`;
    })
    .join(',');
}

function formatEntries(match: Match, count: number, showsBottom: boolean): string {
  const isExact = fields.slice(0, count).every((name) => match.mask.isAllOnes(KEY[name]));
  return mplsEntryRows
    .slice(0, count)
    .map((rows, i) => formatEntry(match, rows, isExact, showsBottom && i === count - 1))
    .join(',');
}

/** The outermost entry alone, as a set action has it. */
export const formatOutermost = (from: Match): string => formatEntries(from, 1, false);

export const mplsAttribute: Attribute = {
  name: 'mpls',
  parse: (s, draft) => parseMpls(s, draft),
  format: (match) =>
    fields.every((name) => match.mask.isZero(KEY[name]))
      ? null
      : `mpls(${formatEntries(match, entryCount(match), true)})`,
  misfit: needsEthType(0x8847, 0x8848),
};
