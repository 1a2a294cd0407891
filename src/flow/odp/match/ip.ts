/** ipv4, ipv6, arp: the network layer. */
import { KEY, type Match } from '../../key.ts';
import { decimal, hex, ipv4, ipv6, mac } from '../number.ts';
import { formatRows, parseRows, putMasked, type Row, touches } from '../row.ts';
import type { Scanner } from '../scanner.ts';
import { slot } from '../slot.ts';
import type { Attribute, Draft } from './attribute.ts';
import { group } from './group.ts';
import { needsEthType } from './prerequisites.ts';

export const ipv4Rows: readonly Row[] = [
  { name: 'src', slot: slot('ipv4_src'), notation: ipv4 },
  { name: 'dst', slot: slot('ipv4_dst'), notation: ipv4 },
  { name: 'proto', slot: slot('nw_proto'), notation: decimal },
  { name: 'tos', slot: slot('nw_tos'), notation: hex },
  { name: 'ttl', slot: slot('nw_ttl'), notation: decimal },
];

export const ipv6Rows: readonly Row[] = [
  { name: 'src', slot: slot('ipv6_src'), notation: ipv6 },
  { name: 'dst', slot: slot('ipv6_dst'), notation: ipv6 },
  { name: 'label', slot: slot('ipv6_label', 0, 20), notation: hex },
  { name: 'proto', slot: slot('nw_proto'), notation: decimal },
  { name: 'tclass', slot: slot('nw_tos'), notation: hex },
  { name: 'hlimit', slot: slot('nw_ttl'), notation: decimal },
];

export const arpRows: readonly Row[] = [
  { name: 'sip', slot: slot('ipv4_src'), notation: ipv4 },
  { name: 'tip', slot: slot('ipv4_dst'), notation: ipv4 },
  { name: 'op', slot: slot('nw_proto'), notation: decimal },
  { name: 'sha', slot: slot('arp_sha'), notation: mac },
  { name: 'tha', slot: slot('arp_tha'), notation: mac },
];

/** Value of nw_frag by its word. */
const fragments: Readonly<Record<string, bigint>> = { no: 0n, first: 1n, later: 3n };
export const fragmentSlot = slot('nw_frag', 0, 2);

export const parseFragment =
  (target: { key: Draft['key']; mask: Draft['mask'] }) =>
  (s: Scanner, word: string): boolean => {
    if (word !== 'frag') return false;
    s.expect('=');
    const start = s.at;
    const name = s.value();
    const value = fragments[name];
    if (value === undefined) s.fail(`unknown fragment type "${name}"`, start);
    else putMasked(target, fragmentSlot, value, 3n);
    return true;
  };

/** A partial mask shows only what it knows: a first or whole packet is `no` as soon as bit 0 is known to be 0. */
export function formatFragment(match: Match): string[] {
  const mask = match.mask.get(KEY.nw_frag) & 3;
  if (mask === 0) return [];
  const value = match.key.get(KEY.nw_frag) & 3;
  return [`frag=${value === 0 ? 'no' : value === 1 ? 'first' : 'later'}`];
}

const withFragment = (name: string, rows: readonly Row[], ethType: number): Attribute => ({
  name,
  parse: (s, draft) => parseRows(s, rows, draft, parseFragment(draft)),
  format: (match) =>
    touches(rows, match.mask) || match.mask.get(KEY.nw_frag) !== 0
      ? `${name}(${[...formatRows(rows, match), ...formatFragment(match)].join(',')})`
      : null,
  misfit: needsEthType(ethType),
});

export const ipv4Attribute = withFragment('ipv4', ipv4Rows, 0x0800);
export const ipv6Attribute = withFragment('ipv6', ipv6Rows, 0x86dd);
export const arpAttribute = group('arp', arpRows, needsEthType(0x0806, 0x8035));
