/**
 * set_field and load: a value into a field or some of its bits.
 *
 * On the wire: OFPAT_SET_FIELD of OpenFlow 1.2 to 1.4 for whole fields, with a mask from 1.5 on, NXAST_REG_LOAD for a run
 * of up to 64 bits, NXAST_REG_LOAD2 for fields that have no short header (ovs-actions(7), set_field: Conformance).
 */
import { bigToBytes, bytesToBig, hexOf, ones } from '../../flow/odp/number.ts';
import { fieldOf, fieldOnes, findField, headerOf, type OfFieldSpec, oxmVersion } from '../field/index.ts';
import { formatSubfield, miswrites, packBits, parseSubfield } from '../field/subfield.ts';
import { formatFieldValue, parseFieldValue } from '../field/value.ts';
import { readFieldHeader, readOxmHeader, writeOxmHeader } from '../oxm/header.ts';
import type { Reader } from '../reader.ts';
import type { OfVersion } from '../version.ts';
import type { Writer } from '../wire.ts';
import { type Decoded, kind, nicira, type Parsed, putNicira, putStandard, standard, variable, wrong } from './codec.ts';
import { putLegacySetField } from './legacy.ts';
import { splitArrow } from './text.ts';
import type { ActionOf, Subfield } from './types.ts';

type SetField = ActionOf<'set_field'>;

/** Of vlan_vid: there is a tag. */
const VLAN_PRESENT = 0x1000n;

/** Fields whose unused bits may be set, as in Open vSwitch. */
const looseFields = /^(nsh|tun_erspan)_/;

/** Bits that a value of the field may have: of vlan_vid the bit that says that there is a tag, too. */
export const allowedBits = (field: OfFieldSpec): bigint =>
  field.name === 'vlan_vid' ? 0x1fffn : looseFields.test(field.name) ? fieldOnes(field) : ones(field.bits);

/** The first run of ones from `from` up, cut at 64 bits; null when there is none. */
export function nextRun(mask: bigint, from: number, size: number): { offset: number; width: number } | null {
  let offset = from;
  while (offset < size && ((mask >> BigInt(offset)) & 1n) === 0n) offset++;
  if (offset >= size) return null;
  let end = offset;
  while (end < size && end - offset < 64 && ((mask >> BigInt(end)) & 1n) !== 0n) end++;
  return { offset, width: end - offset };
}

/** A header and a value behind it, zeros up to the end. */
function decodeTlv(r: Reader, at: number, allowsMask: boolean): Decoded {
  const header = readOxmHeader(r.bytes, at);
  if (!header) return 'OFPBMC_BAD_LEN';
  const { field, hasMask } = header;
  if (header.payload === 0) return 'OFPBAC_BAD_SET_TYPE';
  if (at + header.size + header.payload > r.size) return at + 4 >= r.size ? 'OFPBMC_BAD_LEN' : 'OFPBAC_BAD_SET_LEN';
  if (!field) return 'OFPBAC_BAD_SET_LEN';
  const size = hasMask ? header.payload / 2 : header.payload;
  const isVariable = field.name.startsWith('tun_metadata');
  if (isVariable ? size < 1 || size > field.size || size % 1 !== 0 : size !== field.size) return 'OFPBAC_BAD_SET_LEN';
  const valueAt = at + header.size;
  const value = bytesToBig(r.slice(valueAt, valueAt + size));
  const mask = hasMask ? bytesToBig(r.slice(valueAt + size, valueAt + 2 * size)) : fieldOnes(field);
  if ((value & ~mask) !== 0n) return 'OFPBMC_BAD_WILDCARDS';
  if (hasMask && (!allowsMask || !field.isMaskable)) return 'OFPBAC_BAD_SET_TYPE';
  if (!r.isZero(valueAt + header.payload)) return 'OFPBAC_BAD_SET_ARGUMENT';
  if (!field.isWritable) return 'OFPBAC_BAD_SET_ARGUMENT';
  if (field.name === 'vlan_vid' && (value & mask & VLAN_PRESENT) === 0n) return 'OFPBAC_BAD_SET_ARGUMENT';
  if (field.notation === 'port11' && value > 0xffffn) return 'OFPBAC_BAD_SET_ARGUMENT';
  if ((value & ~(isVariable ? ones(size * 8) : allowedBits(field))) !== 0n) return 'OFPBAC_BAD_SET_ARGUMENT';
  return { type: 'set_field', field: field.name, value, mask, isLoad: false };
}

function decodeLoad(r: Reader): Decoded {
  const header = readFieldHeader(r.bytes, 12);
  if (!header?.field) return 'OFPBAC_BAD_SET_TYPE';
  const bits = r.u16(10);
  const target: Subfield = { field: header.field.name, offset: bits >> 6, width: (bits & 0x3f) + 1 };
  const error = miswrites(target);
  if (error) return error;
  const value = r.u64(16);
  if (value >> BigInt(target.width) !== 0n) return 'OFPBAC_BAD_ARGUMENT';
  return loadOf(target, value);
}

/** A load as a set_field with the mask of its bits. */
export function loadOf(target: Subfield, value: bigint): SetField {
  const field = fieldOf(target.field);
  const shift = BigInt(target.offset);
  const isWhole = target.offset === 0 && target.width === field.bits;
  return {
    type: 'set_field',
    field: field.name,
    value: value << shift,
    mask: isWhole ? ones(field.bits) : ones(target.width) << shift,
    isLoad: true,
  };
}

