/** Random matches and actions for the tests of the text forms, from a seed. */

import { FlowKey, KEY, type KeyFieldName, type Match } from '../../../src/flow/key.ts';
import { datapathMatch } from '../../../src/flow/match.ts';
import type { DpAction, SetField, SetTarget } from '../../../src/flow/odp/action.ts';
import { bytesToBig, ones } from '../../../src/flow/odp/number.ts';
import { type Masked, putMasked } from '../../../src/flow/odp/row.ts';
import { slot } from '../../../src/flow/odp/slot.ts';
import { putU16, putU32 } from '../../../src/lib/bytes.ts';
import type { Random } from '../../../src/lib/random.ts';

export interface Taste {
  /** Only what Open vSwitch 3.1 can read back: whole prerequisites, no field that it does not parse. */
  readonly forReference: boolean;
}

const bigOf = (random: Random, bits: number): bigint => bytesToBig(random.bytes(Math.ceil(bits / 8))) & ones(bits);

function maskOf(random: Random, bits: number): bigint {
  const style = random.below(6);
  if (style < 3) return ones(bits);
  if (style === 3) return 0n;
  if (style === 4) return ones(bits) ^ ones(random.below(bits));
  return bigOf(random, bits);
}

interface Place {
  readonly name: KeyFieldName;
  readonly shift?: number;
  readonly width?: number;
}

function put(random: Random, into: Masked, { name, shift, width }: Place, mask?: bigint, value?: bigint): void {
  const place = slot(name, shift, width);
  putMasked(into, place, value ?? bigOf(random, place.width), mask ?? maskOf(random, place.width));
}

const putAll = (random: Random, into: Masked, names: readonly KeyFieldName[]): void => {
  for (const name of names) put(random, into, { name });
};

/** Not zero even where its mask cuts it, as the text hides zeros there. */
function putNonZero(random: Random, into: Masked, name: KeyFieldName): void {
  const place = slot(name);
  const mask = maskOf(random, place.width);
  if (mask === 0n) return;
  putMasked(into, place, bigOf(random, place.width) | (mask & -mask), mask);
}

function putOptions(random: Random, into: Masked): void {
  const value: number[] = [];
  const mask: number[] = [];
  for (let i = 0; i <= random.below(3); i++) {
    const words = random.below(4);
    value.push(...random.bytes(3), words, ...random.bytes(4 * words));
    mask.push(0xff, 0xff, 0xff, 0x1f);
    for (let j = 0; j < 4 * words; j++) mask.push(random.chance(0.7) ? 0xff : random.below(255) + 1);
  }
  into.key.setBytes(
    KEY.tun_opts,
    Uint8Array.from(value, (byte, i) => byte & mask[i]!),
  );
  into.mask.setBytes(KEY.tun_opts, Uint8Array.from(mask));
  put(random, into, { name: 'tun_opts_len' }, 0xffn, BigInt(value.length));
}

function putTunnel(random: Random, into: Masked, { forReference }: Taste): void {
  const isV6 = random.chance(0.4);
  const dst: KeyFieldName = isV6 ? 'tun_ipv6_dst' : 'tun_dst';
  const bits = isV6 ? 128 : 32;
  put(random, into, { name: dst }, ones(bits), bigOf(random, bits) | 1n);
  putNonZero(random, into, isV6 ? 'tun_ipv6_src' : 'tun_src');
  for (const name of ['tun_tos', 'tun_tp_src', 'tun_tp_dst'] as const) putNonZero(random, into, name);
  put(random, into, { name: 'tun_ttl' }, forReference ? 0xffn : undefined);
  const hasKey = random.chance(0.8);
  if (hasKey) put(random, into, { name: 'tun_id' }, random.chance(0.5) ? ones(64) : bigOf(random, 64) | 1n);
  put(random, into, { name: 'tun_flags', width: 3 });
  if (hasKey) put(random, into, { name: 'tun_flags', shift: 3, width: 1 }, 1n, 1n);
  const extra = random.below(5);
  if (extra === 0) putOptions(random, into);
  if (extra === 1) putNonZero(random, into, 'tun_gbp_id');
}

function putConntrack(random: Random, into: Masked, ethType: number, { forReference }: Taste): void {
  putAll(random, into, ['ct_state', 'ct_zone', 'ct_mark', 'ct_label']);
  if (ethType !== 0x0800 && ethType !== 0x86dd) return;
  const addresses: KeyFieldName[] = ethType === 0x0800 ? ['ct_nw_src', 'ct_nw_dst'] : ['ct_ipv6_src', 'ct_ipv6_dst'];
  putAll(random, into, addresses);
  // The reference writes the ports of ct_tuple6 in words that it does not read.
  if (ethType === 0x0800 || !forReference) putAll(random, into, ['ct_tp_src', 'ct_tp_dst']);
  put(random, into, { name: 'ct_nw_proto' }, 0xffn, BigInt(random.below(255) + 1));
}

