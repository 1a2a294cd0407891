/** Where in a flow key a value of the text form lies: a field, or some bits of one. */
import { type FlowKey, KEY, type KeyField, type KeyFieldName } from '../key.ts';
import { bigToBytes, bytesToBig, ones } from './number.ts';

export interface Slot {
  readonly field: KeyField;
  /** Bits below the value. */
  readonly shift: number;
  /** Bits. */
  readonly width: number;
}

export const slot = (name: KeyFieldName, shift = 0, width: number = KEY[name].size * 8 - shift): Slot => ({
  field: KEY[name],
  shift,
  width,
});

/** The field as one number, whatever its order in memory. */
export function readField(key: FlowKey, field: KeyField): bigint {
  return field.size <= 4 ? BigInt(key.get(field)) : bytesToBig(key.at(field));
}

export function writeField(key: FlowKey, field: KeyField, value: bigint): void {
  if (field.size <= 4) key.set(field, Number(value));
  else key.setBytes(field, bigToBytes(value, field.size));
}

export const readSlot = (key: FlowKey, { field, shift, width }: Slot): bigint =>
  (readField(key, field) >> BigInt(shift)) & ones(width);

/** Other bits of the field stay. */
export function writeSlot(key: FlowKey, { field, shift, width }: Slot, value: bigint): void {
  const cleared = readField(key, field) & ~(ones(width) << BigInt(shift));
  writeField(key, field, cleared | ((value & ones(width)) << BigInt(shift)));
}

/** The slot's bits as they lie in the field. */
export const slotBits = ({ shift, width }: Slot): bigint => ones(width) << BigInt(shift);
