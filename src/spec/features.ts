/** What users of Open vSwitch look for, and whether it is there. The README's table is made from these rows. */
export interface FeatureSpec {
  readonly area: string;
  readonly name: string;
  readonly state: 'works' | 'not yet';
  readonly note?: string;
}

type Row = readonly [name: string, state: FeatureSpec['state'], note?: string];
const area = (name: string, rows: readonly Row[]): FeatureSpec[] =>
  rows.map(([feature, state, note]) => ({ area: name, name: feature, state, ...(note === undefined ? {} : { note }) }));

export const features: readonly FeatureSpec[] = [
  ...area('Datapath', [
    ['parse Ethernet, VLAN, QinQ, MPLS, ARP, IPv4, IPv6, TCP, UDP, SCTP, ICMP, ND, IGMP, NSH', 'works'],
    ['exact-match cache and megaflow classifier', 'works'],
    ['actions: output, trunc, set, push/pop, tunnels, clone, sample, meter, check_pkt_len, recirc', 'works'],
    ['VXLAN, Geneve, GRE', 'works'],
    ['several workers, each in a thread, on one shared memory', 'works'],
    ['connection tracking, NAT', 'not yet', 'ct is refused and counted'],
  ]),
  ...area('Switching', [
    ['NORMAL: MAC learning, VLAN modes, patch ports, flooding', 'works'],
    ['trace', 'works'],
    [
      'OpenFlow 1.0 to 1.5: tables, groups, meters, bundles, controllers, packet-ins, flow monitors',
      'works',
      'no connection tracker behind ct and nat; no matches on tun_metadata',
    ],
    ['bonds, LACP, STP, RSTP, BFD, CFM, LLDP', 'not yet'],
    ['mirrors, NetFlow, sFlow, IPFIX, QoS', 'not yet'],
  ]),
  ...area('Packet I/O', [
    ['memory, pcap and pcapng files', 'works'],
    ['AF_PACKET, TAP: offloads of the ends left on, large segments cut and put together again', 'works'],
    ['AF_XDP, native and generic: rings and frames inside the Wasm memory', 'works'],
    ['several queues a port: AF_XDP, TAP, AF_PACKET', 'works'],
  ]),
  ...area('Management', [
    ['simulator on a virtual clock', 'works'],
    [
      'ovsdb-server: files, transactions, monitors, locks; Unix, TCP and TLS sockets; schema conversion',
      'works',
      'no clusters, relay, active-backup or RBAC',
    ],
    ['ovs-vswitchd from the database, driven by ovs-vsctl, ovs-ofctl and ovs-appctl', 'works', 'docs/differences.md'],
    ['weft run, apply, doctor, top: real interfaces by a file', 'works'],
    ['clients: ofctl, vsctl, appctl, dpctl, ovsdb', 'works'],
    ['OVN', 'not yet'],
  ]),
];
