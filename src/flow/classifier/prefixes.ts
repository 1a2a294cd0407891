/** The fields that a table may track prefixes of: an OpenFlow table's `prefixes` column. */
import { KEY, type KeyField, PIPELINE } from '../key.ts';
import { swap } from './words.ts';

export type PrefixField =
  | 'tun_id'
  | 'tun_src'
  | 'tun_dst'
  | 'tun_ipv6_src'
  | 'tun_ipv6_dst'
  | 'ipv4_src'
  | 'ipv4_dst'
  | 'ipv6_src'
  | 'ipv6_dst';

/** Fields of a table that says nothing (Open vSwitch 3.1: ip_dst and ip_src, in this order). */
export const PREFIXES_DEFAULT: readonly PrefixField[] = ['ipv4_dst', 'ipv4_src'];

/** Ethertype that a packet must have for the field to mean an address; 0 for any. */
const ethTypes: Partial<Record<PrefixField, number>> = {
  ipv4_src: 0x0800,
  ipv4_dst: 0x0800,
  ipv6_src: 0x86dd,
  ipv6_dst: 0x86dd,
};

/** A prefix field as the classifier works with it. */
export interface PrefixPlace {
  readonly field: KeyField;
  /** First word of the key. */
  readonly word: number;
  readonly words: number;
  readonly ethType: number;
}

export const prefixPlace = (name: PrefixField): PrefixPlace => {
  const field = KEY[name];
  return { field, word: field.offset / 4, words: field.size / 4, ethType: ethTypes[name] ?? 0 };
};

/** The field's bits, left-aligned, for a trie. @param into at least two words longer than the field */
export function readPrefixValue(words: Int32Array, place: PrefixPlace, into: Int32Array): void {
  for (let i = 0; i < place.words; i++) into[i] = swap(words[place.word + i]!);
  into[place.words] = 0;
}

/** How many leading bits a mask has when it has no others; 0 when it is no prefix. */
export function prefixLength(mask: Int32Array, place: PrefixPlace): number {
  let length = 0;
  for (let i = 0; i < place.words; i++) {
    const bits = swap(mask[place.word + i]!);
    const leading = Math.clz32(~bits);
    if (length === 32 * i) length += leading;
    else if (bits !== 0) return 0;
    if (leading < 32 && bits << leading !== 0) return 0;
  }
  return length;
}

/** Adds so many leading bits of the field to a mask. */
export function addPrefixBits(mask: Int32Array, place: PrefixPlace, length: number): void {
  for (let i = 0; 32 * i < length; i++) {
    const bits = Math.min(32, length - 32 * i);
    mask[place.word + i]! |= swap(-1 << (32 - bits));
  }
}

/** Whether so many leading bits of the field are in a mask. */
export function hasPrefixBits(mask: Int32Array, place: PrefixPlace, length: number): boolean {
  for (let i = 0; 32 * i < length; i++) {
    const bits = swap(-1 << (32 - Math.min(32, length - 32 * i)));
    if ((mask[place.word + i]! & bits) !== bits) return false;
  }
  return true;
}

/** The word with both transport ports. */
export const PORTS_WORD = KEY.tp_src.offset / 4;
export const ETH_TYPE_OFFSET = KEY.eth_type.offset;
export const CONJ_ID_WORD = PIPELINE.conj_id.offset / 4;
