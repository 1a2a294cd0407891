/** ct_state, ct_zone, ct_mark, ct_label, ct_tuple4, ct_tuple6: what connection tracking said of the packet. */
import { ctStateSet, formatSigned } from '../flags.ts';
import { decimal, hex, ipv4, ipv6 } from '../number.ts';
import type { Row } from '../row.ts';
import { slot } from '../slot.ts';
import { flags, group, single } from './group.ts';
import { needsEthType } from './prerequisites.ts';

const tuple4Rows: readonly Row[] = [
  { name: 'src', slot: slot('ct_nw_src'), notation: ipv4 },
  { name: 'dst', slot: slot('ct_nw_dst'), notation: ipv4 },
  { name: 'proto', slot: slot('ct_nw_proto'), notation: decimal },
  { name: 'tp_src', slot: slot('ct_tp_src'), notation: decimal },
  { name: 'tp_dst', slot: slot('ct_tp_dst'), notation: decimal },
];

/** Open vSwitch writes src_port and dst_port here but reads tp_src and tp_dst; both are read. */
const tuple6Rows: readonly Row[] = [
  { name: 'src', slot: slot('ct_ipv6_src'), notation: ipv6 },
  { name: 'dst', slot: slot('ct_ipv6_dst'), notation: ipv6 },
  { name: 'proto', slot: slot('ct_nw_proto'), notation: decimal },
  { name: 'src_port', alias: 'tp_src', slot: slot('ct_tp_src'), notation: decimal },
  { name: 'dst_port', alias: 'tp_dst', slot: slot('ct_tp_dst'), notation: decimal },
];

export const ctAttributes = [
  flags('ct_state', 'ct_state', ctStateSet, formatSigned),
  single('ct_zone', 'ct_zone', hex),
  single('ct_mark', 'ct_mark', hex),
  single('ct_label', 'ct_label', hex),
  group('ct_tuple4', tuple4Rows, needsEthType(0x0800)),
  group('ct_tuple6', tuple6Rows, needsEthType(0x86dd)),
];
