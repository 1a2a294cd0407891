/** Groups, recirculation and learning: tables and packets whose traces must be the reference's. */
import type { TraceSettings } from './trace-group-support.ts';

export interface Scenario {
  readonly name: string;
  readonly groups?: readonly string[];
  readonly meters?: readonly string[];
  readonly flows: readonly string[];
  readonly packets: readonly string[];
  readonly settings?: TraceSettings;
}

const MACS = 'dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02';
const TCP = `in_port=1,${MACS},tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=80`;
const TCP2 = `in_port=2,${MACS},tcp,nw_src=10.0.0.2,nw_dst=10.0.0.1,nw_ttl=64,tp_src=80,tp_dst=1000`;
const UDP = `in_port=2,${MACS},udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,nw_tos=8,udp_src=53,udp_dst=54`;
const SCTP = `in_port=1,${MACS},sctp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,sctp_src=1,sctp_dst=2`;
const TCP6 = `in_port=1,${MACS},tcp6,ipv6_src=2001::1,ipv6_dst=2001:5::2,nw_ttl=64,tp_src=1000,tp_dst=80`;
const UDP6 = `in_port=1,${MACS},udp6,ipv6_src=2001::1,ipv6_dst=2001:5::2,nw_ttl=64,udp_src=1000,udp_dst=80`;
const ARP = `in_port=1,${MACS},arp,arp_op=1,arp_spa=10.0.0.1,arp_tpa=10.0.0.2`;
const VLAN = `in_port=1,${MACS},dl_vlan=10,dl_vlan_pcp=3,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=80`;
const OTHER = `in_port=1,${MACS},dl_type=0x1234`;
const MPLS = `in_port=1,${MACS},mpls,mpls_label=100,mpls_tc=3,mpls_ttl=64,mpls_bos=1`;
const TTL1 = `in_port=1,${MACS},tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=1,tp_src=1000,tp_dst=80`;
const kinds = [TCP, UDP, SCTP, TCP6, UDP6, ARP, VLAN, OTHER];

/** One flow that gives everything to a group. */
const toGroup = (name: string, groups: readonly string[], packets: readonly string[] = [TCP], then = ''): Scenario => ({
  name,
  groups,
  flows: [`actions=group:1${then}`],
  packets,
});
const hashes = [1, 2, 3, 5, 7, 8, 15, 16, 77, 255, 256, 4095].map((hash) => `${TCP},dp_hash=${hash}`);
const AB = 'bucket=output:2,bucket=output:3';
const later = ['table=1,actions=output:4', 'table=2,reg0=1,actions=output:2', 'table=2,reg0=0,actions=output:3'];

