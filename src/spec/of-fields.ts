/**
 * The match fields of OpenFlow and of Open vSwitch's extensions: one row a field (ovs-fields(7), OpenFlow 1.5 §7.2.3).
 *
 * A header on the wire is a class (with an experimenter when the class is 0xffff), a number, a mask bit and a length. A
 * field has one header for each class it is known under; a sender takes the last one that the OpenFlow version in use has.
 */

export type FieldNotation =
  | 'decimal'
  | 'hex'
  | 'mac'
  | 'ipv4'
  | 'ipv6'
  | 'port10'
  | 'port11'
  | 'frag'
  | 'tunnel_flags'
  | 'ct_state'
  | 'tcp_flags'
  | 'packet_type';

/** What a flow must match on for the field to be there. */
export type Prerequisite =
  | 'none'
  | 'ethernet'
  | 'ct'
  | 'vlan'
  | 'ipv4'
  | 'ipv6'
  | 'ip'
  | 'arp'
  | 'mpls'
  | 'nsh'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmpv4'
  | 'icmpv6'
  | 'nd'
  | 'nd_solicit'
  | 'nd_advert';

export interface OfHeaderSpec {
  readonly name: string;
  readonly class: number;
  /** Of class 0xffff, else 0. */
  readonly experimenter: number;
  readonly number: number;
  /** First wire version that has it; 1 for Nicira's. */
  readonly since: number;
}

export interface OfFieldSpec {
  readonly name: OfFieldName;
  /** Other names that text may use. */
  readonly aliases: readonly string[];
  /** Bytes on the wire; the greatest number of them for tun_metadata. */
  readonly size: number;
  /** Bits that may be set. */
  readonly bits: number;
  readonly notation: FieldNotation;
  /** Any bits of it may be matched alone. */
  readonly isMaskable: boolean;
  readonly needs: Prerequisite;
  readonly isWritable: boolean;
  /** Where it lies in a PipelineKey: a key field, and the bits below it. Null: in no key. */
  readonly place: { readonly key: string; readonly shift: number } | null;
  readonly headers: readonly OfHeaderSpec[];
}

interface HeaderClass {
  readonly class: number;
  readonly experimenter: number;
}
/** The beginnings of header names. Longer ones come first where one begins another. */
const headerClasses: readonly (readonly [prefix: string, HeaderClass])[] = [
  ['NXM_OF_', { class: 0x0000, experimenter: 0 }],
  ['NXM_NX_', { class: 0x0001, experimenter: 0 }],
  ['OXM_OF_PKT_REG', { class: 0x8001, experimenter: 0 }],
  ['OXM_OF_', { class: 0x8000, experimenter: 0 }],
  ['ERICOXM_OF_', { class: 0x1000, experimenter: 0 }],
  ['ONFOXM_ET_', { class: 0xffff, experimenter: 0x4f4e4600 }],
  ['NXOXM_ET_', { class: 0xffff, experimenter: 0x00002320 }],
  ['NXOXM_NSH_', { class: 0xffff, experimenter: 0x005ad650 }],
];

/** `NXM_OF_ETH_SRC 2` or, with the OpenFlow 1.x that brought it, `OXM_OF_ETH_SRC 4 1.2`. */
function header(text: string): OfHeaderSpec {
  const [name, number, since] = text.split(' ') as [string, string, string | undefined];
  const [, place] = headerClasses.find(([prefix]) => name.startsWith(prefix))!;
  return { name, number: Number(number), since: since === undefined ? 1 : Number(since.slice(2)) + 1, ...place };
}

type Access = 'rw' | 'ro';
type Masking = 'any' | 'whole';
/** size is bytes, or bytes:bits; place is `key`, or `key>>shift`. */
type Row = readonly [
  names: string,
  size: string,
  notation: FieldNotation,
  masking: Masking,
  needs: Prerequisite,
  access: Access,
  place: string,
  headers: string,
];

const numbered = (count: number, row: (i: number) => Row): Row[] => Array.from({ length: count }, (_, i) => row(i));

