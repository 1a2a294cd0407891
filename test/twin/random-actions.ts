/** Random datapath actions for property tests: every kind, with every settable field. */
import { KEY, type KeyFieldName } from '../../src/flow/key.ts';
import type { DpAction, SetField, SetTarget, TunnelHeader, UpcallReason } from '../../src/flow/odp/action.ts';
import { concatBytes, putU16 } from '../../src/lib/bytes.ts';
import type { Random } from '../../src/lib/random.ts';

/** Key fields that each set action can set. */
export const settable: Readonly<Record<Exclude<SetTarget, 'tunnel'>, readonly KeyFieldName[]>> = {
  eth: ['eth_src', 'eth_dst'],
  ipv4: ['ipv4_src', 'ipv4_dst', 'nw_tos', 'nw_ttl'],
  ipv6: ['ipv6_src', 'ipv6_dst', 'ipv6_label', 'nw_tos', 'nw_ttl'],
  tcp: ['tp_src', 'tp_dst'],
  udp: ['tp_src', 'tp_dst'],
  sctp: ['tp_src', 'tp_dst'],
  icmp: ['tp_src', 'tp_dst'],
  icmpv6: ['tp_src', 'tp_dst'],
  arp: ['ipv4_src', 'ipv4_dst', 'nw_proto', 'arp_sha', 'arp_tha'],
  nd: ['nd_target', 'arp_sha', 'arp_tha'],
  nd_ext: ['nd_reserved', 'nd_options_type'],
  mpls: ['mpls_lse0'],
  nsh: ['nsh_flags', 'nsh_ttl', 'nsh_path', 'nsh_c1', 'nsh_c2', 'nsh_c3', 'nsh_c4'],
  skb_priority: ['skb_priority'],
  skb_mark: ['pkt_mark'],
};
const targets = Object.keys(settable) as (keyof typeof settable)[];

/** Bits of a field that exist: the rest of its bytes is always zero. */
function usableBits(target: SetTarget, field: KeyFieldName): Uint8Array {
  const bits = new Uint8Array(KEY[field].size).fill(0xff);
  if (target.startsWith('icmp')) bits[0] = 0;
  if (field === 'ipv6_label') bits.set([0, 0x0f]);
  if (field === 'nsh_flags') bits[0] = 3;
  if (field === 'nsh_ttl') bits[0] = 0x3f;
  return bits;
}

const and = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte & b[i]!);

export function randomSet(random: Random, target: keyof typeof settable): Extract<DpAction, { type: 'set' }> {
  const all = settable[target];
  const chosen = all.filter(() => random.chance(0.5));
  const fields = (chosen.length > 0 ? chosen : [random.pick(all)]).map((field): SetField => {
    const bits = usableBits(target, field);
    // ICMP types and codes are one byte on the wire: a whole mask is that of the byte
    const isWhole = bits.every((byte, i) => byte === 0xff || (target.startsWith('icmp') && i === 0));
    const random1 = and(random.bytes(bits.length), bits);
    if (random.chance(0.6) || random1.every((byte) => byte === 0)) {
      return { field, value: and(random.bytes(bits.length), bits), mask: isWhole ? null : bits };
    }
    // an ARP opcode is one byte in the key and two on the wire: only whole masks mean the same in both
    if (field === 'nw_proto') return { field, value: random.bytes(1), mask: null };
    if (random1.every((byte, i) => byte === 0xff || byte === bits[i])) {
      return { field, value: and(random.bytes(bits.length), bits), mask: isWhole ? null : bits };
    }
    return { field, value: and(random.bytes(bits.length), random1), mask: random1 };
  });
  return { type: 'set', target, fields };
}

