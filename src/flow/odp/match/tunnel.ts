/**
 * tunnel: the outer headers that were taken off, or, in a set action, those to put on. As in Open vSwitch's text a field
 * that is zero is not written, and tun_id says by being there that there is a key.
 */
import { KEY, type Match } from '../../key.ts';
import { formatFlags, parseFlags, tunnelFlagSet } from '../flags.ts';
import { formatGeneveOptions, parseGeneveOptions } from '../geneve.ts';
import { decimal, decimalHexMask, hex, hexPrefixed, ipv4, ipv6, ones } from '../number.ts';
import { formatMasked, formatRow, type Masked, parseRows, putMasked, type Row } from '../row.ts';
import type { Scanner } from '../scanner.ts';
import { readSlot, slot, writeSlot } from '../slot.ts';
import type { Attribute } from './attribute.ts';

const idSlot = slot('tun_id');
const ttlSlot = slot('tun_ttl');
const flagsSlot = slot('tun_flags', 0, 4);
const keyFlag = slot('tun_flags', 3, 1);
const optsLenSlot = slot('tun_opts_len');

const idRow: Row = { name: 'tun_id', slot: idSlot, notation: hexPrefixed };
const ttlRow: Row = { name: 'ttl', slot: ttlSlot, notation: decimalHexMask };
const rows: readonly Row[] = [
  { name: 'src', slot: slot('tun_src'), notation: ipv4, hidesZero: true },
  { name: 'dst', slot: slot('tun_dst'), notation: ipv4, hidesZero: true },
  { name: 'ipv6_src', slot: slot('tun_ipv6_src'), notation: ipv6, hidesZero: true },
  { name: 'ipv6_dst', slot: slot('tun_ipv6_dst'), notation: ipv6, hidesZero: true },
  { name: 'tos', slot: slot('tun_tos'), notation: hex, hidesZero: true },
  ttlRow,
  { name: 'tp_src', slot: slot('tun_tp_src'), notation: decimal, hidesZero: true },
  { name: 'tp_dst', slot: slot('tun_tp_dst'), notation: decimal, hidesZero: true },
];
const gbpRows: readonly Row[] = [
  { name: 'id', slot: slot('tun_gbp_id'), notation: decimal, hidesZero: true },
  { name: 'flags', slot: slot('tun_gbp_flags'), notation: hex, hidesZero: true },
];

function parseVxlan(s: Scanner, target: Masked): void {
  s.expect('(gbp(');
  parseRows(s, gbpRows, target);
  s.expect(')');
}

function parseGeneve(s: Scanner, target: Masked): void {
  s.expect('(');
  const { value, mask } = parseGeneveOptions(s);
  s.expect(')');
  if (s.failed) return;
  putMasked(target, optsLenSlot, BigInt(value.length), ones(8));
  target.key.setBytes(KEY.tun_opts, value);
  target.mask.setBytes(KEY.tun_opts, mask);
}

function parseTunnelFlags(s: Scanner, target: Masked): void {
  s.expect('(');
  const { value, mask } = parseFlags(s, tunnelFlagSet);
  s.expect(')');
  if (!s.failed) putMasked(target, flagsSlot, value, mask);
}

const specials: Readonly<Record<string, (s: Scanner, target: Masked) => void>> = {
  vxlan: parseVxlan,
  geneve: parseGeneve,
  flags: parseTunnelFlags,
};

export function parseTunnel(s: Scanner, target: Masked): void {
  let hasId = false;
  parseRows(s, [idRow, ...rows], target, (scanner, word) => {
    hasId ||= word === 'tun_id';
    specials[word]?.(scanner, target);
    return word in specials;
  });
  if (!hasId) return;
  writeSlot(target.key, keyFlag, 1n);
  writeSlot(target.mask, keyFlag, 1n);
}

function formatId(from: Masked): string | null {
  const mask = readSlot(from.mask, idSlot);
  if (mask === 0n || readSlot(from.key, keyFlag) === 0n) return null;
  return `tun_id=${formatMasked(hexPrefixed, readSlot(from.key, idSlot), mask, 64)}`;
}

function formatOptions(from: Masked): string | null {
  if (readSlot(from.mask, optsLenSlot) === 0n) return null;
  const length = Number(readSlot(from.key, optsLenSlot));
  const cut = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, length);
  return `geneve(${formatGeneveOptions(cut(from.key.at(KEY.tun_opts)), cut(from.mask.at(KEY.tun_opts)))})`;
}

function formatTunnelFlags(from: Masked): string | null {
  const mask = readSlot(from.mask, flagsSlot);
  return mask === 0n ? null : `flags(${formatFlags(tunnelFlagSet, readSlot(from.key, flagsSlot), mask, '')})`;
}

/** What stands between the parentheses. */
export function formatTunnel(from: Masked): string {
  const gbp = gbpRows.map((row) => formatRow(row, from)).filter((text) => text !== null);
  return [
    formatId(from),
    ...rows.map((row) => formatRow(row, from)),
    gbp.length > 0 ? `vxlan(gbp(${gbp.join(',')}))` : null,
    formatOptions(from),
    formatTunnelFlags(from),
  ]
    .filter((text) => text !== null)
    .join(',');
}

/** A packet that came through a tunnel has an outer destination. */
const isTunneled = (match: Match): boolean => !match.key.isZero(KEY.tun_dst) || !match.key.isZero(KEY.tun_ipv6_dst);

export const tunnelAttribute: Attribute = {
  name: 'tunnel',
  parse: parseTunnel,
  format: (match) => (isTunneled(match) ? `tunnel(${formatTunnel(match)})` : null),
};
