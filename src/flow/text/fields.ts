/** The fields of OpenFlow flow text, in the order in which they are written. A new field is a new row. */
import { ctStateSet, tcpFlagSet, tunnelFlagSet } from '../odp/flags.ts';
import { decimal, hex } from '../odp/number.ts';
import { slot } from '../odp/slot.ts';
import { bits, plain, type TextField, words } from './field.ts';
import { flowLabel, hexNumber, hexWord, ipv4, ipv6, mac, number, type TextNotation, unmasked } from './notation.ts';
import { actsetOutputField, conjIdField } from './pipeline.ts';
import {
  needsArp,
  needsIcmp,
  needsIp,
  needsIpv4,
  needsIpv6,
  needsMpls,
  needsNd,
  needsNsh,
  needsTransport,
} from './protocols.ts';
import { vlanFields } from './vlan.ts';

/** Before the packet type and the protocol's word. */
export const fieldsBefore: readonly TextField[] = [
  plain(['pkt_mark'], slot('pkt_mark'), hexNumber),
  plain(['recirc_id'], slot('recirc_id'), hexNumber),
  plain(['dp_hash'], slot('dp_hash'), hexNumber),
  conjIdField,
  plain(['skb_priority'], slot('skb_priority'), hexNumber),
  actsetOutputField,
  bits(['ct_state'], slot('ct_state'), ctStateSet, 'signs'),
  plain(['ct_zone'], slot('ct_zone'), number),
  plain(['ct_mark'], slot('ct_mark'), hexNumber),
  plain(['ct_label'], slot('ct_label'), hexNumber),
  plain(['ct_nw_src'], slot('ct_nw_src'), ipv4),
  plain(['ct_nw_dst'], slot('ct_nw_dst'), ipv4),
  plain(['ct_ipv6_src'], slot('ct_ipv6_src'), ipv6),
  plain(['ct_ipv6_dst'], slot('ct_ipv6_dst'), ipv6),
  plain(['ct_nw_proto'], slot('ct_nw_proto'), number),
  plain(['ct_tp_src'], slot('ct_tp_src'), number),
  plain(['ct_tp_dst'], slot('ct_tp_dst'), number),
];

/** Between the protocol's word and in_port. */
export const tunnelFields: readonly TextField[] = [
  plain(['tun_id', 'tunnel_id'], slot('tun_id'), hexNumber),
  plain(['tun_src'], slot('tun_src'), ipv4),
  plain(['tun_dst'], slot('tun_dst'), ipv4),
  plain(['tun_ipv6_src'], slot('tun_ipv6_src'), ipv6),
  plain(['tun_ipv6_dst'], slot('tun_ipv6_dst'), ipv6),
  plain(['tun_gbp_id'], slot('tun_gbp_id'), number),
  plain(['tun_gbp_flags'], slot('tun_gbp_flags'), unmasked(hex)),
  plain(['tun_tos'], slot('tun_tos'), unmasked(decimal)),
  plain(['tun_ttl'], slot('tun_ttl'), unmasked(decimal)),
  bits(['tun_flags'], slot('tun_flags', 0, 4), tunnelFlagSet, 'signs'),
];

/** Between dl_dst and the addresses; left out when the protocol's word says it. */
export const ethTypeField: TextField = plain(['dl_type', 'eth_type'], slot('eth_type'), hexWord);
export const nwProtoField: TextField = plain(['nw_proto', 'ip_proto'], slot('nw_proto'), number, needsIp);

export const ethernetFields: readonly TextField[] = [
  ...vlanFields,
  plain(['dl_src', 'eth_src'], slot('eth_src'), mac),
  plain(['dl_dst', 'eth_dst'], slot('eth_dst'), mac),
];

export const addressFields: readonly TextField[] = [
  plain(['nw_src', 'ip_src'], slot('ipv4_src'), ipv4, needsIpv4),
  plain(['nw_dst', 'ip_dst'], slot('ipv4_dst'), ipv4, needsIpv4),
  plain(['ipv6_src'], slot('ipv6_src'), ipv6, needsIpv6),
  plain(['ipv6_dst'], slot('ipv6_dst'), ipv6, needsIpv6),
  plain(['ipv6_label'], slot('ipv6_label', 0, 20), flowLabel, needsIpv6),
  plain(['arp_spa'], slot('ipv4_src'), ipv4, needsArp),
  plain(['arp_tpa'], slot('ipv4_dst'), ipv4, needsArp),
];

