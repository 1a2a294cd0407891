/** Matches as runs of header, value and mask: NXM and OXM (OpenFlow 1.5 §7.2.3, nicira extensions). */
import { KEY, type KeyField, PipelineKey } from '../../flow/key.ts';
import { bigToBytes, bytesToBig, ones } from '../../flow/odp/number.ts';
import { ok, type Result } from '../../lib/result.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { fromPort32, toPort32 } from '../action/codec.ts';
import { type OfError, ofFail } from '../error.ts';
import {
  fieldOf,
  fieldOnes,
  headerOf,
  isZeroIn,
  type OfFieldSpec,
  readValue,
  valueBits,
  writeValue,
} from '../field/index.ts';
import { meetsPrerequisite } from '../field/prerequisites.ts';
import { u32At, Writer } from '../wire.ts';
import { type OxmHeader, readOxmHeader, writeOxmHeader } from './header.ts';
import { type FieldOrder, fieldOrder } from './order.ts';
import { plainEntry, plainPlace, takePlain } from './plain.ts';
import type { Cookie, MatchScratch, OfMatch, TlvMatch, TunMetadata } from './types.ts';

const TUN_METADATA = 'tun_metadata';
const VLAN_PRESENT = 0x1000;
/** NXM_NX_COOKIE: no match field, but it stands among them in Nicira's messages. */
const COOKIE = { class: 0x0001, number: 30, size: 8 };

interface Draft {
  readonly key: PipelineKey;
  readonly mask: PipelineKey;
  readonly tunMetadata: TunMetadata[];
  cookie: Cookie | null;
}

const isTunMetadata = (field: OfFieldSpec): boolean => field.name.startsWith(TUN_METADATA);
const metadataIndex = (field: OfFieldSpec): number => Number(field.name.slice(TUN_METADATA.length));

/** Bits that a value may have; the others make it a bad value. */
function validBits(field: OfFieldSpec): bigint {
  if (field.name === 'vlan_vid') return 0x1fffn;
  if (field.name === 'ct_state') return 0xffn;
  if (field.name === 'nw_tos') return 0xfcn;
  if (field.name === 'arp_op') return 0xffn;
  return ones(field.bits);
}

function isValidValue(field: OfFieldSpec, value: bigint): boolean {
  if ((value & ~validBits(field)) !== 0n) return false;
  return field.notation !== 'port11' || fromPort32(Number(value)) !== null;
}

/** Bits of the key that the wire's value says something about, by field. */
const matched = new Map<OfFieldSpec, bigint>();
function matchedBits(field: OfFieldSpec): bigint {
  let bits = matched.get(field);
  if (bits === undefined) {
    bits = validBits(field) & valueBits(field);
    matched.set(field, bits);
  }
  return bits;
}

/** Value and mask as the key has them. */
function put(draft: Draft, field: OfFieldSpec, value: bigint, mask: bigint): void {
  const bits = mask & matchedBits(field);
  const inKey =
    field.notation === 'port11' && field.name === 'in_port_oxm' ? BigInt(fromPort32(Number(value))!) : value;
  writeValue(draft.key, field, (readValue(draft.key, field) & ~bits) | (inKey & bits));
  writeValue(draft.mask, field, readValue(draft.mask, field) | (field.name === 'in_port_oxm' ? 0xffffffffn : bits));
  if (field.name === 'in_port') writeValue(draft.mask, fieldOf('in_port_oxm'), 0xffffffffn);
  if (field.name === 'vlan_pcp') {
    draft.key.set(KEY.vlan_tci, draft.key.get(KEY.vlan_tci) | VLAN_PRESENT);
    draft.mask.set(KEY.vlan_tci, draft.mask.get(KEY.vlan_tci) | VLAN_PRESENT);
  }
}

const isTaken = (draft: Draft, field: OfFieldSpec): boolean =>
  isTunMetadata(field)
    ? draft.tunMetadata.some(({ index }) => index === metadataIndex(field))
    : (readValue(draft.mask, field) & matchedBits(field)) !== 0n;

/** A field and its value into the match; the name of an error. */
function takeField(draft: Draft, field: OfFieldSpec, size: number, value: bigint, mask: bigint): OfErrorName | null {
  const isWhole = mask === ones(8 * size);
  if (!isTunMetadata(field) && !isValidValue(field, value)) return 'OFPBMC_BAD_VALUE';
  if (!isWhole && !field.isMaskable && mask !== 0n) return 'OFPBMC_BAD_MASK';
  if (field.needs !== 'none' && field.needs !== 'ct' && field.needs !== 'vlan') {
    // What needs an Ethernet header makes the match one of Ethernet packets.
    if (draft.mask.isZero(KEY.packet_type)) draft.mask.setAllOnes(KEY.packet_type);
  }
  const needs = field.needs === 'vlan' ? 'ethernet' : field.needs;
  if (!meetsPrerequisite(draft, needs)) return 'OFPBMC_BAD_PREREQ';
  if (isTaken(draft, field)) return 'OFPBMC_DUP_FIELD';
  if (isTunMetadata(field)) {
    draft.tunMetadata.push({ index: metadataIndex(field), size, value: value & mask, mask });
    return null;
  }
  put(draft, field, value, mask);
  return null;
}

