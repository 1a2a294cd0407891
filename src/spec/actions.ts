/**
 * Datapath actions, as they lie in linear memory.
 *
 * A list is a run of records, each `u16 type, u16 size` and its payload; `size` counts the four header bytes and is a
 * multiple of four, and so is every payload offset below. Nested lists are runs of the same kind. Fields that go on
 * the wire stand in network order ('be'), the rest are little-endian ('le').
 */
export interface ActionFieldSpec {
  readonly name: string;
  readonly size: number;
  readonly order: 'be' | 'le';
  readonly help: string;
}

export interface ActionSpec {
  readonly code: number;
  /** The word of the datapath's text form. */
  readonly name: string;
  readonly fields: readonly ActionFieldSpec[];
  /** What follows the fixed fields. */
  readonly tail?: 'actions' | 'bytes' | 'two-lists';
  readonly help: string;
}

type Row = readonly [name: string, size: number, order: 'be' | 'le', help?: string];
const fields = (...rows: Row[]): ActionFieldSpec[] =>
  rows.map(([name, size, order, help = '']) => ({ name, size, order, help }));

/** A masked set carries the value and then the mask, each padded to a multiple of four. */
const masked = (...rows: Row[]): ActionFieldSpec[] => {
  const size = rows.reduce((sum, row) => sum + row[1], 0);
  const pad: Row[] = size % 4 === 0 ? [] : [['pad', 4 - (size % 4), 'le']];
  const half = [...rows, ...pad];
  return fields(...half, ...half.map(([name, bytes, order]): Row => [`${name}_mask`, bytes, order]));
};