/** Tunnel metadata; fields that are not zero, in the key's order. */
export function randomTunnelSet(random: Random): Extract<DpAction, { type: 'set' }> {
  const fields: SetField[] = [];
  const add = (field: KeyFieldName, value: Uint8Array): void => {
    if (value.some((byte) => byte !== 0)) fields.push({ field, value, mask: null });
  };
  add('tun_id', random.bytes(8));
  if (random.chance(0.5)) {
    add('tun_src', random.bytes(4));
    add('tun_dst', random.bytes(4));
  } else {
    add('tun_ipv6_src', random.bytes(16));
    add('tun_ipv6_dst', random.bytes(16));
  }
  add('tun_flags', Uint8Array.of(0, random.below(16)));
  add('tun_tos', random.bytes(1));
  add('tun_ttl', random.bytes(1));
  add('tun_tp_src', random.bytes(2));
  add('tun_tp_dst', random.bytes(2));
  if (random.chance(0.3)) add('tun_gbp_id', random.bytes(2));
  if (random.chance(0.3)) add('tun_gbp_flags', Uint8Array.of(0x48));
  const size = random.chance(0.4) ? 4 * random.below(64) : 0;
  if (size === 0) return { type: 'set', target: 'tunnel', fields };
  const options = new Uint8Array(KEY.tun_opts.size);
  options.set(random.bytes(size));
  add('tun_opts_len', Uint8Array.of(size));
  fields.push({ field: 'tun_opts', value: options, mask: null });
  return { type: 'set', target: 'tunnel', fields };
}

const be16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value);

function outerIp(random: Random, isV6: boolean, protocol: number): Uint8Array {
  if (isV6) {
    const head = Uint8Array.of(0x60, random.below(16) << 4, 0, 0, 0, 0, protocol, 64);
    return concatBytes(head, random.bytes(32));
  }
  const frag = random.chance(0.5) ? 0x40 : 0;
  const head = Uint8Array.of(0x45, random.below(256), 0, 0, 0, 0, frag, 0, 64, protocol, 0, 0);
  return concatBytes(head, random.bytes(8));
}

/** The tunnel header proper. */
function innerHeader(random: Random, type: TunnelHeader['type'], ethertype: number): Uint8Array {
  const vni = concatBytes(random.bytes(3), Uint8Array.of(0));
  if (type === 'vxlan') return concatBytes(Uint8Array.of(8, 0, 0, 0), vni);
  if (type === 'geneve') {
    const units = random.chance(0.5) ? 0 : 1 + random.below(3);
    const option = concatBytes(be16(0x0102), Uint8Array.of(0x80, units), random.bytes(4 * units));
    const options = random.chance(0.4) ? new Uint8Array(0) : option;
    return concatBytes(Uint8Array.of(options.length / 4, random.chance(0.2) ? 0x80 : 0), be16(0x6558), vni, options);
  }
  const [hasChecksum, hasKey, hasSequence] = [random.chance(0.5), random.chance(0.5), random.chance(0.3)];
  const flags = (hasChecksum ? 0x8000 : 0) | (hasKey ? 0x2000 : 0) | (hasSequence ? 0x1000 : 0);
  const words = [hasChecksum, hasKey, hasSequence].filter(Boolean).length;
  const fields = new Uint8Array(4 * words);
  if (hasKey) fields.set(random.bytes(4), hasChecksum ? 4 : 0);
  return concatBytes(be16(flags), be16(ethertype), fields);
}

/** @param ethertype what GRE says lies inside; 0x6558 is Ethernet */
export function randomTunnelHeader(random: Random, ethertype = 0x6558): TunnelHeader {
  const type = random.pick(['vxlan', 'geneve', 'gre'] as const);
  const isV6 = random.chance(0.5);
  const ethernet = concatBytes(random.bytes(12), be16(isV6 ? 0x86dd : 0x0800));
  const ip = outerIp(random, isV6, type === 'gre' ? 47 : 17);
  const udp = new Uint8Array(type === 'gre' ? 0 : 8);
  if (type !== 'gre') {
    putU16(udp, 2, type === 'vxlan' ? 4789 : 6081);
    if (isV6 || random.chance(0.5)) putU16(udp, 6, 0xffff);
  }
  const bytes = concatBytes(ethernet, ip, udp, innerHeader(random, type, ethertype));
  return { type, bytes, l3Offset: 14 };
}

export interface RandomActionsOptions {
  /** Lists inside lists. */
  readonly depth?: number;
  /** Probabilities other than never and always, and whatever else a twin cannot follow. */
  readonly isAnything?: boolean;
  /** The packet has an outer header by now. */
  readonly isTunnelled?: boolean;
}