const groups: readonly Scenario[] = [
  toGroup('all', [`group_id=1,type=all,${AB}`], kinds),
  toGroup('all with the input port', ['group_id=1,type=all,bucket=output:1,bucket=output:2,bucket=in_port']),
  toGroup('all without buckets', ['group_id=1,type=all'], [TCP], ',2'),
  toGroup(
    'all with changes',
    ['group_id=1,type=all,bucket=dec_ttl,output:2,bucket=set_field:1->ip_dscp,output:3,bucket=output:4'],
    [TCP, UDP],
  ),
  toGroup(
    'changes are undone',
    ['group_id=1,type=all,bucket=set_field:5->reg0,set_field:1.1.1.1->nw_dst,output:2'],
    [TCP],
    ',output:3,resubmit(,2)',
  ),
  toGroup(
    'a bucket in action-set order',
    ['group_id=1,type=all,bucket=output:2,set_field:9->nw_ttl,push_vlan:0x8100,dec_ttl'],
    [TCP],
  ),
  toGroup('a bucket without output', ['group_id=1,type=all,bucket=dec_ttl,bucket=output:2'], [TCP]),
  toGroup('TTL exception in a bucket', ['group_id=1,type=all,bucket=dec_ttl,output:2,bucket=output:3'], [TTL1], ',4'),
  toGroup('bucket ids', ['group_id=1,type=all,bucket=bucket_id:7,output:2,bucket=bucket_id:3,output:3']),
  toGroup('indirect', ['group_id=1,type=indirect,bucket=dec_ttl,output:2'], [TCP, TTL1], ',3'),
  toGroup('indirect to a controller', ['group_id=1,type=indirect,bucket=controller'], [TCP, ARP]),
  toGroup('chain', [
    'group_id=2,type=all,bucket=output:3,bucket=output:4',
    'group_id=1,type=all,bucket=group:2,bucket=output:2',
  ]),
  toGroup(
    'chain in a chain',
    [
      'group_id=3,type=indirect,bucket=output:4',
      'group_id=2,type=indirect,bucket=set_field:5->nw_ttl,group:3',
      'group_id=1,type=indirect,bucket=group:2',
    ],
    [TCP],
    ',2',
  ),
  {
    name: 'resubmit in a bucket',
    groups: ['group_id=1,type=all,bucket=set_field:1->reg0,resubmit(,2),bucket=resubmit(,2),bucket=resubmit(,1)'],
    flows: ['actions=group:1,4', ...later],
    packets: [TCP, ARP],
  },
  {
    name: 'exit in a bucket ends the bucket',
    groups: ['group_id=1,type=all,bucket=resubmit(,3),bucket=output:3'],
    flows: ['actions=group:1,4', 'table=3,actions=2,exit,3'],
    packets: [TCP],
  },
  {
    name: 'group in the action set',
    groups: [`group_id=1,type=all,${AB}`],
    flows: ['ip,actions=write_actions(group:1,dec_ttl,output:4),goto_table:1', 'table=1,actions=set_field:3->reg0'],
    packets: [TCP, ARP, TTL1],
  },
  toGroup(
    'fast failover',
    ['group_id=1,type=ff,bucket=watch_port:2,output:2,bucket=watch_port:3,output:3'],
    [TCP],
    ',4',
  ),
  toGroup('fast failover past dead ports', [
    'group_id=1,type=ff,bucket=watch_port:9,output:2,bucket=watch_port:8,output:3,bucket=watch_port:3,output:4',
  ]),
  toGroup('fast failover, nothing alive', ['group_id=1,type=ff,bucket=watch_port:9,output:2'], [TCP], ',3'),
  toGroup('fast failover by groups', [
    'group_id=2,type=ff,bucket=watch_port:9,output:2',
    'group_id=3,type=ff,bucket=watch_port:2,output:2',
    'group_id=1,type=ff,bucket=watch_group:2,output:2,bucket=watch_group:3,output:3',
  ]),
  toGroup('fast failover, port or group', [
    'group_id=2,type=all,bucket=output:4',
    'group_id=1,type=ff,bucket=watch_port:9,watch_group:5,output:2,bucket=watch_port:9,watch_group:2,output:3',
  ]),
  toGroup('select', [`group_id=1,type=select,${AB}`], [...kinds, ...hashes], ',4'),
  toGroup(
    'select, weights',
    ['group_id=1,type=select,bucket=weight:10,output:2,bucket=weight:20,output:3,bucket=weight:200,output:4'],
    [TCP, ...hashes],
  ),
  toGroup(
    'select, many weights',
    [
      'group_id=1,type=select,bucket=weight:3,output:2,bucket=weight:5,output:3,bucket=weight:7,output:4,bucket=weight:11,output:2',
    ],
    [TCP, ...hashes],
  ),
  toGroup(
    'select, a weight of zero',
    ['group_id=1,type=select,bucket=weight:0,output:2,bucket=weight:1,output:3'],
    [TCP, ...hashes],
  ),
  toGroup(
    'select, all weights zero',
    ['group_id=1,type=select,bucket=weight:0,output:2,bucket=weight:0,watch_port:2,output:3'],
    kinds,
  ),
  toGroup('select without buckets', ['group_id=1,type=select'], [TCP, OTHER]),
  toGroup(
    'select, too uneven for hash values',
    ['group_id=1,type=select,bucket=weight:1,output:2,bucket=weight:2000,output:3'],
    [...kinds, TCP2],
  ),
  toGroup(
    'select, uneven, dead buckets',
    [
      'group_id=1,type=select,bucket=weight:1,output:2,bucket=weight:2000,watch_port:9,output:3,bucket=weight:1,watch_port:8,watch_group:7,output:3',
    ],
    kinds,
  ),
  toGroup(
    'select, dead buckets',
    [
      'group_id=1,type=select,bucket=weight:1,watch_port:9,output:2,bucket=weight:1,watch_port:2,output:3,bucket=weight:1,watch_group:7,output:4',
    ],
    [TCP, ...hashes],
  ),
  toGroup('select, nothing alive', ['group_id=1,type=select,bucket=weight:1,watch_port:9,output:2'], [TCP, ...hashes]),
  toGroup('dp_hash', [`group_id=1,type=select,selection_method=dp_hash,${AB}`], [TCP, ...hashes]),
  toGroup(
    'dp_hash, parameter',
    [`group_id=1,type=select,selection_method=dp_hash,selection_method_param=0x100000005,${AB}`],
    [TCP, ...hashes],
  ),
  toGroup(
    'dp_hash, unknown algorithm',
    [`group_id=1,type=select,selection_method=dp_hash,selection_method_param=0x700000005,${AB}`],
    [TCP],
  ),
  toGroup(
    'dp_hash, 256 values',
    ['group_id=1,type=select,selection_method=dp_hash,bucket=weight:1,output:2,bucket=weight:200,output:3'],
    [TCP, ...hashes],
  ),
  toGroup(
    'dp_hash, too uneven',
    ['group_id=1,type=select,selection_method=dp_hash,bucket=weight:1,output:2,bucket=weight:300,output:3'],
    kinds,
  ),
  toGroup('hash without fields', [`group_id=1,type=select,selection_method=hash,${AB}`], kinds),
  toGroup('hash of fields', [`group_id=1,type=select,selection_method=hash,fields(nw_src,tcp_dst),${AB}`], kinds),
  toGroup(
    'hash of masked fields',
    [
      `group_id=1,type=select,selection_method=hash,selection_method_param=77,fields(nw_src=255.255.0.0,udp_dst,tcp_dst,eth_src),${AB}`,
    ],
    kinds,
  ),
  toGroup(
    'hash of other fields',
    [`group_id=1,type=select,selection_method=hash,fields(in_port,eth_type,vlan_vid,ipv6_dst,ip_proto,arp_op),${AB}`],
    kinds,
  ),
  toGroup(
    'hash of a register',
    [`group_id=1,type=select,selection_method=hash,fields(reg0,eth_dst,metadata),${AB}`],
    kinds,
  ),
  {
    name: 'select in all',
    groups: [`group_id=2,type=select,${AB}`, 'group_id=1,type=all,bucket=group:2,bucket=output:4'],
    flows: ['actions=group:1,3'],
    packets: [TCP, ...hashes],
  },
  {
    name: 'changes before select',
    groups: [`group_id=1,type=select,${AB}`],
    flows: ['ip,actions=dec_ttl,set_field:5->reg3,group:1,4'],
    packets: [TCP, TTL1],
  },
  {
    name: 'select behind goto',
    groups: [`group_id=1,type=select,${AB}`],
    flows: ['ip,actions=write_actions(output:4),goto_table:1', 'table=1,actions=group:1'],
    packets: [TCP, ...hashes],
  },
  {
    name: 'select in a clone',
    groups: [`group_id=1,type=select,${AB}`],
    flows: ['ip,actions=clone(group:1),4'],
    packets: [TCP, ...hashes],
  },
  {
    name: 'select by a patch port',
    groups: [`group_id=1,type=select,${AB},bucket=output:50`],
    flows: ['ip,actions=group:1,50'],
    packets: [TCP, ...hashes],
  },
];

