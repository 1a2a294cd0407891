/** Attributes that are tables of rows, and those of a single value. */
import type { KeyFieldName } from '../../key.ts';
import { type FlagSet, formatFlags, parseFlags } from '../flags.ts';
import type { Notation } from '../number.ts';
import { formatMasked, formatRows, parseMaskedValue, parseRows, putMasked, type Row, touches } from '../row.ts';
import { readSlot, type Slot, slot } from '../slot.ts';
import type { Attribute } from './attribute.ts';
import type { Misfit } from './prerequisites.ts';

export const group = (name: string, rows: readonly Row[], misfit?: Misfit): Attribute => ({
  name,
  parse: (s, draft) => parseRows(s, rows, draft),
  format: (match) => (touches(rows, match.mask) ? `${name}(${formatRows(rows, match).join(',')})` : null),
  ...(misfit && { misfit }),
});

export const single = (name: string, field: KeyFieldName, notation: Notation): Attribute => {
  const place: Slot = slot(field);
  return {
    name,
    parse(s, draft) {
      const { value, mask } = parseMaskedValue(s, notation, place.width);
      s.expect(')');
      if (!s.failed) putMasked(draft, place, value, mask);
    },
    format(match) {
      const mask = readSlot(match.mask, place);
      return mask === 0n ? null : `${name}(${formatMasked(notation, readSlot(match.key, place), mask, place.width)})`;
    },
  };
};

/** @param format how a value with its mask is written */
export const flags = (
  name: string,
  field: KeyFieldName,
  set: FlagSet,
  format: (set: FlagSet, value: bigint, mask: bigint) => string = formatFlags,
  misfit?: Misfit,
): Attribute => {
  const place = slot(field, 0, set.width);
  return {
    name,
    parse(s, draft) {
      if (s.peek(')')) s.fail('expected flags');
      const { value, mask } = parseFlags(s, set);
      s.expect(')');
      if (!s.failed) putMasked(draft, place, value, mask);
    },
    format(match) {
      const mask = readSlot(match.mask, place);
      return mask === 0n ? null : `${name}(${format(set, readSlot(match.key, place), mask)})`;
    },
    ...(misfit && { misfit }),
  };
};
