/** Groups of `name=value/mask` between parentheses: each is a table of rows, read and written by the same code. */
import { FlowKey, type FlowMask } from '../key.ts';
import { type Notation, ones } from './number.ts';
import type { Scanner } from './scanner.ts';
import { readSlot, type Slot, writeSlot } from './slot.ts';

export interface Row {
  /** The word before `=`. */
  readonly name: string;
  readonly slot: Slot;
  readonly notation: Notation;
  /** A value of zero is not written, whatever its mask: the tunnel's fields. */
  readonly hidesZero?: boolean;
  /** Other words that are read. */
  readonly alias?: string;
}

/** A match that is being read, or the two halves of a set action. */
export interface Masked {
  readonly key: FlowKey;
  readonly mask: FlowMask;
}

export const emptyMasked = (): Masked => ({ key: new FlowKey(), mask: new FlowKey() });

export function putMasked(target: Masked, slot: Slot, value: bigint, mask: bigint): void {
  writeSlot(target.key, slot, value & mask);
  writeSlot(target.mask, slot, mask);
}

/** Reads `value` or `value/mask`. */
export function parseMaskedValue(s: Scanner, notation: Notation, width: number): { value: bigint; mask: bigint } {
  const one = (): bigint => {
    const start = s.at;
    const value = notation.parse(s.value());
    if (value !== null && value >> BigInt(width) === 0n) return value;
    s.fail(`not a value of ${width} bits`, start);
    return 0n;
  };
  const value = one();
  return { value, mask: s.take('/') ? one() : ones(width) };
}

export function parseRow(s: Scanner, row: Row, target: Masked): void {
  const { value, mask } = parseMaskedValue(s, row.notation, row.slot.width);
  if (!s.failed) putMasked(target, row.slot, value, mask);
}

/** Something else than `name=value` within a group; false when it is not its turn. */
export type Special = (s: Scanner, word: string) => boolean;

/** Reads rows up to the closing parenthesis, which it takes. Each may come once, in any order. */
export function parseRows(s: Scanner, rows: readonly Row[], target: Masked, special?: Special): void {
  const seen = new Set<string>();
  while (!s.failed && !s.take(')')) {
    const start = s.at;
    const word = s.word();
    if (!special?.(s, word)) {
      const row = rows.find((r) => r.name === word || r.alias === word);
      if (!row) {
        s.fail(word === '' ? 'expected a field' : `unknown field "${word}"`, start);
        return;
      }
      s.expect('=');
      parseRow(s, row, target);
    }
    if (seen.has(word)) {
      s.fail(`"${word}" twice`, start);
      return;
    }
    seen.add(word);
    if (!s.take(',') && !s.peek(')')) s.fail('expected "," or ")"');
  }
}

export function formatMasked(notation: Notation, value: bigint, mask: bigint, width: number): string {
  const text = notation.format(value);
  return mask === ones(width) ? text : `${text}/${notation.formatMask(mask)}`;
}

/** `name=value/mask`, or nothing when no bit of it counts. */
export function formatRow(row: Row, from: Masked): string | null {
  const mask = readSlot(from.mask, row.slot);
  const value = readSlot(from.key, row.slot);
  if (mask === 0n || (row.hidesZero && value === 0n)) return null;
  return `${row.name}=${formatMasked(row.notation, value, mask, row.slot.width)}`;
}

export const formatRows = (rows: readonly Row[], from: Masked): string[] =>
  rows.map((row) => formatRow(row, from)).filter((text) => text !== null);

/** Whether any bit of any row counts. */
export const touches = (rows: readonly Row[], mask: FlowMask): boolean =>
  rows.some((row) => readSlot(mask, row.slot) !== 0n);