const one = (actions: string, packets: readonly string[] = [TCP], settings: TraceSettings = {}): Scenario => ({
  name: [actions, ...(settings.ctNext ?? []), ...(settings.generates ? ['generates'] : [])].join(' '),
  flows: [`ip,actions=${actions}`, `ipv6,actions=${actions}`, ...later],
  packets,
  settings,
});

const conntrack: readonly Scenario[] = [
  one('ct,2'),
  one('ct(table=1),2', [TCP, TCP6]),
  one('ct(table=1)', [TCP, VLAN], { ctNext: ['trk,est'] }),
  one('ct(table=1),ct(table=2)', [TCP], { ctNext: ['trk,est,rpl', 'trk,inv'] }),
  one('ct(table=1),ct(table=2)', [TCP], { ctNext: ['trk'] }),
  one('ct(zone=5,table=2),3'),
  one('ct(commit,zone=5),2'),
  one('ct(commit,force),2'),
  one('ct(commit,zone=NXM_NX_REG0[0..15],table=1)'),
  one('set_field:7->reg0,ct(commit,zone=NXM_NX_REG0[0..15],table=2)'),
  one('ct(commit,zone=NXM_OF_VLAN_TCI[],table=1)', [TCP, VLAN]),
  one('ct(commit,exec(set_field:7->ct_mark)),2'),
  one('ct(commit,exec(set_field:7/15->ct_mark,set_field:0x1234567890/0xffffffffff->ct_label)),2'),
  one('set_field:9->reg1,ct(commit,exec(move:NXM_NX_REG1[]->NXM_NX_CT_MARK[])),2'),
  one('set_field:9->reg1,ct(commit,table=1,exec(move:NXM_NX_REG1[0..7]->NXM_NX_CT_LABEL[8..15])),2'),
  {
    name: 'alg=ftp',
    flows: ['tcp,actions=ct(commit,alg=ftp),2', 'udp,actions=ct(commit,alg=tftp),3'],
    packets: [TCP, UDP],
  },
  one('ct(nat),2'),
  one('ct(nat,table=2),2'),
  one('dec_ttl,ct(table=1),dec_ttl,2', [TCP, TCP6, TTL1]),
  one('ct_clear,2', [TCP, `${TCP},ct_state=trk|est,ct_mark=5`]),
  one('ct(table=1),ct_clear,2', [TCP, `${TCP},ct_state=trk|est,ct_mark=5,ct_zone=3`]),
  one('clone(ct(table=1),2),3'),
  one('push:NXM_NX_REG0[],set_field:3->reg0,ct(table=2),pop:NXM_NX_REG0[],resubmit(,2)'),
  {
    name: 'nat of IPv4',
    flows: [
      'ip,actions=ct(commit,table=1,nat(src=1.1.1.1)),ct(commit,table=1,nat(src=1.1.1.1-1.1.1.9:5-9,random)),ct(commit,nat(dst=1.1.1.1:80)),ct(commit,nat(src)),ct(commit,nat(dst=2.2.2.2-2.2.2.5,persistent,hash),table=2)',
      ...later,
    ],
    packets: [TCP, UDP],
  },
  {
    name: 'nat of IPv6',
    flows: [
      'ipv6,actions=ct(commit,table=1,nat(src=fe80::1)),ct(commit,table=1,nat(src=[fe80::1]-[fe80::5]:5-9,hash)),ct(commit,nat(dst=fe80::1-fe80::5))',
      ...later,
    ],
    packets: [TCP6, UDP6],
  },
  {
    name: 'a connection in both directions',
    flows: [
      'priority=10,ct_state=-trk,tcp,actions=ct(table=0)',
      'priority=10,ct_state=+trk+new,tcp,in_port=1,actions=ct(commit),2',
      'priority=10,ct_state=+trk+est,tcp,actions=3',
      'priority=0,actions=drop',
    ],
    packets: [TCP, TCP2, UDP],
  },
  {
    name: 'connections by the next state',
    flows: [
      'priority=10,ct_state=-trk,tcp,actions=ct(table=0,zone=3)',
      'priority=10,ct_state=+trk+est,ct_zone=3,tcp,actions=3',
      'priority=0,actions=drop',
    ],
    packets: [TCP],
    settings: { ctNext: ['trk,est'] },
  },
  {
    name: 'conntrack again and again',
    flows: [
      'ip,actions=ct(table=1)',
      'table=1,ip,actions=set_field:5->reg2,ct(table=2,zone=2),4',
      'table=2,ip,actions=ct(commit,zone=3),ct_clear,3',
    ],
    packets: [TCP],
  },
  {
    name: 'resubmit by the original direction',
    flows: ['ip,actions=ct(table=1)', 'table=1,ct_state=+trk+est,ip,actions=resubmit(,2,ct)', 'table=2,actions=3'],
    packets: [TCP, `${TCP},ct_state=trk|est,ct_nw_src=1.2.3.4,ct_nw_dst=4.3.2.1,ct_nw_proto=6,ct_tp_src=5,ct_tp_dst=6`],
  },
];