const rows: readonly Omit<ActionSpec, 'code'>[] = [
  { name: 'output', fields: fields(['port', 4, 'le']), help: 'send by a port' },
  { name: 'trunc', fields: fields(['max_len', 4, 'le']), help: 'cut the next output to so many bytes (at least 14)' },
  {
    name: 'userspace',
    fields: fields(
      ['reason', 4, 'le', 'UPCALL_ACTION or another upcall type'],
      ['pid', 4, 'le', 'port id of the text form; kept, not used'],
      ['tunnel_out_port', 4, 'le', '0xffffffff for none'],
      ['flags', 4, 'le', 'bit 0: the text form shows the actions'],
      ['userdata_size', 4, 'le', 'bytes that follow, before padding'],
    ),
    tail: 'bytes',
    help: 'a copy of the frame to the control side, with user data',
  },
  { name: 'drop', fields: fields(['reason', 4, 'le', 'drop reason code']), help: 'end here, for this reason' },
  {
    name: 'push_vlan',
    fields: fields(['tpid', 2, 'be'], ['tci', 2, 'be', 'with bit 0x1000 set']),
    help: 'add an outermost tag',
  },
  { name: 'pop_vlan', fields: [], help: 'take the outermost tag off' },
  {
    name: 'push_mpls',
    fields: fields(['lse', 4, 'be'], ['eth_type', 2, 'be'], ['pad', 2, 'le']),
    help: 'add a label stack entry',
  },
  { name: 'pop_mpls', fields: fields(['eth_type', 2, 'be'], ['pad', 2, 'le']), help: 'take the outermost entry off' },
  {
    name: 'push_eth',
    fields: fields(['dst', 6, 'be'], ['src', 6, 'be']),
    help: 'put an Ethernet header before an L3 packet',
  },
  { name: 'pop_eth', fields: [], help: 'take the Ethernet header off' },
  {
    name: 'push_nsh',
    fields: fields(
      ['flags', 1, 'be'],
      ['ttl', 1, 'be'],
      ['mdtype', 1, 'be'],
      ['np', 1, 'be'],
      ['path', 4, 'be'],
      ['md_size', 4, 'le', 'bytes of metadata that follow'],
    ),
    tail: 'bytes',
    help: 'put an NSH header before the packet',
  },
  { name: 'pop_nsh', fields: [], help: 'take the NSH header off' },
  { name: 'set_eth', fields: masked(['dst', 6, 'be'], ['src', 6, 'be']), help: 'Ethernet addresses' },
  {
    name: 'set_ipv4',
    fields: masked(
      ['src', 4, 'be'],
      ['dst', 4, 'be'],
      ['proto', 1, 'be'],
      ['tos', 1, 'be'],
      ['ttl', 1, 'be'],
      ['frag', 1, 'be'],
    ),
    help: 'IPv4 header; protocol and fragment bits are never changed',
  },
  {
    name: 'set_ipv6',
    fields: masked(
      ['src', 16, 'be'],
      ['dst', 16, 'be'],
      ['label', 4, 'be'],
      ['proto', 1, 'be'],
      ['tclass', 1, 'be'],
      ['hlimit', 1, 'be'],
      ['frag', 1, 'be'],
    ),
    help: 'IPv6 header; protocol and fragment bits are never changed',
  },
  { name: 'set_tcp', fields: masked(['src', 2, 'be'], ['dst', 2, 'be']), help: 'TCP ports' },
  { name: 'set_udp', fields: masked(['src', 2, 'be'], ['dst', 2, 'be']), help: 'UDP ports' },
  {
    name: 'set_sctp',
    fields: masked(['src', 2, 'be'], ['dst', 2, 'be']),
    help: 'SCTP ports; the CRC32c is made anew (RFC 9260 §6.8)',
  },
  { name: 'set_icmp', fields: masked(['type', 1, 'be'], ['code', 1, 'be']), help: 'ICMP type and code' },
  { name: 'set_icmpv6', fields: masked(['type', 1, 'be'], ['code', 1, 'be']), help: 'ICMPv6 type and code' },
  {
    name: 'set_arp',
    fields: masked(['sip', 4, 'be'], ['tip', 4, 'be'], ['op', 2, 'be'], ['sha', 6, 'be'], ['tha', 6, 'be']),
    help: 'ARP for IPv4 over Ethernet',
  },
  {
    name: 'set_nd',
    fields: masked(['target', 16, 'be'], ['sll', 6, 'be'], ['tll', 6, 'be']),
    help: 'neighbour discovery target and link-layer options',
  },
  {
    name: 'set_nd_ext',
    fields: masked(['reserved', 4, 'be'], ['options_type', 1, 'be']),
    help: 'neighbour discovery reserved bits and option type',
  },
  { name: 'set_mpls', fields: masked(['lse', 4, 'be']), help: 'outermost label stack entry' },
  {
    name: 'set_nsh',
    fields: masked(
      ['flags', 1, 'be'],
      ['ttl', 1, 'be'],
      ['mdtype', 1, 'be'],
      ['np', 1, 'be'],
      ['path', 4, 'be'],
      ['c1', 4, 'be'],
      ['c2', 4, 'be'],
      ['c3', 4, 'be'],
      ['c4', 4, 'be'],
    ),
    help: 'NSH base header and fixed context',
  },
  { name: 'set_priority', fields: masked(['priority', 4, 'le']), help: 'queue' },
  { name: 'set_mark', fields: masked(['mark', 4, 'le']), help: 'packet mark' },
  {
    name: 'set_tunnel',
    fields: fields(
      ['tun_id', 8, 'be'],
      ['src', 4, 'be'],
      ['dst', 4, 'be'],
      ['ipv6_src', 16, 'be'],
      ['ipv6_dst', 16, 'be'],
      ['flags', 2, 'le'],
      ['tos', 1, 'be'],
      ['ttl', 1, 'be'],
      ['tp_src', 2, 'be'],
      ['tp_dst', 2, 'be'],
      ['gbp_id', 2, 'be'],
      ['gbp_flags', 1, 'be'],
      ['opts_len', 1, 'le'],
    ),
    tail: 'bytes',
    help: 'tunnel metadata of the packet; the options follow',
  },
  {
    name: 'tnl_pop',
    fields: fields(['port', 4, 'le']),
    help: 'take the outer headers off and go on as a packet of that port',
  },
  {
    name: 'tnl_push',
    fields: fields(
      ['tnl_port', 4, 'le'],
      ['out_port', 4, 'le'],
      ['tnl_type', 4, 'le', 'TUNNEL_TYPE'],
      ['l3_offset', 2, 'le', 'bytes of the Ethernet header and tags'],
      ['header_size', 2, 'le', 'bytes of the header that follow, before padding'],
    ),
    tail: 'bytes',
    help: 'put these outer headers before the packet, fill in lengths, checksums and the UDP source port',
  },
  {
    name: 'hash',
    fields: fields(['alg', 4, 'le', '0 is the five-tuple, 1 is symmetric L3/L4'], ['basis', 4, 'le']),
    help: 'compute dp_hash',
  },
  { name: 'recirc', fields: fields(['recirc_id', 4, 'le']), help: 'look the packet up again under this id' },
  { name: 'clone', fields: [], tail: 'actions', help: 'do these actions on a copy' },
  {
    name: 'sample',
    fields: fields(['probability', 4, 'le', 'of 0xffffffff']),
    tail: 'actions',
    help: 'do these actions on a copy, with this probability',
  },
  { name: 'meter', fields: fields(['meter_id', 4, 'le']), help: 'drop what exceeds the meter' },
  {
    name: 'check_pkt_len',
    fields: fields(['max_len', 4, 'le'], ['greater_size', 4, 'le', 'bytes of the first list']),
    tail: 'two-lists',
    help: 'the first list when the frame is longer than max_len, else the second',
  },
  {
    name: 'ct',
    fields: fields(['flags', 4, 'le'], ['zone', 4, 'le']),
    tail: 'bytes',
    help: 'connection tracking: its room; the datapath refuses it for now',
  },
  { name: 'ct_clear', fields: [], help: 'forget the connection state of the packet' },
];

export const actions: readonly ActionSpec[] = rows.map((row, index) => ({ ...row, code: index + 1 }));

/** tnl_type of tnl_push: Open vSwitch's OVS_VPORT_TYPE numbers, as its text form shows them. */
export const tunnelTypes = { GRE: 3, VXLAN: 4, GENEVE: 5 } as const;