function putLoads(out: Writer, field: OfFieldSpec, value: bigint, mask: bigint): void {
  const header = headerOf(field, 1)!;
  if (header.experimenter !== 0 || field.name.startsWith('tun_metadata')) {
    putNicira(out, 33, (body) => putTlv(body, field, 1, value, mask));
    return;
  }
  const size = field.bits;
  for (let run = nextRun(mask, 0, size); run; run = nextRun(mask, run.offset + run.width, size)) {
    const { offset, width } = run;
    putNicira(out, 7, (body) => {
      body.u16(packBits({ field: field.name, offset, width }));
      writeOxmHeader(body, header, false, field.size);
      body.u64((value >> BigInt(offset)) & ones(width));
    });
  }
}

const bytesFor = (value: bigint): number => Math.max(1, Math.ceil(value.toString(16).length / 2));

/** Header, value, and the mask when it does not have all bits. */
function putTlv(out: Writer, field: OfFieldSpec, version: number, value: bigint, mask: bigint): void {
  const isVariable = field.name.startsWith('tun_metadata');
  const hasMask = (mask & ones(field.bits)) !== ones(field.bits);
  const size = isVariable ? bytesFor(hasMask ? mask : value) : field.size;
  writeOxmHeader(out, headerOf(field, version)!, hasMask, hasMask ? 2 * size : size);
  out.bytes(bigToBytes(value, size));
  if (hasMask) out.bytes(bigToBytes(mask, size));
}

export function putSetField(out: Writer, version: OfVersion, action: SetField, hasTag = false): void {
  const field = fieldOf(action.field);
  const { value, mask } = action;
  const isWhole = (mask & ones(field.bits)) === ones(field.bits);
  if (version >= 5 + 1) {
    putStandard(out, 25, (body) => putTlv(body, field, version, value, mask));
    return;
  }
  if (version >= 3 && !action.isLoad && isWhole) {
    putStandard(out, 25, (body) => putTlv(body, field, oxmVersion(version), value, mask));
    return;
  }
  if (version <= 2 && !action.isLoad && putLegacySetField(out, version, field.name, value, hasTag)) return;
  putLoads(out, field, value, mask);
}

/** Bits above a field's own are no part of it. */
function checkValue(field: OfFieldSpec, value: bigint): string | null {
  return (value & ~allowedBits(field)) === 0n
    ? null
    : `${formatFieldValue(field, value)} is not a valid value for field ${field.name}`;
}

function parseSetField(text: string): Parsed {
  const parts = splitArrow(text);
  if (!parts) return wrong(`${text}: missing \`->'`);
  const name = parts.target.replace(/\[\]$/, '');
  const field = findField(name);
  if (!field) return wrong(`${name} is not a valid OXM field name`);
  if (!field.isWritable) return wrong(`${field.name} is read-only`);
  const read = parseFieldValue(field, parts.source);
  if (!read) return wrong(`${parts.source}: not a value of ${field.name}`);
  const bad = checkValue(field, read.value & read.mask);
  if (bad) return wrong(bad);
  return { type: 'set_field', field: field.name, value: read.value & read.mask, mask: read.mask, isLoad: false };
}

function parseLoad(text: string): Parsed {
  const parts = splitArrow(text);
  if (!parts) return wrong(`${text}: missing \`->'`);
  const target = parseSubfield(parts.target);
  if ('wrong' in target) return target;
  const field = fieldOf(target.field);
  if (!field.isWritable) return wrong(`${field.name} is read-only`);
  const read = parseFieldValue({ ...field, notation: literalNotation(field, parts.source) }, parts.source);
  if (!read) return wrong(`${parts.source}: cannot parse integer value`);
  if (read.value >> BigInt(target.width) !== 0n) {
    return wrong(`${parts.source}: value does not fit into ${target.width} bits`);
  }
  return loadOf(target, read.value);
}

/** A literal of load is a number, unless it can only be the field's own way of writing. */
export const literalNotation = (field: OfFieldSpec, text: string): OfFieldSpec['notation'] =>
  /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? 'hex' : field.notation;

function formatSetField({ field: name, value, mask, isLoad }: SetField): string {
  const field = fieldOf(name);
  if (isLoad) {
    const run = nextRun(mask, 0, field.bits) ?? { offset: 0, width: field.bits };
    const width = (mask >> BigInt(run.offset)).toString(2).length;
    const target = { field: name, offset: run.offset, width };
    return `load:${hexOf(value >> BigInt(run.offset))}->${formatSubfield(target)}`;
  }
  const isWhole = (mask & ones(field.bits)) === ones(field.bits);
  return `set_field:${formatFieldValue(field, value, isWhole ? fieldOnes(field) : mask)}->${field.name}`;
}

export const setField = kind<'set_field'>({
  types: ['set_field'],
  forms: [
    variable(standard(25, [3, 5], 8, (r) => decodeTlv(r, 4, false))),
    variable(standard(25, [6, 6], 8, (r) => decodeTlv(r, 4, true))),
    nicira(7, 24, decodeLoad),
    variable(nicira(33, 16, (r) => decodeTlv(r, 10, true))),
  ],
  encode: (out, action, { version, tag }) => putSetField(out, version, action, tag.isThere),
  format: formatSetField,
  words: { set_field: parseSetField, load: parseLoad },
});