const nd: readonly TextField[] = [
  plain(['nd_target'], slot('nd_target'), ipv6, needsNd(135, 136)),
  plain(['nd_sll'], slot('arp_sha'), mac, needsNd(135, 136)),
  plain(['nd_tll'], slot('arp_tha'), mac, needsNd(135, 136)),
  plain(['nd_reserved'], slot('nd_reserved'), number, needsNd(135, 136)),
  plain(['nd_options_type'], slot('nd_options_type'), number, needsNd(135, 136)),
];

const nsh: readonly TextField[] = [
  plain(['nsh_flags'], slot('nsh_flags'), number, needsNsh),
  plain(['nsh_ttl'], slot('nsh_ttl'), number, needsNsh),
  plain(['nsh_mdtype'], slot('nsh_mdtype'), number, needsNsh),
  plain(['nsh_np'], slot('nsh_np'), number, needsNsh),
  plain(['nsh_spi', 'nsp'], slot('nsh_path', 8, 24), hexNumber, needsNsh),
  plain(['nsh_si', 'nsi'], slot('nsh_path', 0, 8), number, needsNsh),
  plain(['nsh_c1', 'nshc1'], slot('nsh_c1'), hexNumber, needsNsh),
  plain(['nsh_c2', 'nshc2'], slot('nsh_c2'), hexNumber, needsNsh),
  plain(['nsh_c3', 'nshc3'], slot('nsh_c3'), hexNumber, needsNsh),
  plain(['nsh_c4', 'nshc4'], slot('nsh_c4'), hexNumber, needsNsh),
];

/** nw_tos is written as the whole byte, of which its two low bits are nw_ecn's. */
const dscpAsTos: TextNotation = {
  parse(text) {
    const value = decimal.parse(text);
    return value !== null && value <= 0xfcn && (value & 3n) === 0n ? { value: value >> 2n, mask: 0x3fn } : null;
  },
  format: (value) => String(value << 2n),
};

/** nw_frag: bit 0 says that the packet is a fragment, bit 1 that it is not the first one. */
const fragmentWords = {
  no: [0n, 3n],
  yes: [1n, 1n],
  first: [1n, 3n],
  later: [3n, 3n],
  not_later: [0n, 2n],
} as const;

/** After nw_proto. */
export const fieldsAfter: readonly TextField[] = [
  plain(['arp_op'], slot('nw_proto'), number, needsArp),
  plain(['arp_sha'], slot('arp_sha'), mac, needsArp),
  plain(['arp_tha'], slot('arp_tha'), mac, needsArp),
  ...nsh,
  plain(['nw_tos'], slot('nw_tos', 2, 6), dscpAsTos, needsIp),
  { ...plain(['ip_dscp'], slot('nw_tos', 2, 6), number, needsIp), format: () => null },
  plain(['nw_ecn', 'ip_ecn'], slot('nw_tos', 0, 2), unmasked(decimal), needsIp),
  plain(['nw_ttl'], slot('nw_ttl'), unmasked(decimal), needsIp),
  plain(['mpls_label'], slot('mpls_lse0', 12, 20), number, needsMpls),
  plain(['mpls_tc'], slot('mpls_lse0', 9, 3), number, needsMpls),
  plain(['mpls_ttl'], slot('mpls_lse0', 0, 8), number, needsMpls),
  plain(['mpls_bos'], slot('mpls_lse0', 8, 1), number, needsMpls),
  words(['nw_frag', 'ip_frag'], slot('nw_frag', 0, 2), fragmentWords, needsIp),
  plain(['icmp_type'], slot('tp_src', 0, 8), number, needsIcmp(1)),
  plain(['icmp_code'], slot('tp_dst', 0, 8), number, needsIcmp(1)),
  plain(['icmp_type', 'icmpv6_type'], slot('tp_src', 0, 8), number, needsIcmp(58)),
  plain(['icmp_code', 'icmpv6_code'], slot('tp_dst', 0, 8), number, needsIcmp(58)),
  plain(['tp_src', 'tcp_src', 'udp_src', 'sctp_src'], slot('tp_src'), number, needsTransport(6, 17, 132, 2)),
  plain(['tp_dst', 'tcp_dst', 'udp_dst', 'sctp_dst'], slot('tp_dst'), number, needsTransport(6, 17, 132, 2)),
  bits(['tcp_flags'], slot('tcp_flags', 0, 12), tcpFlagSet, 'names when whole', needsTransport(6)),
  ...nd,
];