// biome-ignore format: one row a field
const rows: readonly Row[] = [
  ['dp_hash', '4', 'hex', 'any', 'none', 'ro', 'dp_hash', 'NXOXM_ET_DP_HASH 0, NXM_NX_DP_HASH 35'],
  ['recirc_id', '4', 'decimal', 'whole', 'none', 'ro', 'recirc_id', 'NXM_NX_RECIRC_ID 36'],
  ['packet_type', '4', 'packet_type', 'whole', 'none', 'ro', 'packet_type', 'OXM_OF_PACKET_TYPE 44 1.5'],
  ['conj_id', '4', 'decimal', 'whole', 'none', 'ro', 'conj_id', 'NXM_NX_CONJ_ID 37'],
  ['tun_id tunnel_id', '8', 'hex', 'any', 'none', 'rw', 'tun_id', 'NXM_NX_TUN_ID 16, OXM_OF_TUNNEL_ID 38 1.3'],
  ['tun_src', '4', 'ipv4', 'any', 'none', 'rw', 'tun_src', 'NXM_NX_TUN_IPV4_SRC 31'],
  ['tun_dst', '4', 'ipv4', 'any', 'none', 'rw', 'tun_dst', 'NXM_NX_TUN_IPV4_DST 32'],
  ['tun_ipv6_src', '16', 'ipv6', 'any', 'none', 'rw', 'tun_ipv6_src', 'NXM_NX_TUN_IPV6_SRC 109'],
  ['tun_ipv6_dst', '16', 'ipv6', 'any', 'none', 'rw', 'tun_ipv6_dst', 'NXM_NX_TUN_IPV6_DST 110'],
  ['tun_flags', '2:1', 'tunnel_flags', 'any', 'none', 'rw', 'tun_flags', 'NXM_NX_TUN_FLAGS 104'],
  ['tun_ttl', '1', 'decimal', 'whole', 'none', 'ro', 'tun_ttl', ''],
  ['tun_tos', '1', 'decimal', 'whole', 'none', 'ro', 'tun_tos', ''],
  ['tun_gbp_id', '2', 'decimal', 'any', 'none', 'rw', 'tun_gbp_id', 'NXM_NX_TUN_GBP_ID 38'],
  ['tun_gbp_flags', '1', 'hex', 'any', 'none', 'rw', 'tun_gbp_flags', 'NXM_NX_TUN_GBP_FLAGS 39'],
  ['tun_erspan_idx', '4:20', 'hex', 'any', 'none', 'rw', 'tun_erspan_idx', 'NXOXM_ET_ERSPAN_IDX 11'],
  ['tun_erspan_ver', '1:4', 'decimal', 'any', 'none', 'rw', 'tun_erspan_ver', 'NXOXM_ET_ERSPAN_VER 12'],
  ['tun_erspan_dir', '1:1', 'decimal', 'any', 'none', 'rw', 'tun_erspan_dir', 'NXOXM_ET_ERSPAN_DIR 13'],
  ['tun_erspan_hwid', '1:6', 'hex', 'any', 'none', 'rw', 'tun_erspan_hwid', 'NXOXM_ET_ERSPAN_HWID 14'],
  ['tun_gtpu_flags', '1', 'hex', 'any', 'none', 'ro', 'tun_gtpu_flags', 'NXOXM_ET_GTPU_FLAGS 15'],
  ['tun_gtpu_msgtype', '1', 'decimal', 'any', 'none', 'ro', 'tun_gtpu_msgtype', 'NXOXM_ET_GTPU_MSGTYPE 16'],
  ...numbered(64, (i) => [`tun_metadata${i}`, '124', 'hex', 'any', 'none', 'rw', '', `NXM_NX_TUN_METADATA${i} ${40 + i}`]),
  ['metadata', '8', 'hex', 'any', 'none', 'rw', 'metadata', 'OXM_OF_METADATA 2 1.2'],
  ['in_port', '2', 'port10', 'whole', 'none', 'rw', 'in_port', 'NXM_OF_IN_PORT 0'],
  ['in_port_oxm', '4', 'port11', 'whole', 'none', 'rw', 'in_port', 'OXM_OF_IN_PORT 0 1.2'],
  ['actset_output', '4', 'port11', 'whole', 'none', 'ro', 'actset_output', 'ONFOXM_ET_ACTSET_OUTPUT 43 1.3, OXM_OF_ACTSET_OUTPUT 43 1.5'],
  ['skb_priority', '4', 'hex', 'whole', 'none', 'ro', 'skb_priority', ''],
  ['pkt_mark', '4', 'hex', 'any', 'none', 'rw', 'pkt_mark', 'NXM_NX_PKT_MARK 33'],
  ['ct_state', '4', 'ct_state', 'any', 'none', 'ro', 'ct_state', 'NXM_NX_CT_STATE 105'],
  ['ct_zone', '2', 'hex', 'whole', 'none', 'ro', 'ct_zone', 'NXM_NX_CT_ZONE 106'],
  ['ct_mark', '4', 'hex', 'any', 'none', 'rw', 'ct_mark', 'NXM_NX_CT_MARK 107'],
  ['ct_label', '16', 'hex', 'any', 'none', 'rw', 'ct_label', 'NXM_NX_CT_LABEL 108'],
  ['ct_nw_proto', '1', 'decimal', 'whole', 'ct', 'ro', 'ct_nw_proto', 'NXM_NX_CT_NW_PROTO 119'],
  ['ct_nw_src', '4', 'ipv4', 'any', 'ct', 'ro', 'ct_nw_src', 'NXM_NX_CT_NW_SRC 120'],
  ['ct_nw_dst', '4', 'ipv4', 'any', 'ct', 'ro', 'ct_nw_dst', 'NXM_NX_CT_NW_DST 121'],
  ['ct_ipv6_src', '16', 'ipv6', 'any', 'ct', 'ro', 'ct_ipv6_src', 'NXM_NX_CT_IPV6_SRC 122'],
  ['ct_ipv6_dst', '16', 'ipv6', 'any', 'ct', 'ro', 'ct_ipv6_dst', 'NXM_NX_CT_IPV6_DST 123'],
  ['ct_tp_src', '2', 'decimal', 'any', 'ct', 'ro', 'ct_tp_src', 'NXM_NX_CT_TP_SRC 124'],
  ['ct_tp_dst', '2', 'decimal', 'any', 'ct', 'ro', 'ct_tp_dst', 'NXM_NX_CT_TP_DST 125'],
  ...numbered(16, (i) => [`reg${i}`, '4', 'hex', 'any', 'none', 'rw', `reg${i}`, `NXM_NX_REG${i} ${i}`]),
  ...numbered(8, (i) => [`xreg${i}`, '8', 'hex', 'any', 'none', 'rw', `reg${2 * i}`, `OXM_OF_PKT_REG${i} ${i} 1.3`]),
  ...numbered(4, (i) => [`xxreg${i}`, '16', 'hex', 'any', 'none', 'rw', `reg${4 * i}`, `NXM_NX_XXREG${i} ${111 + i}`]),
  ['eth_src dl_src', '6', 'mac', 'any', 'ethernet', 'rw', 'eth_src', 'NXM_OF_ETH_SRC 2, OXM_OF_ETH_SRC 4 1.2'],
  ['eth_dst dl_dst', '6', 'mac', 'any', 'ethernet', 'rw', 'eth_dst', 'NXM_OF_ETH_DST 1, OXM_OF_ETH_DST 3 1.2'],
  ['eth_type dl_type', '2', 'hex', 'whole', 'ethernet', 'ro', 'eth_type', 'NXM_OF_ETH_TYPE 3, OXM_OF_ETH_TYPE 5 1.2'],
  ['vlan_tci', '2', 'hex', 'any', 'ethernet', 'rw', 'vlan_tci', 'NXM_OF_VLAN_TCI 4'],
  ['dl_vlan', '2:12', 'decimal', 'whole', 'ethernet', 'rw', 'vlan_tci', ''],
  ['vlan_vid', '2:12', 'decimal', 'any', 'ethernet', 'rw', 'vlan_tci', 'OXM_OF_VLAN_VID 6 1.2'],
  ['dl_vlan_pcp', '1:3', 'decimal', 'whole', 'ethernet', 'rw', 'vlan_tci>>13', ''],
  ['vlan_pcp', '1:3', 'decimal', 'whole', 'vlan', 'rw', 'vlan_tci>>13', 'OXM_OF_VLAN_PCP 7 1.2'],
  ['mpls_label', '4:20', 'decimal', 'whole', 'mpls', 'rw', 'mpls_lse0>>12', 'OXM_OF_MPLS_LABEL 34 1.2'],
  ['mpls_tc', '1:3', 'decimal', 'whole', 'mpls', 'rw', 'mpls_lse0>>9', 'OXM_OF_MPLS_TC 35 1.2'],
  ['mpls_bos', '1:1', 'decimal', 'whole', 'mpls', 'ro', 'mpls_lse0>>8', 'OXM_OF_MPLS_BOS 36 1.3'],
  ['mpls_ttl', '1', 'decimal', 'whole', 'mpls', 'rw', 'mpls_lse0', 'NXM_NX_MPLS_TTL 30'],
  ['ip_src nw_src', '4', 'ipv4', 'any', 'ipv4', 'rw', 'ipv4_src', 'NXM_OF_IP_SRC 7, OXM_OF_IPV4_SRC 11 1.2'],
  ['ip_dst nw_dst', '4', 'ipv4', 'any', 'ipv4', 'rw', 'ipv4_dst', 'NXM_OF_IP_DST 8, OXM_OF_IPV4_DST 12 1.2'],
  ['ipv6_src', '16', 'ipv6', 'any', 'ipv6', 'rw', 'ipv6_src', 'NXM_NX_IPV6_SRC 19, OXM_OF_IPV6_SRC 26 1.2'],
  ['ipv6_dst', '16', 'ipv6', 'any', 'ipv6', 'rw', 'ipv6_dst', 'NXM_NX_IPV6_DST 20, OXM_OF_IPV6_DST 27 1.2'],
  ['ipv6_label', '4:20', 'hex', 'any', 'ipv6', 'rw', 'ipv6_label', 'NXM_NX_IPV6_LABEL 27, OXM_OF_IPV6_FLABEL 28 1.2'],
  ['nw_proto ip_proto', '1', 'decimal', 'whole', 'ip', 'ro', 'nw_proto', 'NXM_OF_IP_PROTO 6, OXM_OF_IP_PROTO 10 1.2'],
  ['nw_tos', '1', 'decimal', 'whole', 'ip', 'rw', 'nw_tos', 'NXM_OF_IP_TOS 5'],
  ['ip_dscp', '1:6', 'decimal', 'whole', 'ip', 'rw', 'nw_tos>>2', 'OXM_OF_IP_DSCP 8 1.2'],
  ['nw_ecn ip_ecn', '1:2', 'decimal', 'whole', 'ip', 'rw', 'nw_tos', 'NXM_NX_IP_ECN 28, OXM_OF_IP_ECN 9 1.2'],
  ['nw_ttl', '1', 'decimal', 'whole', 'ip', 'rw', 'nw_ttl', 'NXM_NX_IP_TTL 29'],
  ['ip_frag nw_frag', '1:2', 'frag', 'any', 'ip', 'ro', 'nw_frag', 'NXM_NX_IP_FRAG 26'],
  ['arp_op', '2', 'decimal', 'whole', 'arp', 'rw', 'nw_proto', 'NXM_OF_ARP_OP 15, OXM_OF_ARP_OP 21 1.2'],
  ['arp_spa', '4', 'ipv4', 'any', 'arp', 'rw', 'ipv4_src', 'NXM_OF_ARP_SPA 16, OXM_OF_ARP_SPA 22 1.2'],
  ['arp_tpa', '4', 'ipv4', 'any', 'arp', 'rw', 'ipv4_dst', 'NXM_OF_ARP_TPA 17, OXM_OF_ARP_TPA 23 1.2'],
  ['arp_sha', '6', 'mac', 'any', 'arp', 'rw', 'arp_sha', 'NXM_NX_ARP_SHA 17, OXM_OF_ARP_SHA 24 1.2'],
  ['arp_tha', '6', 'mac', 'any', 'arp', 'rw', 'arp_tha', 'NXM_NX_ARP_THA 18, OXM_OF_ARP_THA 25 1.2'],
  ['tcp_src tp_src', '2', 'decimal', 'any', 'tcp', 'rw', 'tp_src', 'NXM_OF_TCP_SRC 9, OXM_OF_TCP_SRC 13 1.2'],
  ['tcp_dst tp_dst', '2', 'decimal', 'any', 'tcp', 'rw', 'tp_dst', 'NXM_OF_TCP_DST 10, OXM_OF_TCP_DST 14 1.2'],
  ['tcp_flags', '2:12', 'tcp_flags', 'any', 'tcp', 'ro', 'tcp_flags', 'NXM_NX_TCP_FLAGS 34, ONFOXM_ET_TCP_FLAGS 42 1.3, OXM_OF_TCP_FLAGS 42 1.5'],
  ['udp_src', '2', 'decimal', 'any', 'udp', 'rw', 'tp_src', 'NXM_OF_UDP_SRC 11, OXM_OF_UDP_SRC 15 1.2'],
  ['udp_dst', '2', 'decimal', 'any', 'udp', 'rw', 'tp_dst', 'NXM_OF_UDP_DST 12, OXM_OF_UDP_DST 16 1.2'],
  ['sctp_src', '2', 'decimal', 'any', 'sctp', 'rw', 'tp_src', 'OXM_OF_SCTP_SRC 17 1.2'],
  ['sctp_dst', '2', 'decimal', 'any', 'sctp', 'rw', 'tp_dst', 'OXM_OF_SCTP_DST 18 1.2'],
  ['icmp_type', '1', 'decimal', 'whole', 'icmpv4', 'rw', 'tp_src', 'NXM_OF_ICMP_TYPE 13, OXM_OF_ICMPV4_TYPE 19 1.2'],
  ['icmp_code', '1', 'decimal', 'whole', 'icmpv4', 'rw', 'tp_dst', 'NXM_OF_ICMP_CODE 14, OXM_OF_ICMPV4_CODE 20 1.2'],
  ['icmpv6_type', '1', 'decimal', 'whole', 'icmpv6', 'rw', 'tp_src', 'NXM_NX_ICMPV6_TYPE 21, OXM_OF_ICMPV6_TYPE 29 1.2'],
  ['icmpv6_code', '1', 'decimal', 'whole', 'icmpv6', 'rw', 'tp_dst', 'NXM_NX_ICMPV6_CODE 22, OXM_OF_ICMPV6_CODE 30 1.2'],
  ['nd_target', '16', 'ipv6', 'any', 'nd', 'rw', 'nd_target', 'NXM_NX_ND_TARGET 23, OXM_OF_IPV6_ND_TARGET 31 1.2'],
  ['nd_sll', '6', 'mac', 'any', 'nd_solicit', 'rw', 'arp_sha', 'NXM_NX_ND_SLL 24, OXM_OF_IPV6_ND_SLL 32 1.2'],
  ['nd_tll', '6', 'mac', 'any', 'nd_advert', 'rw', 'arp_tha', 'NXM_NX_ND_TLL 25, OXM_OF_IPV6_ND_TLL 33 1.2'],
  ['nd_reserved', '4', 'decimal', 'whole', 'nd', 'rw', 'nd_reserved', 'ERICOXM_OF_ICMPV6_ND_RESERVED 1'],
  ['nd_options_type', '1', 'decimal', 'whole', 'nd', 'rw', 'nd_options_type', 'ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE 2'],
  ['nsh_flags', '1', 'decimal', 'any', 'nsh', 'rw', 'nsh_flags', 'NXOXM_NSH_FLAGS 1'],
  ['nsh_ttl', '1', 'decimal', 'whole', 'nsh', 'rw', 'nsh_ttl', 'NXOXM_NSH_TTL 10'],
  ['nsh_mdtype', '1', 'decimal', 'whole', 'nsh', 'ro', 'nsh_mdtype', 'NXOXM_NSH_MDTYPE 2'],
  ['nsh_np', '1', 'decimal', 'whole', 'nsh', 'ro', 'nsh_np', 'NXOXM_NSH_NP 3'],
  ['nsh_spi nsp', '4:24', 'hex', 'whole', 'nsh', 'rw', 'nsh_path>>8', 'NXOXM_NSH_SPI 4'],
  ['nsh_si nsi', '1', 'decimal', 'whole', 'nsh', 'rw', 'nsh_path', 'NXOXM_NSH_SI 5'],
  ['nsh_c1 nshc1', '4', 'hex', 'any', 'nsh', 'rw', 'nsh_c1', 'NXOXM_NSH_C1 6'],
  ['nsh_c2 nshc2', '4', 'hex', 'any', 'nsh', 'rw', 'nsh_c2', 'NXOXM_NSH_C2 7'],
  ['nsh_c3 nshc3', '4', 'hex', 'any', 'nsh', 'rw', 'nsh_c3', 'NXOXM_NSH_C3 8'],
  ['nsh_c4 nshc4', '4', 'hex', 'any', 'nsh', 'rw', 'nsh_c4', 'NXOXM_NSH_C4 9'],
];

/** A field's first name. Plain text, so that numbered fields need no list. */
export type OfFieldName = string;

function placeOf(text: string): OfFieldSpec['place'] {
  const [key, shift] = text.split('>>');
  return key ? { key, shift: Number(shift ?? 0) } : null;
}

export const ofFields: readonly OfFieldSpec[] = rows.map(
  ([names, size, notation, masking, needs, access, place, headers]) => {
    const [name, ...aliases] = names.split(' ') as [string, ...string[]];
    const [bytes, bits] = size.split(':').map(Number) as [number, number | undefined];
    return {
      name,
      aliases,
      size: bytes,
      bits: bits ?? bytes * 8,
      notation,
      isMaskable: masking === 'any',
      needs,
      isWritable: access === 'rw',
      place: placeOf(place),
      headers: headers === '' ? [] : headers.split(', ').map(header),
    };
  },
);