const mpls: readonly Scenario[] = [
  { name: 'pop_mpls and output', flows: ['mpls,actions=pop_mpls:0x0800,2'], packets: [MPLS] },
  {
    name: 'pop_mpls and look',
    flows: ['mpls,actions=pop_mpls:0x0800,resubmit(,1),3', 'table=1,ip,actions=2'],
    packets: [MPLS],
  },
  { name: 'pop_mpls and dec_ttl', flows: ['mpls,actions=pop_mpls:0x0800,dec_ttl,3'], packets: [MPLS] },
  {
    name: 'pop_mpls and set_field',
    flows: ['mpls,actions=pop_mpls:0x0800,set_field:1.2.3.4->ip_dst,3'],
    packets: [MPLS],
  },
  {
    name: 'pop_mpls and a field below',
    flows: ['mpls,actions=pop_mpls:0x0800,mod_dl_dst:50:54:00:00:00:09,set_field:4->reg0,3'],
    packets: [MPLS],
  },
  {
    name: 'pop_mpls in a bucket',
    groups: ['group_id=1,type=all,bucket=pop_mpls:0x0800,resubmit(,1),bucket=output:3'],
    flows: ['mpls,actions=group:1,4', 'table=1,actions=2'],
    packets: [MPLS],
  },
  {
    name: 'pop_mpls, goto',
    flows: ['mpls,actions=pop_mpls:0x0800,goto_table:1', 'table=1,actions=2'],
    packets: [MPLS],
  },
];

