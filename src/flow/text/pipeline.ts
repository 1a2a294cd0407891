/** Fields that only OpenFlow tables match on: registers, metadata, conj_id, actset_output, ERSPAN and GTP-U, tun_metadata. */
import { type KeyField, PIPELINE } from '../key.ts';
import { decimal, hex, ones } from '../odp/number.ts';
import type { Masked } from '../odp/row.ts';
import { readSlot, type Slot } from '../odp/slot.ts';
import { addMasked, plain, type TextField } from './field.ts';
import { hexNumber, number, type TextNotation, unmasked } from './notation.ts';
import { formatOfPort, parseOfPort } from './ports.ts';

type PipelineName = keyof typeof PIPELINE;

/** Pipeline fields lie behind the packet's key: only a PipelineKey has them. */
const place = (name: PipelineName, width: number = PIPELINE[name].size * 8): Slot => ({
  field: PIPELINE[name] as unknown as KeyField,
  shift: 0,
  width,
});

const hasPipeline = ({ mask }: Masked): boolean => mask.bytes.length > PIPELINE.metadata.offset;

/** As `plain`, but silent about a key without pipeline fields. */
const row = (names: readonly string[], slot: Slot, notation: TextNotation): TextField => {
  const field = plain(names, slot, notation);
  return { ...field, format: (from) => (hasPipeline(from) ? field.format(from) : null) };
};

const OPENFLOW_11_BASE = 0xffff0000;

const port: TextNotation = {
  parse(text) {
    const value = parseOfPort(text);
    if (value === null) return null;
    return { value: BigInt(value >= 0xff00 ? value + OPENFLOW_11_BASE : value), mask: 0xffffffffn };
  },
  format: (value) => formatOfPort(Number(value & 0xffffn)),
};

const registerName = (i: number): PipelineName => `reg${i}` as PipelineName;

/** A register that is made of others: it is read, and written as those. */
const wide = (name: string, first: number, count: number): TextField => ({
  names: [name],
  parse(text, into) {
    const read = hexNumber.parse(text, 32 * count);
    if (!read) return false;
    for (let i = 0; i < count; i++) {
      const shift = BigInt(32 * (count - 1 - i));
      const bits = (value: bigint): bigint => (value >> shift) & ones(32);
      addMasked(into, place(registerName(first + i)), bits(read.value), bits(read.mask));
    }
    return true;
  },
  format: () => null,
});

const erspanVersion = (from: Masked): bigint => readSlot(from.key, place('tun_erspan_ver'));
/** Of ERSPAN, what belongs to the version that is matched. */
const ofVersion = (version: bigint, field: TextField): TextField => ({
  ...field,
  format: (from) => (hasPipeline(from) && erspanVersion(from) === version ? field.format(from) : null),
});

export const conjIdField: TextField = row(['conj_id'], place('conj_id'), number);
export const actsetOutputField: TextField = row(['actset_output'], place('actset_output'), port);
export const metadataField: TextField = row(['metadata'], place('metadata'), hexNumber);

export const registerFields: readonly TextField[] = [
  ...Array.from({ length: 16 }, (_, i) => row([`reg${i}`], place(registerName(i)), hexNumber)),
  ...Array.from({ length: 8 }, (_, i) => wide(`xreg${i}`, 2 * i, 2)),
  ...Array.from({ length: 4 }, (_, i) => wide(`xxreg${i}`, 4 * i, 4)),
];

export const tunnelExtraFields: readonly TextField[] = [
  row(['tun_erspan_ver'], place('tun_erspan_ver', 4), unmasked(decimal)),
  ofVersion(1n, row(['tun_erspan_idx'], place('tun_erspan_idx', 20), hexNumber)),
  ofVersion(2n, row(['tun_erspan_dir'], place('tun_erspan_dir', 1), unmasked(decimal))),
  ofVersion(2n, row(['tun_erspan_hwid'], place('tun_erspan_hwid', 6), unmasked(hex))),
  row(['gtpu_flags', 'tun_gtpu_flags'], place('tun_gtpu_flags', 8), unmasked(hex)),
  row(['gtpu_msgtype', 'tun_gtpu_msgtype'], place('tun_gtpu_msgtype', 8), unmasked(decimal)),
];

/** A tun_metadata field of a match, beside the key: where it lies in the options is for a bridge to say. */
export interface TunMetadata {
  /** 0 to 63. */
  readonly index: number;
  /** Bytes. */
  readonly size: number;
  readonly value: bigint;
  readonly mask: bigint;
}

const METADATA_BITS_MAX = 992;

const bytesFor = (value: bigint): number => Math.max(1, Math.ceil(value.toString(16).length / 2));

/** `tun_metadata3=0x5/0xff`, or the name alone: any value. Null when it is none of them. */
export function parseTunMetadata(name: string, text: string | null): TunMetadata | null {
  const index = Number(/^tun_metadata([0-9]|[1-5][0-9]|6[0-3])$/.exec(name)?.[1] ?? Number.NaN);
  if (Number.isNaN(index)) return null;
  if (text === null) return { index, size: 1, value: 0n, mask: 0n };
  const read = hexNumber.parse(text, METADATA_BITS_MAX);
  if (!read) return null;
  const isWhole = read.mask === ones(METADATA_BITS_MAX);
  const size = bytesFor(isWhole ? read.value : read.mask);
  return { index, size, value: read.value, mask: isWhole ? ones(8 * size) : read.mask };
}

export function formatTunMetadata({ index, size, value, mask }: TunMetadata): string {
  const name = `tun_metadata${index}`;
  if (mask === 0n) return name;
  return `${name}=${hex.format(value)}${mask === ones(8 * size) ? '' : `/${hex.format(mask)}`}`;
}
