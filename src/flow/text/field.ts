/** One field of OpenFlow flow text: its names, the bits of the flow key it speaks of, and what it needs. */
import { type FlagSet, formatFlags, formatSigned, parseFlags } from '../odp/flags.ts';
import type { Layers } from '../odp/match/prerequisites.ts';
import { ones } from '../odp/number.ts';
import type { Masked } from '../odp/row.ts';
import { Scanner } from '../odp/scanner.ts';
import { readSlot, type Slot, writeSlot } from '../odp/slot.ts';
import type { TextNotation } from './notation.ts';

/** Null when the field fits the flow; else what it needs. */
export type Needs = (layers: Layers) => string | null;

export interface TextField {
  /** The first one is written, any is read. */
  readonly names: readonly string[];
  readonly needs?: Needs;
  /** False when the text is no value of the field. */
  parse(text: string, into: Masked): boolean;
  /** What is written when some bit counts: `name=value`. Null when none does. */
  format(from: Masked): string | null;
}

/** Adds to what is there already, so that two fields may share a part of the key. */
export function addMasked(into: Masked, place: Slot, value: bigint, mask: bigint): void {
  const keep = ~mask & ones(place.width);
  writeSlot(into.key, place, (readSlot(into.key, place) & keep) | (value & mask));
  writeSlot(into.mask, place, readSlot(into.mask, place) | mask);
}

export const plain = (names: readonly string[], place: Slot, notation: TextNotation, needs?: Needs): TextField => ({
  names,
  ...(needs && { needs }),
  parse(text, into) {
    const read = notation.parse(text, place.width);
    if (read) addMasked(into, place, read.value, read.mask);
    return read !== null;
  },
  format(from) {
    const mask = readSlot(from.mask, place);
    return mask === 0n ? null : `${names[0]}=${notation.format(readSlot(from.key, place), mask, place.width)}`;
  },
});

/** Words that each stand for a value and a mask. */
export const words = (
  names: readonly string[],
  place: Slot,
  table: Readonly<Record<string, readonly [value: bigint, mask: bigint]>>,
  needs?: Needs,
): TextField => ({
  names,
  ...(needs && { needs }),
  parse(text, into) {
    const found = table[text];
    if (found) addMasked(into, place, ...found);
    return found !== undefined;
  },
  format(from) {
    const mask = readSlot(from.mask, place);
    if (mask === 0n) return null;
    const value = readSlot(from.key, place);
    const word = Object.entries(table).find(([, [v, m]]) => v === value && m === mask)?.[0];
    return `${names[0]}=${word ?? `${value}/${mask}`}`;
  },
});

/** Named bits; when all of them count they may be written without signs. */
export const bits = (
  names: readonly string[],
  place: Slot,
  set: FlagSet,
  style: 'signs' | 'names when whole',
  needs?: Needs,
): TextField => ({
  names,
  ...(needs && { needs }),
  parse(text, into) {
    const s = new Scanner(text);
    const { value, mask } = parseFlags(s, set);
    const isWhole = s.at === text.length && !s.failed && text !== '';
    if (isWhole) addMasked(into, place, value, mask);
    return isWhole;
  },
  format(from) {
    const mask = readSlot(from.mask, place);
    if (mask === 0n) return null;
    const write = style === 'signs' ? formatSigned : formatFlags;
    return `${names[0]}=${write(set, readSlot(from.key, place), mask)}`;
  },
});