const controllers: readonly Scenario[] = [
  one('controller'),
  one('controller:100,2'),
  one('controller(reason=invalid_ttl,max_len=77,id=3,userdata=01.02.03)'),
  one('controller(reason=no_match),set_field:5->reg0,controller,2'),
  one('controller', [TCP], { generates: true }),
  one('controller(pause),2'),
  one('controller(pause),2', [TCP], { generates: true }),
  one('dec_ttl,controller(pause,userdata=05),set_field:5->reg0,2,controller', [TCP], { generates: true }),
  one('push:NXM_NX_REG0[],controller(pause,id=7),pop:NXM_NX_REG1[],resubmit(,2)', [TCP], { generates: true }),
  one('dec_ttl,2', [TTL1]),
  one('dec_ttl(1,2,3),2', [TTL1]),
  { name: 'table miss', flows: ['priority=0,actions=controller'], packets: [TCP] },
  { name: 'table miss with a cookie', flows: ['cookie=0xabc,priority=0,actions=controller,2'], packets: [TCP] },
  {
    name: 'not a table miss',
    flows: ['priority=0,ip,actions=controller', 'priority=1,arp,actions=controller'],
    packets: [TCP, ARP],
  },
  { name: 'controller in the action set', flows: ['ip,actions=write_actions(controller)'], packets: [TCP] },
  {
    name: 'controller output in the action set',
    flows: ['ip,actions=write_actions(output:controller)'],
    packets: [TCP],
  },
  {
    name: 'controller in a bucket',
    groups: ['group_id=1,type=all,bucket=output:controller,bucket=output:2'],
    flows: ['ip,actions=group:1'],
    packets: [TCP],
  },
  {
    name: 'controller with a meter',
    meters: ['meter=1,pktps,band=type=drop,rate=100', 'meter=2,pktps,band=type=drop,rate=100'],
    flows: ['ip,actions=controller(meter_id=2),2'],
    packets: [TCP],
  },
  {
    name: 'pause with a meter',
    meters: ['meter=1,pktps,band=type=drop,rate=100'],
    flows: ['ip,actions=controller(meter_id=1,pause),2'],
    packets: [TCP],
    settings: { generates: true },
  },
  {
    name: 'meter of all controllers',
    meters: ['meter=controller,pktps,band=type=drop,rate=100'],
    flows: ['ip,actions=controller,2', 'arp,actions=controller(pause),2'],
    packets: [TCP, ARP],
    settings: { generates: true },
  },
  {
    name: 'meters',
    meters: ['meter=1,pktps,band=type=drop,rate=100', 'meter=7,pktps,band=type=drop,rate=100'],
    flows: ['ip,actions=meter:7,2', 'arp,actions=meter:1,resubmit(,1)', 'table=1,actions=meter:7,3'],
    packets: [TCP, ARP],
  },
];

