/**
 * Match fields by name and by header, and their values in a flow.
 *
 * Terms
 *   header    what stands before a value on the wire: class, number, mask bit, length
 *   subfield  some bits of a field, written `reg0[0..15]`
 *
 * Invariants
 *   Every function here is driven by the rows of src/spec/of-fields.ts; none names a field but where the row cannot say it.
 *
 * Not supported
 *   Names of tun_metadata fields: they are numbers only, as in Open vSwitch.
 */

import type { PipelineKey } from '../../flow/key.ts';
import { KEY, type KeyField, PIPELINE } from '../../flow/key.ts';
import { ones } from '../../flow/odp/number.ts';
import { readSlot, type Slot, writeSlot } from '../../flow/odp/slot.ts';
import type { KeyFieldSpec } from '../../spec/key.ts';
import { type OfFieldSpec, type OfHeaderSpec, ofFields } from '../../spec/of-fields.ts';
import type { OfVersion } from '../version.ts';

export type { OfFieldSpec } from '../../spec/of-fields.ts';

const byName = new Map<string, OfFieldSpec>();
const byHeader = new Map<string, OfFieldSpec>();
const headerKey = (spec: Pick<OfHeaderSpec, 'class' | 'experimenter' | 'number'>): string =>
  `${spec.class}/${spec.experimenter}/${spec.number}`;

for (const field of ofFields) {
  for (const name of [field.name, ...field.aliases]) byName.set(name, field);
  for (const header of field.headers) {
    byName.set(header.name, field);
    byHeader.set(headerKey(header), field);
  }
}

/** By its name, another name of it, or the name of one of its headers. */
export const findField = (name: string): OfFieldSpec | null => byName.get(name) ?? null;

/** A field that is known to be there. */
export function fieldOf(name: string): OfFieldSpec {
  const field = byName.get(name);
  if (!field) throw new Error(`no match field ${name}`);
  return field;
}

export const fieldOfHeader = (headerClass: number, experimenter: number, number: number): OfFieldSpec | null =>
  byHeader.get(headerKey({ class: headerClass, experimenter, number })) ?? null;

/** The header that a sender of this version uses; null for a field that has none. */
export function headerOf(field: OfFieldSpec, version: number): OfHeaderSpec | null {
  let found: OfHeaderSpec | null = null;
  for (const header of field.headers) if (!found || version >= header.since) found = header;
  return found;
}

/** Version for OXM of a version: below OpenFlow 1.2 it is Nicira's. */
export const oxmVersion = (version: OfVersion): number => (version >= 3 ? version : 1);

/** The largest value: tun_metadata of 124 bytes included. */
export const fieldOnes = (field: OfFieldSpec): bigint => ones(field.size * 8);

const keyFields: Readonly<Record<string, KeyField>> = { ...KEY, ...PIPELINE } as Readonly<
  Record<string, KeyFieldSpec>
> as Readonly<Record<string, KeyField>>;
/** Registers that two or four others make up. */
const pieces: Readonly<Record<string, { readonly count: number; readonly first: number }>> = Object.fromEntries([
  ...Array.from({ length: 8 }, (_, i) => [`xreg${i}`, { count: 2, first: 2 * i }]),
  ...Array.from({ length: 4 }, (_, i) => [`xxreg${i}`, { count: 4, first: 4 * i }]),
]);

const slotOf = (field: OfFieldSpec): Slot | null => {
  const key = field.place && keyFields[field.place.key];
  if (!key || !field.place) return null;
  const bits = field.name === 'vlan_vid' ? 13 : field.bits;
  return { field: key, shift: field.place.shift, width: Math.min(bits, key.size * 8 - field.place.shift) };
};
const slots = new Map(ofFields.map((field) => [field.name, slotOf(field)] as const));

/** The place in the key that the field's value fills from end to end; null when it does not. */
export function placeOfWhole(field: OfFieldSpec): KeyField | null {
  const slot = slots.get(field.name);
  if (!slot || pieces[field.name] || slot.shift !== 0) return null;
  const bits = 8 * field.size;
  return slot.field.size === field.size && slot.width === bits && field.bits === bits ? (slot.field as KeyField) : null;
}

/** The field's own place in a key, when nothing else lies in it; null when there is none. */
export function ownPlaceOf(field: OfFieldSpec): KeyField | null {
  const place = slots.get(field.name)?.field as KeyField | undefined;
  return place?.name === field.name ? place : placeOfWhole(field);
}

/** Of at most four bytes: numbers are several times as fast as big ones. */
const isSmall = ({ field }: Slot): boolean => field.size <= 4;
const smallMask = ({ width }: Slot): number => (width >= 32 ? 0xffffffff : (1 << width) - 1) >>> 0;

const read = (key: PipelineKey, slot: Slot): bigint =>
  isSmall(slot) ? BigInt(((key.get(slot.field) >>> slot.shift) & smallMask(slot)) >>> 0) : readSlot(key, slot);

function write(key: PipelineKey, slot: Slot, value: bigint): void {
  if (!isSmall(slot)) {
    writeSlot(key, slot, value);
    return;
  }
  const bits = smallMask(slot);
  const others = key.get(slot.field) & ~(bits << slot.shift);
  const own = (Number(BigInt.asUintN(32, value)) & bits) << slot.shift;
  key.set(slot.field, (others | own) >>> 0);
}

/** The field's value in a flow, or the bits of it that a mask has. Zero for tun_metadata. */
export function readValue(key: PipelineKey, field: OfFieldSpec): bigint {
  const parts = pieces[field.name];
  if (parts) {
    let value = 0n;
    for (let i = 0; i < parts.count; i++) {
      value = (value << 32n) | readSlot(key, slots.get(`reg${parts.first + i}`)!);
    }
    return value;
  }
  const slot = slots.get(field.name);
  return slot ? read(key, slot) : 0n;
}

/** Bits that do not fit are dropped. Nothing happens for tun_metadata. */
export function writeValue(key: PipelineKey, field: OfFieldSpec, value: bigint): void {
  const parts = pieces[field.name];
  if (parts) {
    for (let i = 0; i < parts.count; i++) {
      const shift = BigInt(32 * (parts.count - 1 - i));
      writeSlot(key, slots.get(`reg${parts.first + i}`)!, (value >> shift) & 0xffffffffn);
    }
    return;
  }
  const slot = slots.get(field.name);
  if (slot) write(key, slot, value);
}

/** Whether all of the key's field that this one lies in is zero: then so is its value. True for tun_metadata. */
export function isZeroIn(key: PipelineKey, field: OfFieldSpec): boolean {
  const parts = pieces[field.name];
  if (!parts) {
    const slot = slots.get(field.name);
    return !slot || key.isZero(slot.field);
  }
  for (let i = 0; i < parts.count; i++) if (!key.isZero(slots.get(`reg${parts.first + i}`)!.field)) return false;
  return true;
}

/** Bits of the field that the key has room for. */
export function valueBits(field: OfFieldSpec): bigint {
  const slot = slots.get(field.name);
  return ones(pieces[field.name] ? field.bits : (slot?.width ?? field.bits));
}
