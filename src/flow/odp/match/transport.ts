/** tcp, udp, sctp, tcp_flags, icmp, icmpv6, nd, nd_ext: the transport layer and neighbour discovery. */
import { tcpFlagSet } from '../flags.ts';
import { decimal, decimalHexMask, hexPrefixed, ipv6, mac } from '../number.ts';
import type { Row } from '../row.ts';
import { slot } from '../slot.ts';
import { flags, group } from './group.ts';
import { needsNeighborDiscovery, needsProtocol } from './prerequisites.ts';

export const portRows: readonly Row[] = [
  { name: 'src', slot: slot('tp_src'), notation: decimal },
  { name: 'dst', slot: slot('tp_dst'), notation: decimal },
];

export const icmpRows: readonly Row[] = [
  { name: 'type', slot: slot('tp_src', 0, 8), notation: decimalHexMask },
  { name: 'code', slot: slot('tp_dst', 0, 8), notation: decimalHexMask },
];

export const ndRows: readonly Row[] = [
  { name: 'target', slot: slot('nd_target'), notation: ipv6 },
  { name: 'sll', slot: slot('arp_sha'), notation: mac },
  { name: 'tll', slot: slot('arp_tha'), notation: mac },
];

export const ndExtRows: readonly Row[] = [
  { name: 'nd_reserved', slot: slot('nd_reserved'), notation: hexPrefixed },
  { name: 'nd_options_type', slot: slot('nd_options_type'), notation: decimal },
];

const IP = [0x0800, 0x86dd] as const;

export const tcpAttribute = group('tcp', portRows, needsProtocol(6, ...IP));
export const tcpFlagsAttribute = flags('tcp_flags', 'tcp_flags', tcpFlagSet, undefined, needsProtocol(6, ...IP));
export const udpAttribute = group('udp', portRows, needsProtocol(17, ...IP));
export const sctpAttribute = group('sctp', portRows, needsProtocol(132, ...IP));
export const icmpAttribute = group('icmp', icmpRows, needsProtocol(1, 0x0800));
export const icmpv6Attribute = group('icmpv6', icmpRows, needsProtocol(58, 0x86dd));
export const ndAttribute = group('nd', ndRows, needsNeighborDiscovery);
export const ndExtAttribute = group('nd_ext', ndExtRows, needsNeighborDiscovery);
