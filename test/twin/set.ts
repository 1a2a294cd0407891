/** The twin's set actions: every checksum is summed over everything it covers, before and after. */
import { KEY } from '../../src/flow/key.ts';
import type { DpAction } from '../../src/flow/odp/action.ts';
import { equalBytes, u16At, u32At } from '../../src/lib/bytes.ts';
import { sctpChecksum } from '../support/frames.ts';
import {
  dropped,
  followed,
  l3Bytes,
  l4Bytes,
  laidOver,
  laidOverNumber,
  protocolOf,
  putWord,
  type TwinPacket,
  wordSum,
} from './packet.ts';

export type SetAction = Extract<DpAction, { type: 'set' }>;
type Setter = (packet: TwinPacket, action: SetAction) => void;

const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;

/** Bytes that a checksum covers, its own two left out. */
const coveredSum = (bytes: Uint8Array, at: number): number => wordSum(bytes) - u16At(bytes, at);

/** Where the transport checksum lies in a transport header of this protocol, or null. */
function checksumPlace(protocol: number, isV6: boolean, l4: Uint8Array): number | null {
  if (protocol === TCP) return l4.length >= 20 ? 16 : null;
  if (protocol === UDP) return l4.length >= 8 && u16At(l4, 6) !== 0 ? 6 : null;
  return isV6 && protocol === ICMPV6 && l4.length >= 4 ? 2 : null;
}

const neverZero = (protocol: number, checksum: number): number =>
  protocol === UDP && checksum === 0 ? 0xffff : checksum;

/** Changes bytes of a transport header and lets its checksum follow. */
function changeL4(l4: Uint8Array, place: number, protocol: number, change: () => void): void {
  const old = l4.slice();
  const before = coveredSum(l4, place);
  change();
  if (equalBytes(old, l4) || (protocol === UDP && u16At(old, place) === 0)) return;
  putWord(l4, place, neverZero(protocol, followed(u16At(l4, place), before, coveredSum(l4, place))));
}

/** Changes addresses of the pseudo-header and lets the transport checksum follow. */
function changeAddresses(
  packet: TwinPacket,
  address: Uint8Array,
  now: Uint8Array,
  protocol: number,
  isV6: boolean,
): void {
  const before = wordSum(address);
  const isSame = equalBytes(address, now);
  address.set(now);
  const l4 = l4Bytes(packet);
  const place = checksumPlace(protocol, isV6, l4);
  if (isSame || place === null) return;
  putWord(l4, place, neverZero(protocol, followed(u16At(l4, place), before, wordSum(now))));
}

const setIpv4: Setter = (packet, action) => {
  const ip = l3Bytes(packet, 20);
  if (ip[0]! >>> 4 !== 4) throw dropped('action_invalid');
  const old = ip.slice(0, 20);
  const before = coveredSum(ip.subarray(0, 20), 10);
  const addresses = new Uint8Array([
    ...laidOver(action, 'ipv4_src', ip.subarray(12, 16)),
    ...laidOver(action, 'ipv4_dst', ip.subarray(16, 20)),
  ]);
  changeAddresses(packet, ip.subarray(12, 20), addresses, protocolOf(ip), false);
  ip[1] = laidOverNumber(action, 'nw_tos', ip[1]!);
  ip[8] = laidOverNumber(action, 'nw_ttl', ip[8]!);
  if (equalBytes(old, ip.subarray(0, 20))) return;
  putWord(ip, 10, followed(u16At(ip, 10), before, coveredSum(ip.subarray(0, 20), 10)));
};

/** The transport protocol behind the extension headers, and whether a routing header changes the destination. */
function walkExtensions(packet: TwinPacket, ip: Uint8Array): { protocol: number; isRouted: boolean } {
  let protocol = ip[6]!;
  let at = 40;
  let isRouted = false;
  while (packet.l3! + at < packet.l4!) {
    if (protocol === 43 && ip[at + 3] !== 0) isRouted = true;
    const units = protocol === 44 ? 0 : ip[at + 1]!;
    const size = protocol === 51 ? (units + 2) * 4 : (units + 1) * 8;
    protocol = ip[at]!;
    at += size;
  }
  return { protocol, isRouted };
}