function randomNested(random: Random, options: RandomActionsOptions): DpAction {
  const inner = (): DpAction[] => randomActions(random, { ...options, depth: (options.depth ?? 2) - 1 });
  const kind = random.below(3);
  if (kind === 0) return { type: 'clone', actions: inner() };
  if (kind === 1) {
    const probability = options.isAnything ? random.u32() : random.pick([0, 0xffffffff]);
    return { type: 'sample', probability, actions: inner() };
  }
  return { type: 'check_pkt_len', maxLen: random.below(300), greater: inner(), lessEqual: inner() };
}

const reasons: readonly UpcallReason[] = ['action', 'controller', 'slow_path', 'sample'];

function randomPushNsh(random: Random): DpAction {
  const isType1 = random.chance(0.6);
  return {
    type: 'push_nsh',
    flags: random.below(4),
    ttl: random.below(64),
    mdtype: isType1 ? 1 : 2,
    np: 1 + random.below(4),
    path: random.u32(),
    metadata: random.bytes(isType1 ? 16 : 4 * random.below(8)),
  };
}

const makers: readonly ((random: Random) => DpAction)[] = [
  (r) => ({ type: 'trunc', maxLen: 10 + r.below(150) }),
  (r) => ({ type: 'push_vlan', tpid: r.pick([0x8100, 0x88a8]), tci: r.below(0x10000) | 0x1000 }),
  () => ({ type: 'pop_vlan' }),
  (r) => ({ type: 'push_mpls', lse: r.u32(), ethType: r.pick([0x8847, 0x8848]) }),
  (r) => ({ type: 'pop_mpls', ethType: r.pick([0x0800, 0x86dd, 0x8847]) }),
  (r) => ({ type: 'push_eth', dst: r.bytes(6), src: r.bytes(6) }),
  () => ({ type: 'pop_eth' }),
  randomPushNsh,
  () => ({ type: 'pop_nsh' }),
  randomTunnelSet,
  (r) => ({ type: 'tnl_push', tunnelPort: 5, outPort: 6, header: randomTunnelHeader(r) }),
  (r) => ({ type: 'hash', algorithm: r.pick(['l4', 'sym_l4'] as const), basis: r.below(3) }),
  () => ({ type: 'ct_clear' }),
  (r) => ({ type: 'meter', id: r.below(2) }),
];

const enders: readonly ((random: Random) => DpAction)[] = [
  (r) => ({ type: 'recirc', id: r.u32() }),
  (r) => ({ type: 'tnl_pop', port: 7 + r.below(3) }),
  () => ({ type: 'drop', reason: 'no_output' }),
  (r) => ({
    type: 'userspace',
    reason: r.pick(reasons),
    pid: r.u32(),
    userdata: r.bytes(r.below(32)),
    tunnelOutPort: r.chance(0.5) ? null : r.below(100),
    withActions: r.chance(0.5),
  }),
];

export function randomAction(random: Random, options: RandomActionsOptions = {}): DpAction {
  const roll = random.fraction();
  if (roll < 0.25) return { type: 'output', port: 1 + random.below(3) };
  if (roll < 0.6) return randomSet(random, random.pick(targets));
  if (roll < 0.9) return random.pick(makers)(random);
  if (roll < 0.95 && (options.depth ?? 2) > 0) return randomNested(random, options);
  return random.pick(enders)(random);
}

/** Sets that keep outer headers what they are: others would change bytes under a checksum that is not theirs. */
const outerTargets = new Set<SetTarget>(['eth', 'ipv4', 'ipv6', 'skb_priority', 'skb_mark', 'tunnel']);

/** No to eight actions. */
export function randomActions(random: Random, options: RandomActionsOptions = {}): DpAction[] {
  const actions: DpAction[] = [];
  let isTunnelled = options.isTunnelled ?? false;
  for (let left = random.below(9); left > 0; left--) {
    const action = randomAction(random, { ...options, isTunnelled });
    if (isTunnelled && action.type === 'set' && !outerTargets.has(action.target)) continue;
    if (action.type === 'tnl_push') isTunnelled = true;
    actions.push(action);
  }
  return actions;
}
