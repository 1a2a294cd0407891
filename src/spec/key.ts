/**
 * The flow key: every header and metadata field that the datapath can match on, and where it lies.
 *
 * The key is made of 16-byte blocks, one v128 each. A field never straddles a block. What an ordinary IPv4 packet
 * sets lies in blocks 0 to 2, so that parsing, hashing and comparing it touch 48 bytes out of 576. A bitmap with
 * one bit a block (the key map) says which blocks are not all zero; absent blocks read as zero.
 *
 * `order: 'be'` fields hold the bytes as they stand on the wire; `order: 'le'` fields are numbers of the host
 * (WebAssembly is little-endian everywhere). A field that a packet lacks is zero.
 *
 * The fields and their meaning are those of Open vSwitch's struct flow, so that one key serves the datapath,
 * OpenFlow matching and tracing.
 */

export type FieldOrder = 'be' | 'le';

export interface KeyFieldSpec {
  readonly name: string;
  /** First byte in the key. */
  readonly offset: number;
  /** Bytes. */
  readonly size: 1 | 2 | 4 | 6 | 8 | 16 | 240 | 256;
  readonly order: FieldOrder;
  readonly source: string;
}

export const BLOCK_SIZE = 16;

interface BlockSpec {
  readonly name: string;
  readonly fields: readonly (readonly [name: string, size: number, order: FieldOrder, source: string])[];
}