const PROTOCOLS = [1, 2, 6, 17, 58, 132, 47];

/** The part that is on every line for the reference: some bit of the attribute has to count, or it is left out. */
function putTransport(random: Random, into: Masked, protocol: number, ethType: number, { forReference }: Taste): void {
  const isIcmp = protocol === (ethType === 0x0800 ? 1 : 58);
  if (isIcmp) {
    // Open vSwitch keeps these fields and the original tuple's IPv6 addresses in the same place.
    const hasTuple = !into.mask.isZero(KEY.ct_nw_proto);
    const isNd = protocol === 58 && !hasTuple && random.chance(0.5);
    const type = isNd ? 135 + random.below(2) : random.below(128);
    put(random, into, { name: 'tp_src', width: 8 }, 0xffn, BigInt(type));
    put(random, into, { name: 'tp_dst', width: 8 }, isNd && forReference ? 0xffn : undefined, isNd ? 0n : undefined);
    if (!isNd) return;
    put(random, into, { name: 'nd_target' }, ones(128));
    putAll(random, into, ['arp_sha', 'arp_tha']);
    if (!forReference) putAll(random, into, ['nd_reserved', 'nd_options_type']);
    return;
  }
  if (protocol !== 6 && protocol !== 17 && protocol !== 132) return;
  put(random, into, { name: 'tp_src' }, forReference ? 0xffffn : undefined);
  put(random, into, { name: 'tp_dst' });
  if (protocol === 6 && random.chance(0.5)) put(random, into, { name: 'tcp_flags', width: 12 });
}

function putIp(random: Random, into: Masked, ethType: number, taste: Taste): void {
  putAll(random, into, ethType === 0x0800 ? ['ipv4_src', 'ipv4_dst'] : ['ipv6_src', 'ipv6_dst']);
  putAll(random, into, ['nw_tos', 'nw_ttl']);
  if (ethType === 0x86dd) put(random, into, { name: 'ipv6_label', width: 20 });
  const protocol = random.pick(PROTOCOLS);
  const frag = random.pick([0n, 0n, 0n, 1n, 3n]);
  put(random, into, { name: 'nw_frag', width: 2 }, 3n, frag);
  const isKnown = random.chance(0.8);
  put(random, into, { name: 'nw_proto' }, isKnown ? 0xffn : 0n, BigInt(protocol));
  if (isKnown && frag !== 3n) putTransport(random, into, protocol, ethType, taste);
}

function putMpls(random: Random, into: Masked): void {
  const count = 1 + random.below(3);
  (['mpls_lse0', 'mpls_lse1', 'mpls_lse2'] as const).slice(0, count).forEach((name, i) => {
    put(random, into, { name });
    put(random, into, { name, shift: 8, width: 1 }, 1n, i === count - 1 ? 1n : 0n);
  });
}

const NSH: readonly KeyFieldName[] = [
  'nsh_flags',
  'nsh_ttl',
  'nsh_np',
  'nsh_path',
  'nsh_c1',
  'nsh_c2',
  'nsh_c3',
  'nsh_c4',
];

function putNetwork(random: Random, into: Masked, ethType: number, taste: Taste): void {
  if (ethType === 0x0800 || ethType === 0x86dd) putIp(random, into, ethType, taste);
  if (ethType === 0x0806) {
    putAll(random, into, ['ipv4_src', 'ipv4_dst', 'arp_sha', 'arp_tha']);
    put(random, into, { name: 'nw_proto' }, 0xffn, BigInt(1 + random.below(2)));
  }
  if (ethType === 0x8847) putMpls(random, into);
  if (ethType === 0x894f) putAll(random, into, NSH);
}

function putTags(random: Random, into: Masked, key: FlowKey): void {
  const tags = [
    ['vlan_tpid', 'vlan_tci'],
    ['vlan2_tpid', 'vlan2_tci'],
  ] as const;
  for (const [tpid, tci] of tags.slice(0, Math.max(0, random.below(4) - 1))) {
    key.set(KEY[tpid], random.pick([0x8100, 0x88a8]));
    key.set(KEY[tci], random.below(0x10000) | 0x1000);
    put(random, into, { name: tci, width: 12 }, undefined, BigInt(key.get(KEY[tci]) & 0xfff));
    put(random, into, { name: tci, shift: 13 }, undefined, BigInt(key.get(KEY[tci]) >> 13));
  }
}