function takeCookie(draft: Draft, header: OxmHeader, value: bigint, mask: bigint): OfErrorName | null {
  if (draft.cookie) return 'OFPBMC_DUP_FIELD';
  if ((header.hasMask ? 2 : 1) * COOKIE.size !== header.payload) return 'OFPBMC_BAD_LEN';
  draft.cookie = { value, mask };
  return null;
}

/** Six bytes are exact in a number. */
const NUMBER_BYTES = 6;

function bigAt(bytes: Uint8Array, at: number, size: number): bigint {
  if (size > NUMBER_BYTES) return bytesToBig(bytes.subarray(at, at + size));
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + bytes[at + i]!;
  return BigInt(value);
}

/** The entry at `at`: where the next one begins, or the name of an error. */
function takeEntry(draft: Draft, bytes: Uint8Array, at: number, allowsCookie: boolean): number | OfErrorName {
  const header = readOxmHeader(bytes, at);
  if (!header) return 'OFPBMC_BAD_LEN';
  const { field, hasMask, payload } = header;
  const valueAt = at + header.size;
  const isCookie =
    allowsCookie && header.class === COOKIE.class && header.number === COOKIE.number && payload === (hasMask ? 16 : 8);
  if (!field && !isCookie) return 'OFPBMC_BAD_FIELD';
  if (valueAt + payload > bytes.length) return 'OFPBMC_BAD_LEN';
  const size = hasMask ? payload / 2 : payload;
  const fits = isCookie || (isTunMetadata(field!) ? size >= 1 && size <= field!.size : size === field!.size);
  if (!Number.isInteger(size) || !fits) return 'OFPBMC_BAD_FIELD';
  const value = bigAt(bytes, valueAt, size);
  const mask = hasMask ? bigAt(bytes, valueAt + size, size) : ones(8 * size);
  if ((value & ~mask) !== 0n) return 'OFPBMC_BAD_WILDCARDS';
  const error = isCookie ? takeCookie(draft, header, value, mask) : takeField(draft, field!, size, value, mask);
  return error ?? valueAt + payload;
}

export interface TlvOptions {
  readonly allowsCookie?: boolean;
  /** Keys that the match is made of, in place of new ones: it is good until they are used again. */
  readonly scratch?: MatchScratch;
  /** For tests: no entry is read as bytes. */
  readonly isSlow?: boolean;
}

/** @param bytes entries and nothing else: no padding */
export function decodeTlvs(bytes: Uint8Array, options: TlvOptions = {}): Result<TlvMatch, OfError> {
  const { scratch } = options;
  const key = scratch ? scratch.key.clear() : new PipelineKey();
  const mask = scratch ? scratch.mask.clear() : new PipelineKey();
  const draft: Draft = { key, mask, tunMetadata: [], cookie: null };
  for (let at = 0; at < bytes.length; ) {
    const plain = !options.isSlow && at + 4 <= bytes.length ? plainEntry(u32At(bytes, at)) : undefined;
    if (plain) {
      const end = at + 4 + (plain.hasMask ? 2 : 1) * plain.size;
      if (end <= bytes.length && takePlain(draft, plain, bytes, at + 4)) {
        at = end;
        continue;
      }
    }
    const next = takeEntry(draft, bytes, at, options.allowsCookie ?? false);
    if (typeof next === 'string') return ofFail(next);
    at = next;
  }
  return ok({ match: { key: draft.key, mask: draft.mask, tunMetadata: draft.tunMetadata }, cookie: draft.cookie });
}

function putEntry(out: Writer, field: OfFieldSpec, version: number, size: number, value: bigint, mask: bigint): void {
  const header = headerOf(field, version);
  if (!header) return;
  const hasMask = mask !== ones(8 * size);
  writeOxmHeader(out, header, hasMask, hasMask ? 2 * size : size);
  out.bytes(bigToBytes(value, size));
  if (hasMask) out.bytes(bigToBytes(mask, size));
}