const setIpv6: Setter = (packet, action) => {
  const ip = l3Bytes(packet, 40);
  if (ip[0]! >>> 4 !== 6) throw dropped('action_invalid');
  const src = laidOver(action, 'ipv6_src', ip.subarray(8, 24));
  const dst = laidOver(action, 'ipv6_dst', ip.subarray(24, 40));
  if (packet.l4 === null) {
    ip.set(src, 8);
    ip.set(dst, 24);
  } else {
    const { protocol, isRouted } = walkExtensions(packet, ip);
    const both = new Uint8Array([...src, ...dst]);
    if (isRouted) {
      changeAddresses(packet, ip.subarray(8, 24), src, protocol, true);
      ip.set(dst, 24);
    } else changeAddresses(packet, ip.subarray(8, 40), both, protocol, true);
  }
  const word = u32At(ip, 0);
  const trafficClass = laidOverNumber(action, 'nw_tos', (word >>> 20) & 0xff);
  const label = laidOverNumber(action, 'ipv6_label', word & 0xfffff) & 0xfffff;
  ip[0] = 0x60 | (trafficClass >>> 4);
  ip[1] = ((trafficClass & 0xf) << 4) | (label >>> 16);
  putWord(ip, 2, label & 0xffff);
  ip[7] = laidOverNumber(action, 'nw_ttl', ip[7]!);
};

function setPorts(l4: Uint8Array, action: SetAction): void {
  l4.set(laidOver(action, 'tp_src', l4.subarray(0, 2)), 0);
  l4.set(laidOver(action, 'tp_dst', l4.subarray(2, 4)), 2);
}

const setTcp: Setter = (packet, action) => {
  const l4 = l4Bytes(packet);
  if (l4.length < 20) return;
  const headerSize = (l4[12]! >>> 4) * 4;
  if (headerSize < 20 || headerSize > l4.length) return;
  changeL4(l4, 16, TCP, () => setPorts(l4, action));
};

const setUdp: Setter = (packet, action) => {
  const l4 = l4Bytes(packet);
  if (l4.length >= 8) changeL4(l4, 6, UDP, () => setPorts(l4, action));
};

const setSctp: Setter = (packet, action) => {
  const l4 = l4Bytes(packet);
  if (l4.length < 12) return;
  const right = (): number => sctpChecksum(new Uint8Array([...l4.subarray(0, 8), 0, 0, 0, 0, ...l4.subarray(12)]));
  const view = new DataView(l4.buffer, l4.byteOffset);
  const wrongBy = view.getUint32(8, true) ^ right();
  setPorts(l4, action);
  view.setUint32(8, right() ^ wrongBy, true);
};

const setIcmp: Setter = (packet, action) => {
  const l4 = l4Bytes(packet);
  if (l4.length < 8) return;
  changeL4(l4, 2, ICMPV6, () => {
    l4[0] = laidOverNumber(action, 'tp_src', l4[0]!);
    l4[1] = laidOverNumber(action, 'tp_dst', l4[1]!);
  });
};

const setArp: Setter = (packet, action) => {
  const arp = l3Bytes(packet, 28);
  if (!equalBytes(arp.subarray(0, 6), Uint8Array.of(0, 1, 8, 0, 6, 4))) throw dropped('action_invalid');
  const operation = action.fields.find(({ field }) => field === 'nw_proto');
  if (operation) {
    if (operation.mask === null) arp[6] = 0;
    arp[7] = laidOverNumber(action, 'nw_proto', arp[7]!);
  }
  arp.set(laidOver(action, 'arp_sha', arp.subarray(8, 14)), 8);
  arp.set(laidOver(action, 'ipv4_src', arp.subarray(14, 18)), 14);
  arp.set(laidOver(action, 'arp_tha', arp.subarray(18, 24)), 18);
  arp.set(laidOver(action, 'ipv4_dst', arp.subarray(24, 28)), 24);
};