/** A megaflow's match, as the datapath's text form can say it. @param recircId what makes it different from others */
export function randomMatch(random: Random, taste: Taste, recircId: number = random.u32()): Match {
  const into: Masked = { key: new FlowKey(), mask: new FlowKey() };
  const tags = new FlowKey();
  const types = [0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8847, 0x88b5];
  const ethType = random.pick(taste.forReference ? types : [...types, 0x894f, 0x05ff]);
  into.key.set(KEY.recirc_id, recircId).set(KEY.in_port, random.below(300));
  putAll(random, into, ['eth_src', 'eth_dst']);
  put(random, into, { name: 'eth_type' }, 0xffffn, BigInt(ethType));
  if (random.chance(0.3)) {
    into.mask.setAllOnes(KEY.packet_type);
    // The reference leaves an empty eth() out behind packet_type(), and then reads another packet type.
    if (taste.forReference) put(random, into, { name: 'eth_src' }, ones(48));
  }
  if (random.chance(0.3)) putAll(random, into, ['skb_priority', 'pkt_mark', 'dp_hash']);
  if (random.chance(0.3)) putTunnel(random, into, taste);
  if (random.chance(0.3)) putConntrack(random, into, ethType, taste);
  putTags(random, into, tags);
  putNetwork(random, into, ethType, taste);
  for (const name of ['vlan_tpid', 'vlan_tci', 'vlan2_tpid', 'vlan2_tci'] as const) {
    into.key.set(KEY[name], tags.get(KEY[name]));
  }
  return datapathMatch(into.key, into.mask);
}

const targets: readonly (readonly [SetTarget, readonly KeyFieldName[]])[] = [
  ['eth', ['eth_src', 'eth_dst']],
  ['ipv4', ['ipv4_src', 'ipv4_dst', 'nw_tos', 'nw_ttl']],
  ['ipv6', ['ipv6_src', 'ipv6_dst', 'nw_tos', 'nw_ttl']],
  ['tcp', ['tp_src', 'tp_dst']],
  ['udp', ['tp_src', 'tp_dst']],
  ['sctp', ['tp_src', 'tp_dst']],
  ['arp', ['ipv4_src', 'ipv4_dst', 'nw_proto', 'arp_sha', 'arp_tha']],
  ['nd', ['arp_sha', 'arp_tha', 'nd_target']],
  ['skb_priority', ['skb_priority']],
  ['skb_mark', ['pkt_mark']],
];

function randomField(random: Random, name: KeyFieldName): SetField {
  const size = KEY[name].size;
  if (random.chance(0.6)) return { field: name, value: random.bytes(size), mask: null };
  const mask = random.bytes(size);
  mask[0]! |= 2;
  mask[size - 1]! &= 0xfe;
  return { field: name, value: random.bytes(size).map((byte, i) => byte & mask[i]!), mask };
}

/** Fields stand in the order of the key, as the parser gives them. */
function randomSet(random: Random): DpAction {
  const [target, names] = random.pick(targets);
  const chosen = names.filter(() => random.chance(0.6));
  const inOrder = (chosen.length === 0 ? [names[0]!] : chosen).toSorted((a, b) => KEY[a].offset - KEY[b].offset);
  return { type: 'set', target, fields: inOrder.map((name) => randomField(random, name)) };
}

function outerHeader(random: Random, protocol: number, etherSize: number): Uint8Array {
  const isV6 = random.chance(0.4);
  const bytes = new Uint8Array(etherSize + (isV6 ? 40 : 20));
  bytes.set(random.bytes(12));
  putU16(bytes, 12, isV6 ? 0x86dd : 0x0800);
  const ip = bytes.subarray(etherSize);
  if (isV6) {
    putU32(ip, 0, (0x60000000 | (random.below(256) << 20)) >>> 0);
    ip[6] = protocol;
    ip[7] = 64;
    ip.set(random.bytes(32), 8);
  } else {
    ip[0] = 0x45;
    ip[1] = random.below(256);
    putU16(ip, 6, 0x4000);
    ip[8] = 64;
    ip[9] = protocol;
    ip.set(random.bytes(8), 12);
  }
  return bytes;
}