/** Fields that Open vSwitch always sends with a mask: of the bits that it knows. */
const alwaysMasked = new Set(['ct_state', 'tun_flags']);
/** Fields for which Open vSwitch sends the value as its mask. */
const maskIsValue = new Set([
  'tun_erspan_ver',
  'tun_erspan_dir',
  'tun_erspan_hwid',
  'tun_gtpu_flags',
  'tun_gtpu_msgtype',
]);

/** Fields that a mask may have, of one version's order: matches that are written one after the other often share a mask. */
class MaskFields {
  readonly #order: FieldOrder;
  readonly #mask = new PipelineKey();
  #before: readonly OfFieldSpec[];
  #after: readonly OfFieldSpec[];

  constructor(version: number) {
    this.#order = fieldOrder(version);
    [this.#before, this.#after] = [[], []];
  }

  /** Fields that stand before tunnel metadata and behind it. */
  of(mask: PipelineKey): { readonly before: readonly OfFieldSpec[]; readonly after: readonly OfFieldSpec[] } {
    if (!this.#mask.equals(mask)) {
      this.#mask.copyFrom(mask);
      this.#before = this.#order.beforeMetadata.filter((field) => !isZeroIn(mask, field));
      this.#after = this.#order.afterMetadata.filter((field) => !isZeroIn(mask, field));
    }
    return { before: this.#before, after: this.#after };
  }
}

const maskFields = [0, 1, 2, 3, 4, 5, 6].map((version) => new MaskFields(version));

/** A field whose whole place in the key is what stands on the wire. */
function putPlain(out: Writer, match: OfMatch, field: OfFieldSpec, place: KeyField, version: number): void {
  const { offset, size } = place;
  const header = headerOf(field, version);
  if (!header || match.mask.isZero(place)) return;
  const hasMask = !match.mask.isAllOnes(place);
  writeOxmHeader(out, header, hasMask, hasMask ? 2 * size : size);
  const mask = match.mask.bytes;
  out.masked(match.key.bytes, mask, offset, size);
  if (hasMask) out.masked(mask, mask, offset, size);
}

function putField(out: Writer, match: OfMatch, field: OfFieldSpec, version: number): void {
  const place = plainPlace(field);
  if (place) {
    if (field.needs === 'ct' || meetsPrerequisite(match, field.needs)) putPlain(out, match, field, place, version);
    return;
  }
  if (isZeroIn(match.mask, field)) return;
  const bits = matchedBits(field);
  const mask = readValue(match.mask, field) & bits;
  if (mask === 0n) return;
  if (field.needs !== 'ct' && !meetsPrerequisite(match, field.needs)) return;
  let value = readValue(match.key, field) & mask;
  if (field.name === 'in_port_oxm') value = BigInt(toPort32(Number(value)));
  if (maskIsValue.has(field.name)) {
    if (value !== 0n) putEntry(out, field, version, field.size, value, value);
    return;
  }
  const isWhole = mask === bits && !alwaysMasked.has(field.name);
  putEntry(out, field, version, field.size, value, isWhole ? fieldOnes(field) : mask);
}

/** A packet type of Ethernet goes without saying when something of the Ethernet header is matched. */
function saysEthernet({ key, mask }: OfMatch): boolean {
  const matchesHeader = [KEY.eth_src, KEY.eth_dst, KEY.eth_type, KEY.vlan_tci].some((field) => !mask.isZero(field));
  return !mask.isZero(KEY.packet_type) && key.get(KEY.packet_type) === 0 && matchesHeader;
}

/** @param version 1 for NXM, else the wire version */
export function encodeTlvs(out: Writer, match: OfMatch, version: number, cookie: Cookie | null = null): void {
  if (!saysEthernet(match)) putField(out, match, fieldOf('packet_type'), version);
  const { before, after } = maskFields[version]!.of(match.mask);
  for (const field of before) putField(out, match, field, version);
  const { tunMetadata } = match;
  const metadata = tunMetadata.length < 2 ? tunMetadata : tunMetadata.toSorted((a, b) => a.index - b.index);
  for (const { index, size, value, mask } of metadata) {
    putEntry(out, fieldOf(`${TUN_METADATA}${index}`), version, size, value, mask);
  }
  for (const field of after) putField(out, match, field, version);
  if (cookie && cookie.mask !== 0n) {
    const hasMask = cookie.mask !== ones(64);
    out
      .u16(COOKIE.class)
      .u8((COOKIE.number << 1) | (hasMask ? 1 : 0))
      .u8(hasMask ? 16 : 8)
      .u64(cookie.value);
    if (hasMask) out.u64(cookie.mask);
  }
}

export const tlvBytes = (match: OfMatch, version: number, cookie: Cookie | null = null): Uint8Array => {
  const out = new Writer();
  encodeTlvs(out, match, version, cookie);
  return out.done();
};
