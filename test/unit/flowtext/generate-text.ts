/** Random matches of OpenFlow flow text, from a seed. */
import { FlowKey, KEY, type KeyFieldName, type Match, maskedMatch } from '../../../src/flow/key.ts';
import { bytesToBig, ones } from '../../../src/flow/odp/number.ts';
import { type Masked, putMasked } from '../../../src/flow/odp/row.ts';
import { slot } from '../../../src/flow/odp/slot.ts';
import type { Random } from '../../../src/lib/random.ts';

type Place = readonly [name: KeyFieldName, shift: number, width: number, isMaskable: boolean];

const field = (name: KeyFieldName, width: number, isMaskable = false, shift = 0): Place => [
  name,
  shift,
  width,
  isMaskable,
];

const common: readonly Place[] = [
  field('eth_src', 48, true),
  field('eth_dst', 48, true),
  field('pkt_mark', 32, true),
  field('tun_id', 64, true),
  field('ct_zone', 16),
  field('ct_mark', 32, true),
  field('ct_label', 128, true),
];
const ip: readonly Place[] = [field('nw_tos', 6, false, 2), field('nw_tos', 2), field('nw_ttl', 8)];
const ipv4: readonly Place[] = [field('ipv4_src', 32, true), field('ipv4_dst', 32, true), ...ip];
const ipv6: readonly Place[] = [
  field('ipv6_src', 128, true),
  field('ipv6_dst', 128, true),
  field('ipv6_label', 20, true),
  ...ip,
];
const arp: readonly Place[] = [
  field('ipv4_src', 32, true),
  field('ipv4_dst', 32, true),
  field('arp_sha', 48, true),
  field('arp_tha', 48, true),
];
const mpls: readonly Place[] = [
  field('mpls_lse0', 20, false, 12),
  field('mpls_lse0', 3, false, 9),
  field('mpls_lse0', 8),
  field('mpls_lse0', 1, false, 8),
];
const ports: readonly Place[] = [field('tp_src', 16, true), field('tp_dst', 16, true)];

const transports: readonly (readonly [protocol: number, places: readonly Place[]])[] = [
  [6, [...ports, field('tcp_flags', 12, true)]],
  [17, ports],
  [132, ports],
  [47, []],
];

function put(random: Random, into: Masked, [name, shift, width, isMaskable]: Place): void {
  if (random.chance(0.5)) return;
  const random128 = bytesToBig(random.bytes(16));
  const style = isMaskable ? random.below(4) : 0;
  const prefix = ones(width) ^ ones(random.below(width));
  // ovs-ofctl does not read an IPv6 address and a mask that are both written out.
  const isPrefix = style === 2 || name.startsWith('ipv6_s') || name.startsWith('ipv6_d');
  const mask = style < 2 ? ones(width) : isPrefix ? prefix : random128 & ones(width);
  putMasked(into, slot(name, shift, width), bytesToBig(random.bytes(16)), mask);
}

const putType = (into: Masked, ethType: number): void => putMasked(into, slot('eth_type'), BigInt(ethType), 0xffffn);

function putIp(random: Random, into: Masked, ethType: number): void {
  for (const place of ethType === 0x0800 ? ipv4 : ipv6) put(random, into, place);
  if (random.chance(0.3)) {
    const [value, mask] = random.pick([
      [0n, 3n],
      [1n, 1n],
      [1n, 3n],
      [3n, 3n],
      [0n, 2n],
    ] as const);
    putMasked(into, slot('nw_frag', 0, 2), value, mask);
  }
  // A later fragment has no ports.
  if (random.chance(0.3) || (into.key.get(KEY.nw_frag) & 2) !== 0) return;
  const [protocol, places] = random.pick(transports);
  putMasked(into, slot('nw_proto'), BigInt(protocol), 0xffn);
  for (const place of places) put(random, into, place);
}

function putTag(random: Random, into: Masked): void {
  const shape = random.below(5);
  if (shape === 0) putMasked(into, slot('vlan_tci', 0, 13), 0n, 0x1fffn);
  if (shape > 2) putMasked(into, slot('vlan_tci', 12, 1), 1n, 1n);
  if (shape === 3) putMasked(into, slot('vlan_tci', 0, 12), BigInt(random.below(4096)), 0xfffn);
  if (shape === 4) putMasked(into, slot('vlan_tci', 13, 3), BigInt(random.below(8)), 7n);
}

/** A match as OpenFlow can say it, and its OpenFlow port. */
export function randomFlowText(random: Random): { match: Match; inPort: number } {
  const into: Masked = { key: new FlowKey(), mask: new FlowKey() };
  for (const place of common) put(random, into, place);
  putTag(random, into);
  const ethType = random.pick([0x0800, 0x86dd, 0x0806, 0x8847, 0x88b5]);
  putType(into, ethType);
  if (ethType === 0x0800 || ethType === 0x86dd) putIp(random, into, ethType);
  if (ethType === 0x0806) for (const place of arp) put(random, into, place);
  if (ethType === 0x8847) for (const place of mpls) put(random, into, place);
  return { match: maskedMatch(into.key, into.mask), inPort: random.pick([1, 2, 300, 0xfffe]) };
}
