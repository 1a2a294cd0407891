/** Subfields as text (`reg0[0..15]`, `eth_src[]`, `vlan_tci[12]`) and as wire numbers. */
import { parseNumber } from '../../flow/odp/scanner.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { Subfield } from '../action/types.ts';
import { fieldOf, findField, headerOf } from './index.ts';

/** The subfield, or what is wrong with the text. */
export function parseSubfield(text: string): Subfield | { readonly wrong: string } {
  const found = /^([A-Za-z0-9_]+)(?:\[(?:([0-9]+)(?:\.\.([0-9]+))?)?\])?$/.exec(text.trim());
  if (!found) return { wrong: `${text}: missing [ looking for field name` };
  const field = findField(found[1]!);
  if (!field) return { wrong: `${text}: unknown field \`${found[1]}'` };
  if (found[2] === undefined) return { field: field.name, offset: 0, width: field.bits };
  const start = Number(parseNumber(found[2]) ?? found[2]);
  const end = found[3] === undefined ? start : Number(found[3]);
  if (start > end) return { wrong: `${text}: starting bit ${start} is after ending bit ${end}` };
  if (start >= field.bits) {
    return { wrong: `${text}: starting bit ${start} is not valid because field is only ${field.bits} bits wide` };
  }
  if (end >= field.bits) {
    return { wrong: `${text}: ending bit ${end} is not valid because field is only ${field.bits} bits wide` };
  }
  return { field: field.name, offset: start, width: end - start + 1 };
}

/** With the header's name, as actions show it: `NXM_NX_REG0[0..15]`. */
export function formatSubfield({ field, offset, width }: Subfield): string {
  const spec = fieldOf(field);
  const name = headerOf(spec, 1)?.name ?? spec.name;
  if (offset === 0 && width === spec.bits) return `${name}[]`;
  return width === 1 ? `${name}[${offset}]` : `${name}[${offset}..${offset + width - 1}]`;
}

/** Offset and width in one number, as load, output_reg and the like have them. */
export const packBits = ({ offset, width }: Subfield): number => (offset << 6) | (width - 1);

/** What is wrong with a subfield that is to be read; null when nothing is. */
export function misreads({ field, offset, width }: Subfield): OfErrorName | null {
  if (width === 0 || offset + width > fieldOf(field).bits) return 'OFPBAC_BAD_SET_LEN';
  return null;
}

/** What is wrong with a subfield that is to be written; null when nothing is. */
export function miswrites(subfield: Subfield): OfErrorName | null {
  return misreads(subfield) ?? (fieldOf(subfield.field).isWritable ? null : 'OFPBAC_BAD_SET_ARGUMENT');
}
