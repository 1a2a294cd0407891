/** Headers of match fields on the wire (OpenFlow 1.5 §7.2.3.2; class 0xffff has an experimenter behind the header). */

import type { OfHeaderSpec } from '../../spec/of-fields.ts';
import { fieldOfHeader, type OfFieldSpec } from '../field/index.ts';
import { Reader } from '../reader.ts';
import type { Writer } from '../wire.ts';

export interface OxmHeader {
  readonly class: number;
  readonly experimenter: number;
  readonly number: number;
  readonly hasMask: boolean;
  /** Bytes of the value and, when there is one, of the mask. */
  readonly payload: number;
  /** Bytes of the header: 4, or 8 with an experimenter. */
  readonly size: number;
  /** Null for a header that nobody knows. */
  readonly field: OfFieldSpec | null;
}

const EXPERIMENTER_CLASS = 0xffff;

/** Null when there are too few bytes, or the experimenter does not fit the length. */
export function readOxmHeader(bytes: Uint8Array, at = 0): OxmHeader | null {
  const reader = new Reader(bytes.subarray(at));
  if (reader.size < 4) return null;
  const headerClass = reader.u16(0);
  const kind = reader.u8(2);
  const length = reader.u8(3);
  const isExperimenter = headerClass === EXPERIMENTER_CLASS;
  if (isExperimenter && (reader.size < 8 || length < 4)) return null;
  const experimenter = isExperimenter ? reader.u32(4) : 0;
  const number = kind >> 1;
  return {
    class: headerClass,
    experimenter,
    number,
    hasMask: (kind & 1) !== 0,
    payload: isExperimenter ? length - 4 : length,
    size: isExperimenter ? 8 : 4,
    field: fieldOfHeader(headerClass, experimenter, number),
  };
}

/**
 * A header that stands for its field alone, in an action: it must say the field's length. Null when there are too few bytes;
 * its field is null when it is no such header.
 */
export function readFieldHeader(bytes: Uint8Array, at: number): OxmHeader | null {
  const header = readOxmHeader(bytes, at);
  if (!header?.field) return header;
  const { field, payload, hasMask } = header;
  const isVariable = field.name.startsWith('tun_metadata');
  const fits = isVariable ? payload >= 1 && payload <= field.size : payload === field.size;
  return fits && !hasMask ? header : { ...header, field: null };
}

/** @param payload bytes that follow, the mask's included */
export function writeOxmHeader(out: Writer, header: OfHeaderSpec, hasMask: boolean, payload: number): void {
  const isExperimenter = header.class === EXPERIMENTER_CLASS;
  out.u16(header.class).u8((header.number << 1) | (hasMask ? 1 : 0));
  out.u8(isExperimenter ? payload + 4 : payload);
  if (isExperimenter) out.u32(header.experimenter);
}
