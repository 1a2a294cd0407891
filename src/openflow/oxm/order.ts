/** The order in which a match's fields stand on the wire: Open vSwitch's. */
import { fieldOf, type OfFieldSpec } from '../field/index.ts';

const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}${i}`);

const before = ['dp_hash', 'recirc_id', 'conj_id'];
const ports = { nxm: ['in_port'], oxm: ['in_port_oxm'] };
const ethernet = ['actset_output', 'eth_src', 'eth_dst', 'eth_type'];
const tags = { nxm: ['vlan_tci'], oxm: ['vlan_vid', 'vlan_pcp'] };
const network = ['mpls_tc', 'mpls_bos', 'mpls_ttl', 'mpls_label', 'ip_src', 'ip_dst', 'ipv6_src', 'ipv6_dst'];
const tos = { nxm: ['nw_tos'], oxm: ['ip_dscp'] };
const transport = [
  ...[
    'nw_ecn',
    'nw_ttl',
    'ipv6_label',
    'nw_proto',
    'tcp_src',
    'tcp_dst',
    'tcp_flags',
    'udp_src',
    'udp_dst',
    'sctp_src',
    'sctp_dst',
  ],
  ...[
    'icmp_type',
    'icmp_code',
    'icmpv6_type',
    'icmpv6_code',
    'nd_reserved',
    'nd_target',
    'nd_options_type',
    'nd_sll',
    'nd_tll',
  ],
  ...['arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha'],
  ...['nsh_flags', 'nsh_ttl', 'nsh_mdtype', 'nsh_np', 'nsh_spi', 'nsh_si', 'nsh_c1', 'nsh_c2', 'nsh_c3', 'nsh_c4'],
  ...['tun_id', 'tun_flags', 'tun_src', 'tun_dst', 'tun_ipv6_src', 'tun_ipv6_dst', 'tun_gbp_id', 'tun_gbp_flags'],
];
/** Tunnel metadata stands between the two. */
const tunnelMore = [
  ...['tun_erspan_idx', 'tun_erspan_ver', 'tun_erspan_dir', 'tun_erspan_hwid', 'tun_gtpu_flags', 'tun_gtpu_msgtype'],
];
const registers = { single: numbered('reg', 16), double: numbered('xreg', 8) };
const last = [
  ...['pkt_mark', 'ct_state', 'ct_zone', 'ct_mark', 'ct_label', 'ct_nw_src', 'ct_nw_dst', 'ct_ipv6_src', 'ct_ipv6_dst'],
  ...['ct_nw_proto', 'ct_tp_src', 'ct_tp_dst', 'metadata'],
];

export interface FieldOrder {
  readonly beforeMetadata: readonly OfFieldSpec[];
  readonly afterMetadata: readonly OfFieldSpec[];
}

function orderOf(form: 'nxm' | 'oxm', registersForm: 'single' | 'double'): FieldOrder {
  const first = [
    ...before,
    ...ports[form],
    ...ethernet,
    ...tags[form],
    ...network,
    'ip_frag',
    ...tos[form],
    ...transport,
  ];
  return {
    beforeMetadata: first.map(fieldOf),
    afterMetadata: [...tunnelMore, ...registers[registersForm], ...last].map(fieldOf),
  };
}

const nxm = orderOf('nxm', 'single');
const oxm = orderOf('oxm', 'single');
const oxm15 = orderOf('oxm', 'double');

/** @param version 1 for NXM, else the wire version */
export const fieldOrder = (version: number): FieldOrder => (version < 3 ? nxm : version < 6 ? oxm : oxm15);