const learning: readonly Scenario[] = [
  one('learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),2'),
  ...[
    'learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),2,resubmit(,3)',
    'learn(table=3,idle_timeout=5,hard_timeout=7,fin_idle_timeout=2,fin_hard_timeout=3,priority=7,cookie=0x5,send_flow_rem,delete_learned,eth_type=0x800,nw_proto=6,NXM_OF_IP_SRC[]=NXM_OF_IP_DST[],load:0x12->NXM_NX_REG6[],output:NXM_OF_IN_PORT[]),2',
    'learn(table=3,limit=1,result_dst=NXM_NX_REG3[5],NXM_OF_ETH_SRC[]),learn(table=3,limit=1,result_dst=NXM_NX_REG3[6],NXM_OF_ETH_DST[]),2',
    'learn(table=3,NXM_OF_VLAN_TCI[0..11],load:NXM_NX_REG2[0..7]->NXM_NX_REG5[8..15],load:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]),2',
    'set_field:4->reg0,resubmit(,3),learn(table=3,NXM_NX_TUN_ID[],load:0->NXM_OF_ETH_SRC[],output:NXM_NX_REG0[])',
    'set_field:0xffff1234->reg0,resubmit(,3),learn(table=3,NXM_NX_REG0[],output:NXM_NX_REG0[])',
    'set_field:0xfffe->reg0,resubmit(,3),learn(table=3,NXM_NX_REG0[0..15],output:NXM_NX_REG0[])',
    'learn(table=3,in_port=5,NXM_NX_REG1[3..6]=NXM_OF_IP_TOS[2..5]),2',
    'learn(table=3,priority=1,eth_type=0x800,NXM_OF_IP_DST[0..7]=NXM_OF_IP_SRC[8..15],load:5->NXM_NX_REG0[0..3]),2',
  ].map(
    (actions): Scenario => ({
      name: `generates ${actions}`,
      flows: [`ip,actions=${actions}`],
      packets: [TCP, VLAN, TCP2, TCP],
      settings: { generates: true },
    }),
  ),
];