/** The first source or target link-layer address option. */
function linkAddressOption(nd: Uint8Array): number | null {
  for (let at = 24; at + 8 <= nd.length; at += nd[at + 1]! * 8) {
    if (nd[at + 1] === 0) return null;
    if (nd[at + 1] === 1 && (nd[at] === 1 || nd[at] === 2)) return at;
  }
  return null;
}

const setNd: Setter = (packet, action) => {
  const nd = l4Bytes(packet);
  if (nd.length < 24) return;
  changeL4(nd, 2, ICMPV6, () => {
    const option = linkAddressOption(nd);
    nd.set(laidOver(action, 'nd_target', nd.subarray(8, 24)), 8);
    if (option === null) return;
    const field = nd[option] === 1 ? 'arp_sha' : 'arp_tha';
    nd.set(laidOver(action, field, nd.subarray(option + 2, option + 8)), option + 2);
  });
};

const setNdExt: Setter = (packet, action) => {
  const nd = l4Bytes(packet);
  if (nd.length < 24) return;
  changeL4(nd, 2, ICMPV6, () => {
    nd.set(laidOver(action, 'nd_reserved', nd.subarray(4, 8)), 4);
    if (nd.length >= 32) nd[24] = laidOverNumber(action, 'nd_options_type', nd[24]!);
  });
};

const setEth: Setter = (packet, action) => {
  if (packet.packetType !== 0) return;
  packet.frame.set(laidOver(action, 'eth_dst', packet.frame.subarray(0, 6)), 0);
  packet.frame.set(laidOver(action, 'eth_src', packet.frame.subarray(6, 12)), 6);
};

const setMpls: Setter = ({ frame, l25 }, action) => {
  if (l25 !== null && l25 + 4 <= frame.length) {
    frame.set(laidOver(action, 'mpls_lse0', frame.subarray(l25, l25 + 4)), l25);
  }
};

const setNsh: Setter = (packet, action) => {
  const nsh = l3Bytes(packet, 8);
  if (nsh[0]! >>> 6 !== 0) throw dropped('action_invalid');
  const word = u16At(nsh, 0);
  const flags = laidOverNumber(action, 'nsh_flags', (word >>> 12) & 3) & 3;
  const ttl = laidOverNumber(action, 'nsh_ttl', (word >>> 6) & 0x3f) & 0x3f;
  putWord(nsh, 0, (word & 0xc03f) | (flags << 12) | (ttl << 6));
  nsh.set(laidOver(action, 'nsh_path', nsh.subarray(4, 8)), 4);
  if ((nsh[2]! & 0xf) !== 1 || nsh.length < 24) return;
  (['nsh_c1', 'nsh_c2', 'nsh_c3', 'nsh_c4'] as const).forEach((field, i) => {
    nsh.set(laidOver(action, field, nsh.subarray(8 + 4 * i, 12 + 4 * i)), 8 + 4 * i);
  });
};

const setMeta =
  (field: 'skb_priority' | 'pkt_mark'): Setter =>
  (packet, action) => {
    packet.meta.set(KEY[field], laidOverNumber(action, field, packet.meta.get(KEY[field])));
  };

const setTunnel: Setter = (packet, action) => {
  const { meta } = packet;
  packet.isSourcePortChosen = false;
  meta.bytes.fill(0, KEY.tun_id.offset);
  for (const { field, value } of action.fields) {
    const bytes = KEY[field].order === 'le' ? value.toReversed() : value;
    meta.at(KEY[field]).set(bytes);
  }
};

export const setters: Readonly<Record<SetAction['target'], Setter>> = {
  eth: setEth,
  ipv4: setIpv4,
  ipv6: setIpv6,
  tcp: setTcp,
  udp: setUdp,
  sctp: setSctp,
  icmp: setIcmp,
  icmpv6: setIcmp,
  arp: setArp,
  nd: setNd,
  nd_ext: setNdExt,
  mpls: setMpls,
  nsh: setNsh,
  skb_priority: setMeta('skb_priority'),
  skb_mark: setMeta('pkt_mark'),
  tunnel: setTunnel,
};
