/**
 * Entries of a match that can be taken as bytes: the field fills a place of the key from end to end, every value of it is a
 * value, and the key holds it in network order. Most entries of most matches are such; big numbers are ten times as slow.
 *
 * Invariants. takePlain() does what tlv.ts does with the same entry, or nothing: then it answers false and the entry is for
 * tlv.ts, errors among them.
 */
import { KEY, type KeyField, type PipelineKey } from '../../flow/key.ts';
import { type OfFieldSpec, ofFields, type Prerequisite } from '../../spec/of-fields.ts';
import { placeOfWhole } from '../field/index.ts';
import { meetsPrerequisite } from '../field/prerequisites.ts';

export interface PlainEntry {
  readonly offset: number;
  /** Of the value, and of the mask when there is one. */
  readonly size: number;
  readonly hasMask: boolean;
  readonly isMaskable: boolean;
  readonly needs: Prerequisite;
  /** It makes the match one of Ethernet packets. */
  readonly saysEthernet: boolean;
}

interface KeyAndMask {
  readonly key: PipelineKey;
  readonly mask: PipelineKey;
}

/** Their values are not all valid, or say more than their own bits. */
const special: ReadonlySet<string> = new Set([
  ...['vlan_vid', 'vlan_pcp', 'ct_state', 'nw_tos', 'arp_op', 'in_port', 'tun_flags'],
  ...['tun_erspan_ver', 'tun_erspan_dir', 'tun_erspan_hwid', 'tun_gtpu_flags', 'tun_gtpu_msgtype'],
]);
const saysNothing: ReadonlySet<Prerequisite> = new Set(['none', 'ct', 'vlan']);
const EXPERIMENTER_CLASS = 0xffff;

/** By the four bytes of the header: class, number, mask bit, length. */
const byHeader = new Map<number, PlainEntry>();

const places = new Map<OfFieldSpec, KeyField>();

/** Where a plain field lies in the key; undefined for a field that is not plain. */
export const plainPlace = (field: OfFieldSpec): KeyField | undefined => places.get(field);

function add(field: OfFieldSpec): void {
  const place = placeOfWhole(field);
  if (place?.order !== 'be' || special.has(field.name) || field.notation === 'port11') return;
  places.set(field, place);
  const { offset, size } = place;
  const needs = field.needs === 'vlan' ? 'ethernet' : field.needs;
  for (const header of field.headers) {
    if (header.class === EXPERIMENTER_CLASS) continue;
    for (const hasMask of [false, true]) {
      const length = hasMask ? 2 * size : size;
      const word = ((header.class << 16) | (header.number << 9) | (Number(hasMask) << 8) | length) >>> 0;
      const saysEthernet = !saysNothing.has(field.needs);
      byHeader.set(word, { offset, size, hasMask, isMaskable: field.isMaskable, needs, saysEthernet });
    }
  }
}

for (const field of ofFields) add(field);

/** The entry that begins with these four bytes; undefined when it is not plain. */
export const plainEntry = (header: number): PlainEntry | undefined => byHeader.get(header);

/** Whether value and mask are as they must be. */
function isGood({ size, isMaskable }: PlainEntry, bytes: Uint8Array, valueAt: number): boolean {
  let [isWhole, isNone] = [true, true];
  for (let i = 0; i < size; i++) {
    const bits = bytes[valueAt + size + i]!;
    if ((bytes[valueAt + i]! & ~bits) !== 0) return false;
    if (bits !== 0xff) isWhole = false;
    if (bits !== 0) isNone = false;
  }
  return isWhole || isMaskable || isNone;
}

/** Takes an entry in; false when it is not for this function. @param valueAt where its value begins; the bytes are all there */
export function takePlain(match: KeyAndMask, entry: PlainEntry, bytes: Uint8Array, valueAt: number): boolean {
  const { offset, size, hasMask } = entry;
  const [key, mask] = [match.key.bytes, match.mask.bytes];
  for (let i = offset; i < offset + size; i++) if (mask[i] !== 0) return false;
  if (hasMask && !isGood(entry, bytes, valueAt)) return false;
  if (entry.saysEthernet && match.mask.isZero(KEY.packet_type)) match.mask.setAllOnes(KEY.packet_type);
  if (entry.needs !== 'none' && !meetsPrerequisite(match, entry.needs)) return false;
  for (let i = 0; i < size; i++) {
    key[offset + i] = bytes[valueAt + i]!;
    mask[offset + i] = hasMask ? bytes[valueAt + size + i]! : 0xff;
  }
  return true;
}
