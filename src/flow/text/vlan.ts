/** dl_vlan, dl_vlan_pcp, vlan_vid, vlan_pcp, vlan_tci, and the same of the second tag with a 1 behind. */
import { VLAN_CFI } from '../../gen/key.ts';
import { KEY, type KeyFieldName } from '../key.ts';
import { hex4, ones } from '../odp/number.ts';
import type { Masked } from '../odp/row.ts';
import { parseNumber } from '../odp/scanner.ts';
import { slot } from '../odp/slot.ts';
import { addMasked, plain, type TextField } from './field.ts';
import { hexWord } from './notation.ts';

const VID = 0xfff;
const PCP = 0xe000;
/** Written value of dl_vlan that says that there is no tag (OpenFlow 1.0 §5.2.3, OFP_VLAN_NONE). */
const NO_VLAN = 0xffffn;

type Reader = (into: Masked, tci: KeyFieldName, value: bigint) => boolean;

const put = (into: Masked, tci: KeyFieldName, value: number, mask: number): boolean => {
  addMasked(into, slot(tci), BigInt(value), BigInt(mask));
  return true;
};

const readVlan: Reader = (into, tci, value) => {
  if (value === NO_VLAN) return put(into, tci, 0, VLAN_CFI | VID);
  return value <= BigInt(VID) && put(into, tci, VLAN_CFI | Number(value), VLAN_CFI | VID);
};

const readPcp: Reader = (into, tci, value) =>
  value <= 7n && put(into, tci, VLAN_CFI | (Number(value) << 13), VLAN_CFI | PCP);

/** What is read but written as one of the others. */
const readOnly = (names: readonly string[], parse: TextField['parse']): TextField => ({
  names,
  parse,
  format: () => null,
});

const oneNumber = (names: readonly string[], tci: KeyFieldName, read: Reader): TextField =>
  readOnly(names, (text, into) => {
    const value = parseNumber(text);
    return value !== null && read(into, tci, value);
  });

/** OXM's vlan_vid: thirteen bits, the highest of which says that there is a tag (OpenFlow 1.5 §7.2.3.8). */
const vlanVid = (name: string, tci: KeyFieldName): TextField => {
  const field = plain([name], slot(tci, 0, 13), hexWord);
  return readOnly([name], (text, into) => field.parse(text, into));
};

/** How the TCI is written: by its parts when they are whole, else as a number. */
function formatTci(from: Masked, tci: KeyFieldName, suffix: string): string | null {
  const mask = from.mask.get(KEY[tci]);
  if (mask === 0) return null;
  const value = from.key.get(KEY[tci]);
  const vid = mask & VID;
  const pcp = mask & PCP;
  const areWhole = (vid === 0 || vid === VID) && (pcp === 0 || pcp === PCP) && (vid | pcp) !== 0;
  if ((mask & value & VLAN_CFI) !== 0 && areWhole) {
    const parts = vid === 0 ? [] : [`dl_vlan${suffix}=${value & VID}`];
    if (pcp !== 0) parts.push(`dl_vlan_pcp${suffix}=${value >> 13}`);
    return parts.join(',');
  }
  const text = `vlan_tci${suffix}=${hex4.format(BigInt(value))}`;
  return BigInt(mask) === ones(16) ? text : `${text}/${hex4.format(BigInt(mask))}`;
}

const tag = (tci: KeyFieldName, suffix: string): readonly TextField[] => [
  { ...plain([`vlan_tci${suffix}`], slot(tci), hexWord), format: (from) => formatTci(from, tci, suffix) },
  oneNumber([`dl_vlan${suffix}`], tci, readVlan),
  oneNumber([`dl_vlan_pcp${suffix}`, `vlan_pcp${suffix}`], tci, readPcp),
  vlanVid(`vlan_vid${suffix}`, tci),
];

export const vlanFields: readonly TextField[] = [...tag('vlan_tci', ''), ...tag('vlan2_tci', '1')];
