/**
 * Headers as the control side sees them: slow, obvious, and typed.
 *
 * What. One file a protocol. Each has the header's field offsets, a plain record, `parse` (bytes → record and payload, or
 * null for what is not such a header), `emit` (record → bytes that the caller owns, payload already in place behind the
 * header) or `build` (record and payload → new bytes), and `format` (one line for people). The datapath has its own parser
 * in assembly/packet; nothing here runs for a packet that is switched there.
 *
 * Terms. *Header*: the record. *Payload*: a view of the bytes behind the header, without padding where a length field
 * tells. *Pseudo-header*: what TCP, UDP and ICMPv6 checksums cover of the IP header (RFC 9293 §3.1, RFC 8200 §8.1).
 *
 * Invariants. `parse` never reads outside the bytes given and never throws. `emit` writes every byte of the header, so
 * that nothing of what was in the buffer shows through; checksums are computed by `emit` and checked by `parse`, which
 * tells in `checksumOk` and leaves the judgement to the caller. emit(parse(x)) = x for every header `emit` can write.
 *
 * Not supported. Putting IP fragments together, IPv6 extension headers other than the ones `parseIpv6` steps over,
 * TCP options other than MSS and window scale, SCTP, MPLS and NSH (src/flow/extract.ts knows those).
 */
export {
  ARP_REPLY,
  ARP_REQUEST,
  type Arp,
  buildArp,
  formatArp,
  parseArp,
} from './arp.ts';
export { checksum, foldSum, onesSum, type PseudoHeader, pseudoHeaderSum } from './checksum.ts';
export {
  BROADCAST_MAC,
  buildEthernet,
  ETH_TYPE,
  type Ethernet,
  emitEthernet,
  ethernetSize,
  formatEthernet,
  isMulticastMac,
  multicastMac4,
  multicastMac6,
  parseEthernet,
  type VlanTag,
} from './ethernet.ts';
export { buildIcmp, formatIcmp, ICMP, type Icmp, parseIcmp } from './icmp.ts';
export { buildIcmpv6, formatIcmpv6, ICMPV6, type Icmpv6, parseIcmpv6 } from './icmpv6.ts';
export { buildIpv4, emitIpv4, formatIpv4Header, IP_PROTO, type Ipv4, parseIpv4Header } from './ipv4.ts';
export { buildIpv6, emitIpv6, formatIpv6Header, type Ipv6, parseIpv6Header } from './ipv6.ts';
export { buildNeighbor, formatNeighbor, type Neighbor, parseNeighbor, solicitedNode } from './ndp.ts';
export { formatFrame } from './print.ts';
export { buildTcp, formatTcp, parseTcp, TCP_FLAG, type Tcp } from './tcp.ts';
export { buildUdp, emitUdp, formatUdp, parseUdp, type Udp } from './udp.ts';
export { buildVxlan, parseVxlan, VXLAN_PORT, type Vxlan } from './vxlan.ts';