function tunnelBytes(random: Random, type: 'vxlan' | 'geneve' | 'gre'): number[] {
  if (type === 'gre') {
    const flags = random.pick([0, 0x2000, 0xa000, 0xb000]);
    const words = [0x8000, 0x2000, 0x1000].filter((bit) => (flags & bit) !== 0);
    return [
      flags >> 8,
      0,
      0x65,
      0x58,
      ...words.flatMap((bit) => (bit === 0x8000 ? [0, 0, 0, 0] : [...random.bytes(4)])),
    ];
  }
  const udp = [
    0,
    0,
    0x12,
    random.below(256),
    0,
    0,
    ...random.pick([
      [0, 0],
      [0xff, 0xff],
    ]),
  ];
  if (type === 'vxlan') return [...udp, 8, 0, 0, 0, ...random.bytes(3), 0];
  const option = random.chance(0.5) ? [...random.bytes(3), 1, ...random.bytes(4)] : [];
  return [...udp, option.length / 4, random.pick([0, 0x80, 0x40, 0xc0]), 0x65, 0x58, ...random.bytes(3), 0, ...option];
}

function randomPush(random: Random): DpAction {
  const type = random.pick(['vxlan', 'geneve', 'gre'] as const);
  const outer = outerHeader(random, type === 'gre' ? 47 : 17, 14);
  const bytes = Uint8Array.from([...outer, ...tunnelBytes(random, type)]);
  return {
    type: 'tnl_push',
    tunnelPort: random.below(300),
    outPort: random.below(300),
    header: { type, bytes, l3Offset: 14 },
  };
}

type Maker = (random: Random, taste: Taste, depth: number) => DpAction;

const leaves: readonly Maker[] = [
  (r) => ({ type: 'output', port: r.below(400) }),
  (r) => ({ type: 'output', port: r.below(400) }),
  (r) => ({ type: 'trunc', maxLen: 14 + r.below(2000) }),
  (r) => ({
    type: 'userspace',
    reason: 'action',
    pid: r.u32(),
    userdata: Uint8Array.from([0xee, ...r.bytes(8 + r.below(20))]),
    tunnelOutPort: r.chance(0.3) ? r.below(400) : null,
    withActions: r.chance(0.3),
  }),
  (r) => ({ type: 'push_vlan', tpid: r.pick([0x8100, 0x88a8]), tci: r.below(0x10000) | 0x1000 }),
  () => ({ type: 'pop_vlan' }),
  randomSet,
  randomSet,
  randomSet,
  randomPush,
  (r) => ({ type: 'tnl_pop', port: r.below(400) }),
  (r) => ({ type: 'meter', id: r.u32() }),
  (r) => ({
    type: 'push_nsh',
    flags: r.below(2),
    ttl: r.below(64),
    mdtype: 1,
    np: 1 + r.below(4),
    path: r.u32(),
    metadata: r.bytes(16),
  }),
  () => ({ type: 'pop_nsh' }),
  () => ({ type: 'ct_clear' }),
  (r) => ({ type: 'ct', commit: r.chance(0.5), zone: r.below(0x10000), text: r.pick(['', 'nat', 'mark=0x5/0xff']) }),
];

/** What Open vSwitch 3.1 prints but does not read. */
const unread: readonly Maker[] = [
  (r) => ({ type: 'push_mpls', lse: r.u32(), ethType: r.pick([0x8847, 0x8848]) }),
  (r) => ({ type: 'pop_mpls', ethType: r.below(0x10000) }),
  (r) => ({ type: 'push_eth', src: r.bytes(6), dst: r.bytes(6) }),
  () => ({ type: 'pop_eth' }),
  (r) => ({ type: 'hash', algorithm: r.pick(['l4', 'sym_l4'] as const), basis: r.u32() }),
  (r) => ({ type: 'recirc', id: r.u32() }),
];

const branches: readonly Maker[] = [
  (r, taste, depth) => ({ type: 'clone', actions: randomActions(r, taste, depth + 1) }),
  (r, taste, depth) => ({
    type: 'sample',
    probability: Math.floor((r.below(1000) / 1000) * 0xffffffff + 0.5),
    actions: randomActions(r, taste, depth + 1),
  }),
  (r, taste, depth) => ({
    type: 'check_pkt_len',
    maxLen: r.below(0x10000),
    greater: randomActions(r, taste, depth + 1),
    lessEqual: randomActions(r, taste, depth + 1),
  }),
];

/** At least one action; lists nest three deep at most. */
export function randomActions(random: Random, taste: Taste, depth = 0): DpAction[] {
  const makers = [...leaves, ...(taste.forReference ? [] : unread), ...(depth < 3 ? branches : [])];
  return Array.from({ length: 1 + random.below(4) }, () => random.pick(makers)(random, taste, depth));
}