/** Each block's fields lie one behind the other. */
const blocks: readonly BlockSpec[] = [
  {
    name: 'base',
    fields: [
      ['in_port', 4, 'le', 'datapath port number the packet came in by'],
      ['recirc_id', 4, 'le', 'recirculation id, 0 for a packet from a port'],
      ['packet_type', 4, 'be', 'namespace << 16 | type; 0 is Ethernet (OpenFlow 1.5 §7.2.3.11)'],
      ['eth_type', 2, 'be', 'Ethertype behind the VLAN tags; 0x05ff for a frame without one (OpenFlow 1.0 §3.4)'],
      ['nw_proto', 1, 'be', 'IP protocol, or the low byte of the ARP opcode'],
      ['nw_frag', 1, 'be', 'bit 0: a fragment; bit 1: not the first one'],
    ],
  },
  {
    name: 'ethernet',
    fields: [
      ['eth_dst', 6, 'be', 'IEEE 802.3'],
      ['eth_src', 6, 'be', 'IEEE 802.3'],
      ['vlan_tpid', 2, 'be', 'TPID of the outermost tag, 0 without one (IEEE 802.1Q)'],
      ['vlan_tci', 2, 'be', 'TCI of the outermost tag with bit 0x1000 set; 0 without one'],
    ],
  },
  {
    name: 'ipv4',
    fields: [
      ['ipv4_src', 4, 'be', 'RFC 791; ARP sender protocol address (RFC 826)'],
      ['ipv4_dst', 4, 'be', 'RFC 791; ARP target protocol address'],
      ['tp_src', 2, 'be', 'TCP, UDP, SCTP source port; ICMP or IGMP type'],
      ['tp_dst', 2, 'be', 'TCP, UDP, SCTP destination port; ICMP or IGMP code'],
      ['nw_tos', 1, 'be', 'IPv4 TOS or IPv6 traffic class (RFC 2474, RFC 3168)'],
      ['nw_ttl', 1, 'be', 'IPv4 TTL or IPv6 hop limit'],
      ['tcp_flags', 2, 'be', 'twelve bits (RFC 9293 §3.1)'],
    ],
  },
  {
    name: 'inner_tags',
    fields: [
      ['vlan2_tpid', 2, 'be', 'TPID of the second tag (IEEE 802.1ad)'],
      ['vlan2_tci', 2, 'be', 'TCI of the second tag with bit 0x1000 set'],
      ['mpls_lse0', 4, 'be', 'outermost label stack entry (RFC 3032)'],
      ['mpls_lse1', 4, 'be', 'second label stack entry'],
      ['mpls_lse2', 4, 'be', 'third label stack entry'],
    ],
  },
  { name: 'ipv6_src', fields: [['ipv6_src', 16, 'be', 'RFC 8200']] },
  { name: 'ipv6_dst', fields: [['ipv6_dst', 16, 'be', 'RFC 8200']] },
  {
    name: 'nd_target',
    fields: [['nd_target', 16, 'be', 'target address of a neighbour solicitation or advertisement (RFC 4861)']],
  },
  {
    name: 'arp_nd',
    fields: [
      ['arp_sha', 6, 'be', 'ARP sender hardware address; ND source link-layer address'],
      ['arp_tha', 6, 'be', 'ARP target hardware address; ND target link-layer address'],
      ['ipv6_label', 4, 'be', 'flow label, twenty bits (RFC 6437)'],
    ],
  },
  {
    name: 'igmp_nd',
    fields: [
      ['igmp_group', 4, 'be', 'IGMP group address (RFC 2236)'],
      ['nd_reserved', 4, 'be', 'reserved and flag bits of the ND message (RFC 4861 §4.3, §4.4)'],
      ['nd_options_type', 1, 'be', 'type of the first ND option kept'],
    ],
  },
  {
    name: 'nsh',
    fields: [
      ['nsh_flags', 1, 'be', 'RFC 8300 §2.2: O and U bits'],
      ['nsh_ttl', 1, 'be', 'RFC 8300 §2.2'],
      ['nsh_mdtype', 1, 'be', 'RFC 8300 §2.2'],
      ['nsh_np', 1, 'be', 'next protocol (RFC 8300 §2.2)'],
      ['nsh_path', 4, 'be', 'service path identifier << 8 | service index (RFC 8300 §2.3)'],
      ['nsh_c1', 4, 'be', 'fixed context header 1 (RFC 8300 §2.4)'],
      ['nsh_c2', 4, 'be', 'fixed context header 2'],
    ],
  },
  {
    name: 'nsh_more',
    fields: [
      ['nsh_c3', 4, 'be', 'fixed context header 3'],
      ['nsh_c4', 4, 'be', 'fixed context header 4'],
    ],
  },
  {
    name: 'meta',
    fields: [
      ['dp_hash', 4, 'le', 'hash that the hash action computed'],
      ['skb_priority', 4, 'le', 'queue'],
      ['pkt_mark', 4, 'le', 'packet mark'],
      ['ct_mark', 4, 'le', 'connection mark'],
    ],
  },
  {
    name: 'ct',
    fields: [
      ['ct_state', 1, 'le', 'connection state bits (ovs-fields(7))'],
      ['ct_nw_proto', 1, 'be', 'original direction tuple'],
      ['ct_zone', 2, 'le', 'connection zone'],
      ['ct_tp_src', 2, 'be', 'original direction tuple'],
      ['ct_tp_dst', 2, 'be', 'original direction tuple'],
      ['ct_nw_src', 4, 'be', 'original direction tuple'],
      ['ct_nw_dst', 4, 'be', 'original direction tuple'],
    ],
  },
  { name: 'ct_label', fields: [['ct_label', 16, 'be', 'connection label']] },
  { name: 'ct_ipv6_src', fields: [['ct_ipv6_src', 16, 'be', 'original direction tuple']] },
  { name: 'ct_ipv6_dst', fields: [['ct_ipv6_dst', 16, 'be', 'original direction tuple']] },
  {
    name: 'tun',
    fields: [
      ['tun_id', 8, 'be', 'tunnel key: VNI or GRE key in the low bits'],
      ['tun_src', 4, 'be', 'outer IPv4 source'],
      ['tun_dst', 4, 'be', 'outer IPv4 destination'],
    ],
  },
  { name: 'tun_ipv6_src', fields: [['tun_ipv6_src', 16, 'be', 'outer IPv6 source']] },
  { name: 'tun_ipv6_dst', fields: [['tun_ipv6_dst', 16, 'be', 'outer IPv6 destination']] },
  {
    name: 'tun_more',
    fields: [
      ['tun_flags', 2, 'le', 'TUNNEL_FLAG bits'],
      ['tun_tos', 1, 'be', 'outer TOS or traffic class'],
      ['tun_ttl', 1, 'be', 'outer TTL or hop limit'],
      ['tun_tp_src', 2, 'be', 'outer UDP source port'],
      ['tun_tp_dst', 2, 'be', 'outer UDP destination port'],
      ['tun_gbp_id', 2, 'be', 'VXLAN group policy id'],
      ['tun_gbp_flags', 1, 'be', 'VXLAN group policy flags'],
      ['tun_opts_len', 1, 'le', 'bytes of options in tun_opts; 0 to 252, a multiple of four'],
    ],
  },
  { name: 'tun_opts', fields: [['tun_opts', 256, 'be', 'Geneve options as on the wire (RFC 8926 §3.5)']] },
];

