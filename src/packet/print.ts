/** A whole frame on one line, from the outside in. */
import { formatMac } from '../lib/addresses.ts';
import { formatArp, parseArp } from './arp.ts';
import type { PseudoHeader } from './checksum.ts';
import { ETH_TYPE, parseEthernet, type VlanTag } from './ethernet.ts';
import { formatIcmp, parseIcmp } from './icmp.ts';
import { formatIcmpv6, parseIcmpv6 } from './icmpv6.ts';
import { formatIpv4Header, IP_PROTO, parseIpv4Header } from './ipv4.ts';
import { formatIpv6Header, parseIpv6Header } from './ipv6.ts';
import { formatNeighbor, parseNeighbor } from './ndp.ts';
import { formatTcp, parseTcp } from './tcp.ts';
import { formatUdp, parseUdp } from './udp.ts';
import { parseVxlan, VXLAN_PORT } from './vxlan.ts';

/** Frames in frames that are followed. */
const DEPTH_MAX = 3;

const formatTags = (tags: readonly VlanTag[]): string =>
  tags.map((tag) => ` ${tag.tpid === ETH_TYPE.QINQ ? 'svlan' : 'vlan'} ${tag.tci & 0xfff}`).join('');

const bad = (checksumOk: boolean): string => (checksumOk ? '' : ' (bad checksum)');

function formatUdpPacket(bytes: Uint8Array, pseudo: PseudoHeader, depth: number): string {
  const udp = parseUdp(bytes, pseudo);
  if (!udp) return 'UDP (malformed)';
  const line = `${formatUdp(udp.header, udp.payload.length)}${bad(udp.checksumOk)}`;
  const vxlan = udp.header.dstPort === VXLAN_PORT ? parseVxlan(udp.payload) : null;
  return vxlan ? `${line} | VXLAN vni ${vxlan.header.vni} | ${formatAt(vxlan.payload, depth + 1)}` : line;
}

function formatTransport(bytes: Uint8Array, pseudo: PseudoHeader, depth: number): string {
  switch (pseudo.protocol) {
    case IP_PROTO.UDP:
      return formatUdpPacket(bytes, pseudo, depth);
    case IP_PROTO.TCP: {
      const tcp = parseTcp(bytes, pseudo);
      return tcp ? `${formatTcp(tcp.header, tcp.payload.length)}${bad(tcp.checksumOk)}` : 'TCP (malformed)';
    }
    case IP_PROTO.ICMP: {
      const icmp = parseIcmp(bytes);
      return icmp ? `${formatIcmp(icmp.header)}${bad(icmp.checksumOk)}` : 'ICMP (malformed)';
    }
    case IP_PROTO.ICMPV6: {
      const neighbor = parseNeighbor(bytes, pseudo);
      if (neighbor) return formatNeighbor(neighbor);
      const icmp = parseIcmpv6(bytes, pseudo);
      return icmp ? `${formatIcmpv6(icmp.header)}${bad(icmp.checksumOk)}` : 'ICMPv6 (malformed)';
    }
    default:
      return `protocol ${pseudo.protocol} size ${bytes.length}`;
  }
}

function formatNetwork(ethType: number, bytes: Uint8Array, depth: number): string {
  if (ethType === ETH_TYPE.ARP) {
    const arp = parseArp(bytes);
    return arp ? formatArp(arp) : 'ARP (malformed)';
  }
  if (ethType === ETH_TYPE.IPV4) {
    const ip = parseIpv4Header(bytes);
    if (!ip) return 'IPv4 (malformed)';
    const line = `${formatIpv4Header(ip.header)}${bad(ip.checksumOk)}`;
    if (ip.header.moreFragments || ip.header.fragmentOffset > 0) return line;
    return `${line} | ${formatTransport(ip.payload, ip.header, depth)}`;
  }
  if (ethType === ETH_TYPE.IPV6) {
    const ip = parseIpv6Header(bytes);
    if (!ip) return 'IPv6 (malformed)';
    const line = formatIpv6Header(ip.header);
    return ip.header.isFragment ? line : `${line} | ${formatTransport(ip.payload, ip.header, depth)}`;
  }
  return `type 0x${ethType.toString(16).padStart(4, '0')} size ${bytes.length}`;
}

function formatAt(frame: Uint8Array, depth: number): string {
  const ethernet = parseEthernet(frame);
  if (!ethernet) return `runt of ${frame.length} bytes`;
  const { src, dst, tags, ethType } = ethernet.header;
  const line = `${formatMac(src)} > ${formatMac(dst)}${formatTags(tags)}`;
  return depth >= DEPTH_MAX ? line : `${line} | ${formatNetwork(ethType, ethernet.payload, depth)}`;
}

/** Ethernet, network and transport header of a frame, and of the frame inside a VXLAN packet. */
export const formatFrame = (frame: Uint8Array): string => formatAt(frame, 0);
