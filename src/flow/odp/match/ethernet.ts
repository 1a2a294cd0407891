/**
 * eth, eth_type, vlan, encap. A tag is written as the Ethertype that announces it, the tag, and then, within encap(),
 * everything behind it. A flow without vlan() is one without a tag: the text cannot leave that open.
 */
import { ETH_TYPE_NONE, VLAN_CFI } from '../../../gen/key.ts';
import { KEY, type KeyFieldName, type Match } from '../../key.ts';
import { decimal, decimalBoth, hex4, mac, ones } from '../number.ts';
import { formatMasked, formatRows, parseMaskedValue, parseRows, putMasked, type Row, touches } from '../row.ts';
import { readSlot, slot, writeSlot } from '../slot.ts';
import type { Attribute, Draft } from './attribute.ts';

export const ethRows: readonly Row[] = [
  { name: 'src', slot: slot('eth_src'), notation: mac },
  { name: 'dst', slot: slot('eth_dst'), notation: mac },
];

/** An empty eth() says that the packet is Ethernet where packet_type() does not. */
export const ethAttribute: Attribute = {
  name: 'eth',
  parse: (s, draft) => parseRows(s, ethRows, draft),
  format: (match) =>
    touches(ethRows, match.mask) || match.mask.isZero(KEY.packet_type)
      ? `eth(${formatRows(ethRows, match).join(',')})`
      : null,
};

export const ethTypeAttribute: Attribute = {
  name: 'eth_type',
  parse(s, draft) {
    draft.ethTypes[draft.depth] = parseMaskedValue(s, hex4, 16);
    s.expect(')');
  },
  format(match) {
    const mask = match.mask.get(KEY.eth_type);
    if (mask === 0) return null;
    const value = match.key.get(KEY.eth_type);
    if (value === ETH_TYPE_NONE && mask === 0xffff) return 'eth_type(0/0xffff)';
    return `eth_type(${formatMasked(hex4, BigInt(value), BigInt(mask), 16)})`;
  },
};

interface Tag {
  readonly tpid: KeyFieldName;
  readonly tci: KeyFieldName;
  readonly rows: readonly Row[];
}

const tag = (tpid: KeyFieldName, tci: KeyFieldName): Tag => ({
  tpid,
  tci,
  rows: [
    { name: 'vid', slot: slot(tci, 0, 12), notation: decimal },
    { name: 'pcp', slot: slot(tci, 13, 3), notation: decimal },
    { name: 'cfi', slot: slot(tci, 12, 1), notation: decimalBoth },
  ],
});

/** By depth, the outermost first. */
export const tags: readonly Tag[] = [tag('vlan_tpid', 'vlan_tci'), tag('vlan2_tpid', 'vlan2_tci')];

export const vlanAttribute: Attribute = {
  name: 'vlan',
  parse(s, draft) {
    const place = tags[draft.depth];
    const start = s.at;
    if (!place) {
      s.fail(`more than ${tags.length} VLAN tags`);
      return;
    }
    parseRows(s, place.rows, draft);
    const present = slot(place.tci, 12, 1);
    if (readSlot(draft.mask, present) !== 0n && readSlot(draft.key, present) === 0n)
      s.fail('a VLAN tag without its presence bit (cfi=0)', start);
    putMasked(draft, present, 1n, 1n);
    draft.tags[draft.depth] = true;
  },
  format: () => null,
};

/** Whether a match says that there is a tag at this depth. */
export const hasTag = (match: Match, depth: number): boolean => (match.key.get(KEY[tags[depth]!.tci]) & VLAN_CFI) !== 0;

/** `eth_type(0x8100),vlan(vid=5,pcp=3)` */
export function formatTag(match: Match, depth: number): string {
  const { tpid, rows } = tags[depth]!;
  const parts = formatRows(rows.slice(0, 2), match);
  const value = BigInt(match.key.get(KEY[tpid]));
  return `eth_type(${hex4.format(value === 0n ? 0x8100n : value)}),vlan(${parts.join(',')})`;
}

const isTpid = (value: bigint): boolean => value === 0x8100n || value === 0x88a8n;

/** Puts the Ethertypes where they belong, now that the tags are known. Null, or what is wrong. */
export function settleEthTypes(draft: Draft): string | null {
  const depth = draft.tags.findIndex((isTagged) => !isTagged);
  const tagCount = depth < 0 ? draft.tags.length : depth;
  for (let i = 0; i < tagCount; i++) {
    const announced = draft.ethTypes[i];
    if (!announced || !isTpid(announced.value)) return 'vlan() needs eth_type(0x8100) or eth_type(0x88a8) before it';
    putMasked(draft, slot(tags[i]!.tpid), announced.value, ones(16));
  }
  const absent = tags[tagCount];
  // Absence of a tag is all of its TCI being zero.
  if (absent) writeSlot(draft.mask, slot(absent.tci), 0xffffn);
  const inner = draft.ethTypes[tagCount];
  if (inner) {
    const isNone = inner.mask === 0xffffn && inner.value < 0x0600n;
    putMasked(draft, slot('eth_type'), isNone ? BigInt(ETH_TYPE_NONE) : inner.value, inner.mask);
  }
  return null;
}