/** Fields in network order, one behind the other. */
function placeFrom(
  start: number,
  rows: readonly (readonly [name: string, size: 4 | 8, source: string])[],
): KeyFieldSpec[] {
  let offset = start;
  return rows.map(([name, size, source]) => {
    const field: KeyFieldSpec = { name, offset, size, order: 'be', source };
    offset += size;
    return field;
  });
}

function layOut(): KeyFieldSpec[] {
  const fields: KeyFieldSpec[] = [];
  let block = 0;
  for (const { name, fields: members } of blocks) {
    let offset = block * BLOCK_SIZE;
    for (const [field, size, order, source] of members) {
      fields.push({ name: field, offset, size: size as KeyFieldSpec['size'], order, source });
      offset += size;
    }
    const used = offset - block * BLOCK_SIZE;
    if (used > BLOCK_SIZE && members.length > 1) throw new Error(`key block ${name} has ${used} bytes`);
    block += Math.max(1, Math.ceil(used / BLOCK_SIZE));
  }
  return fields;
}

export const keyFields: readonly KeyFieldSpec[] = layOut();
export const KEY_BLOCK_COUNT = Math.ceil(Math.max(...keyFields.map((f) => f.offset + f.size)) / BLOCK_SIZE);
export const KEY_SIZE = KEY_BLOCK_COUNT * BLOCK_SIZE;

/**
 * What OpenFlow tables can match on and the datapath never sees. On the control side these fields follow the datapath's
 * key, so that one run of bytes is a whole OpenFlow flow (ovs-fields(7): pipeline fields). tun_metadata lies in tun_opts.
 */
export const pipelineFields: readonly KeyFieldSpec[] = placeFrom(KEY_SIZE, [
  ['metadata', 8, 'OpenFlow 1.1 §4.5'],
  ['conj_id', 4, 'id of the conjunction that matched'],
  ['actset_output', 4, 'port of the output action in the action set (OpenFlow 1.5 §7.2.3.7)'],
  ...Array.from({ length: 16 }, (_, i) => [`reg${i}`, 4, 'register'] as const),
  ['tun_erspan_idx', 4, 'ERSPAN index; no tunnel of this datapath sets it, nor the five that follow'],
  ['tun_erspan_ver', 4, 'ERSPAN version'],
  ['tun_erspan_dir', 4, 'ERSPAN direction'],
  ['tun_erspan_hwid', 4, 'ERSPAN hardware id'],
  ['tun_gtpu_flags', 4, 'GTP-U flags'],
  ['tun_gtpu_msgtype', 4, 'GTP-U message type'],
]);
/** Bytes of a whole OpenFlow flow: the datapath's key and the pipeline fields. */
export const PIPELINE_KEY_SIZE =
  Math.ceil(Math.max(...pipelineFields.map((f) => f.offset + f.size)) / BLOCK_SIZE) * BLOCK_SIZE;

const blockOf = (field: string): number => {
  const found = keyFields.find((f) => f.name === field);
  if (!found) throw new Error(`no key field ${field}`);
  return found.offset / BLOCK_SIZE;
};

/** First block that describes the packet's way so far and not its headers: it outlives recirculation. */
export const KEY_META_BLOCK_FIRST = Math.floor(blockOf('dp_hash'));
export const keyBlocks: readonly { readonly name: string; readonly index: number }[] = blocks.map((b) => ({
  name: b.name,
  index: Math.floor(blockOf(b.fields[0]![0])),
}));

/** Bits of tun_flags (Open vSwitch's FLOW_TNL_F_* and the flags a datapath flow shows). */
export const tunnelFlags = { OAM: 1, DONT_FRAGMENT: 2, CSUM: 4, KEY: 8 } as const;
/** Bits of nw_frag. */
export const fragFlags = { ANY: 1, LATER: 2 } as const;
/** Bit of a stored TCI that says that the tag is there. */
export const VLAN_CFI = 0x1000;
/** eth_type of an 802.2 frame without a SNAP Ethertype. */
export const ETH_TYPE_NONE = 0x05ff;