const hashing: readonly Scenario[] = [
  ...(
    ['eth_src', 'symmetric_l4', 'symmetric_l3l4', 'symmetric_l3l4+udp', 'nw_src', 'nw_dst', 'symmetric_l3'] as const
  ).flatMap((fields) => [
    ...['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'].map((algorithm): Scenario => {
      const actions = `multipath(${fields},50,${algorithm},13,7,NXM_NX_REG1[0..15]),multipath(${fields},5,${algorithm},5,9,NXM_NX_REG2[16..23]),2`;
      return { name: actions, flows: [`actions=${actions}`], packets: [...kinds, TCP2] };
    }),
    ...['hrw', 'active_backup'].map((algorithm): Scenario => {
      const actions = `bundle(${fields},7,${algorithm},ofport,members:9,4,3,2),bundle_load(${fields},7,${algorithm},ofport,NXM_NX_REG1[0..15],members:3,8,4,2)`;
      return { name: actions, flows: [`actions=${actions}`], packets: [...kinds, TCP2] };
    }),
  ]),
  one('bundle(eth_src,0,active_backup,ofport,members:9),3'),
  one('bundle(eth_src,0,active_backup,ofport,members:in_port),3'),
  one('bundle(eth_src,0,active_backup,ofport,members:local),3'),
  one('multipath(eth_src,0,modulo_n,1,0,NXM_NX_REG1[]),multipath(eth_src,0,hash_threshold,1,0,NXM_NX_REG1[]),2'),
  one(
    'multipath(symmetric_l4,9,iter_hash,40,64,NXM_NX_REG1[]),multipath(symmetric_l4,9,iter_hash,40,200,NXM_NX_REG2[]),2',
  ),
];

const others: readonly Scenario[] = [
  one('check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,2)'),
  one('check_pkt_larger(100)->NXM_NX_REG0[0]'),
  one(
    'dec_ttl,check_pkt_larger(100)->NXM_NX_REG0[0],dec_ttl,resubmit(,2),check_pkt_larger(1000)->NXM_NX_REG0[0],resubmit(,2)',
    [TCP, TTL1],
  ),
  one('check_pkt_larger(100)->NXM_NX_REG0[0],ct(table=2),controller'),
  one('clone(check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,2)),3'),
  {
    name: 'check_pkt_larger and the action set',
    flows: [
      'ip,actions=write_actions(output:4),goto_table:1',
      'table=1,actions=check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,2)',
      ...later.slice(1),
    ],
    packets: [TCP],
  },
  {
    name: 'check_pkt_larger and write_actions',
    flows: ['ip,actions=check_pkt_larger(100)->NXM_NX_REG0[0],write_actions(output:4),goto_table:2', ...later],
    packets: [TCP],
  },
  {
    name: 'check_pkt_larger and exit',
    flows: [
      'ip,actions=resubmit(,1),4',
      'table=1,actions=check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,2)',
      'table=2,reg0=1,actions=2,exit',
      'table=2,reg0=0,actions=3',
    ],
    packets: [TCP],
  },
  {
    name: 'check_pkt_larger and select',
    groups: [`group_id=1,type=select,${AB}`],
    flows: [
      'ip,actions=check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,2),4',
      'table=2,reg0=1,actions=group:1',
      'table=2,reg0=0,actions=3',
    ],
    packets: [TCP],
  },
  one('sample(probability=100,collector_set_id=1,obs_domain_id=2,obs_point_id=3),2'),
  {
    name: 'fin_timeout',
    flows: ['tcp,actions=fin_timeout(idle_timeout=3,hard_timeout=5),2'],
    packets: [TCP, `${TCP},tcp_flags=fin`],
  },
];

export const scenarios: readonly Scenario[] = [
  ...groups,
  ...conntrack,
  ...mpls,
  ...controllers,
  ...learning,
  ...hashing,
  ...others,
];
