/** Flow text against Open vSwitch: what we write it reads, and it prints the same; what is written by hand both read alike. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { formatActions, formatMatch } from '../../src/flow/odp/format.ts';
import { parseActions, parseFlow, parseMatch } from '../../src/flow/odp/parse.ts';
import { Random } from '../../src/lib/random.ts';
import { must } from '../../src/lib/result.ts';
import { randomActions, randomMatch } from '../unit/flowtext/generate.ts';
import { Oracle } from './oracle.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);
const count = process.env.WEFT_NIGHTLY ? 5_000 : 300;
const DATAPATH = 'dummy@ovs-dummy';

let oracle: Oracle;

before(async () => {
  oracle = await Oracle.start();
  oracle.addBridge('br0');
  oracle.vsctl('set', 'Open_vSwitch', '.', 'other_config:vlan-limit=2');
  // Else they delete, now and then, a flow before it is dumped.
  oracle.appctl('revalidator/pause');
});
after(() => oracle.close());

/** The only flow of the datapath, without its statistics. */
function dumped(): string {
  const lines = oracle.appctl('dpctl/dump-flows', DATAPATH).split('\n');
  return (lines.find((line) => line.includes('actions:')) ?? '').replace(/ packets:.*, used:never,/, '');
}

/** What the reference makes of a flow; null when it refuses it. */
function readByReference(flow: string, actions: string): string | null {
  try {
    oracle.appctl('dpctl/add-flow', DATAPATH, flow, actions);
  } catch {
    return null;
  }
  const line = dumped();
  oracle.appctl('dpctl/del-flows', DATAPATH);
  return line;
}

test('random flows: accepted, and printed as we print them', () => {
  const random = new Random(seed);
  const taste = { forReference: true };
  for (let i = 0; i < count; i++) {
    const flow = formatMatch(randomMatch(random, taste));
    const actions = formatActions(randomActions(random, taste));
    assert.equal(readByReference(flow, actions), `${flow}, actions:${actions}`, `seed ${seed} round ${i}`);
  }
});

const L2 = 'in_port(1),eth(),eth_type(0x1234)';
const IP = 'in_port(1),eth(),eth_type(0x0800)';
const IP6 = 'in_port(1),eth(),eth_type(0x86dd)';

/** Forms that a person may type. A slash follows only values that have no bits outside their masks. */
const matches = [
  `eth_type(4660),eth(),in_port(0x1)`,
  'in_port(1) eth() eth_type(0x1234)',
  `${L2},`,
  `recirc_id(7),${L2}`,
  `ufid:11111111-2222-3333-4444-555555555555,${L2}`,
  'in_port(1),eth(dst=0:0:0:0:0:1,),eth_type(0x1234)',
  'in_port(1),eth(dst=00:00:00:00:00:01/ff:ff:ff:ff:ff:ff),eth_type(0x1234)',
  'in_port(1),eth(dst=00:00:00:00:00:01/00:00:00:00:00:00),eth_type(0x1234)',
  'in_port(1),eth(),eth_type(0x1200/0xff00)',
  'in_port(1),eth(),eth_type(0x1234/0)',
  'in_port(1),packet_type(ns=0,id=0),eth(),eth_type(0x1234)',
  'in_port(1),packet_type(ns=1,id=0x1234),eth_type(0x1234)',
  'in_port(1),eth(),eth_type(0x8100),vlan(vid=0x10,pcp=3,cfi=1),encap(eth_type(0x1234))',
  'in_port(1),eth(),eth_type(0x8100),vlan(),encap(eth_type(0x1234))',
  'in_port(1),eth(),eth_type(0x88a8),vlan(vid=5/0xf),encap(eth_type(0x8100),vlan(pcp=2/0x6),encap(eth_type(0x1234)))',
  `${IP},ipv4(proto=0x6,tos=4/0xfc,ttl=0x40,frag=first),tcp(src=80/0xffff),tcp_flags(0x12/0x3f)`,
  `${IP},ipv4(proto=6),tcp(),tcp_flags(syn|ack)`,
  `${IP},ipv4(proto=6),tcp(),tcp_flags(0x12)`,
  `${IP},ipv4(proto=6),tcp(),tcp_flags(+[200]-ns)`,
  `${IP},ipv4(proto=1),icmp(type=8/0xf,code=1/0)`,
  `${IP},ipv4(frag=later,proto=17)`,
  `${IP6},ipv6(src=::ffff:1.2.3.4,dst=1:2:3:4:5:6:7:8,label=0x12345,tclass=3,hlimit=1)`,
  `${IP6},ipv6(proto=58),icmpv6(type=136,code=0),nd(target=::1,tll=00:00:00:00:00:01)`,
  `in_port(1),eth(),eth_type(0x0806),arp(op=1,sip=1.2.3.4,tip=5.0.0.0/255.0.0.0)`,
  'in_port(1),eth(),eth_type(0x8847),mpls(tc=3,label=0x64,bos=1)',
  'in_port(1),eth(),eth_type(0x8847),mpls(label=1,tc=0,ttl=2,bos=0,label=3,tc=1,ttl=4,bos=1)',
  `ct_state(+trk+est-new),ct_zone(0x5/0xff),ct_mark(16),ct_label(12),${L2}`,
  `ct_state(0x21/0x23),${L2}`,
  `ct_state(trk|est),${L2}`,
  `ct_tuple4(src=10.0.0.0/255.0.0.0,proto=17,tp_src=0x10),${IP},ipv4()`,
  `ct_tuple6(src=::1,proto=17,tp_dst=2),${IP6},ipv6()`,
  `tunnel(ttl=64,tun_id=1,dst=1.1.1.1),${L2}`,
  `tunnel(tun_id=5,dst=1.1.1.1,ttl=64,flags()),${L2}`,
  `tunnel(tun_id=5,dst=1.1.1.1,ttl=64,flags(+csum-df-oam+key)),${L2}`,
  `tunnel(tun_id=5,dst=1.1.1.1,ttl=64,geneve({class=258,type=0x80,len=4,0x0a}),flags(key)),${L2}`,
  `tunnel(tun_id=5,dst=1.1.1.1,ttl=64,geneve({class=0x102,type=0x80,len=4}),flags(key)),${L2}`,
  `tunnel(tun_id=5,dst=1.1.1.1,ttl=64,geneve()),${L2}`,
  `tunnel(dst=1.1.1.1,ttl=64,vxlan(gbp(id=0xa/0xf,flags=8/0x8))),${L2}`,
];

test('matches written by hand', () => {
  for (const text of matches) {
    assert.equal(`${formatMatch(must(parseMatch(text)))}, actions:2`, readByReference(text, '2'), text);
  }
});

const refused = [
  `${IP},ipv4(src=1.2.3.4/24)`,
  `${IP},ipv4(src=1.2.3)`,
  `${IP},ipv4(frag=1)`,
  `${IP},ipv4(bogus=1)`,
  `${IP},ipv4(proto=6),udp(src=1)`,
  `${IP},ipv4(proto=6,frag=later),tcp(src=1)`,
  `${IP},ipv4(proto=17/0xf0),udp(src=5)`,
  `${IP},ipv4(proto=6),tcp(),tcp_flags()`,
  `${IP6},ipv6(label=0x123456)`,
  'in_port(1),eth(),eth_type(0x0800/0xff00),ipv4(src=1.2.3.4)',
  'in_port(1),eth(),eth_type(0x9100),vlan(vid=5,pcp=3),encap(eth_type(0x1234))',
  'in_port(1),eth(),vlan(vid=5,pcp=3),encap(eth_type(0x1234))',
  'in_port(1),eth(),eth_type(0x8100),vlan(vid=5,cfi=0),encap(eth_type(0x1234))',
  'in_port(1),eth(),eth(),eth_type(0x1234)',
  'in_port(1),eth(),eth_type()',
  'in_port(1),eth(),eth_type(0x123g)',
  `recirc_id(0x5/0xf),${L2}`,
  `bogus(1),${L2}`,
  `${L2})`,
  `tunnel(dst=1.1.1.1,bogus=1),${L2}`,
  `tunnel(dst=1.1.1.1,ttl=64,flags(bogus)),${L2}`,
  `tunnel(dst=1.1.1.1,ttl=64,geneve({class=0x102,type=0x80,len=5,0x1})),${L2}`,
];

test('matches that neither reads', () => {
  for (const text of refused) {
    assert.equal(readByReference(text, '2'), null, text);
    assert.equal(parseMatch(text).ok, false, text);
  }
});

const HEADER = 'eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92';
const lists = [
  '',
  'drop',
  '1 2, 3,',
  '0x1',
  'userspace(pid=9,controller(reason=1,dont_send=0,continuation=1,recirc_id=4,rule_cookie=0x5,controller_id=0,max_len=65535))',
  'userspace(pid=9,slow_path(0))',
  'userspace(pid=9,slow_path(action|cfm))',
  'userspace(pid=9,slow_path(3))',
  'userspace(pid=9,sFlow(vid=9,pcp=7,output=10),actions)',
  'userspace(pid=9,ipfix(output_port=10),tunnel_out_port=3)',
  'userspace(pid=9,flow_sample(probability=1,collector_set_id=2,obs_domain_id=3,obs_point_id=4,output_port=5,ingress))',
  'push_vlan(vid=0xc,pcp=3,cfi=0)',
  'push_nsh(flags=1,ttl=7,mdtype=2,np=3,spi=0x123,si=5,md2=0x01020304)',
  'push_nsh(flags=1,ttl=7,mdtype=2,np=3,spi=0x123,si=5)',
  'set(eth(dst=0:0:0:0:0:1))',
  'set(ipv4(frag=no,tos=1/0x3))',
  'set(ipv6(label=5,tclass=0x30))',
  'set(icmp(code=1,type=3))',
  'set(icmpv6(type=1/0x1))',
  'set(nd_ext(nd_options_type=1))',
  'set(mpls(label=5))',
  'set(mpls(label=5,tc=3,ttl=4,bos=1))',
  'set(skb_priority(5/0xf)),set(skb_mark(7))',
  'set(tunnel(tun_id=5,dst=1.1.1.1,ttl=64,flags(df)))',
  'set(tunnel(dst=1.1.1.1))',
  'set(tunnel(tun_id=0x0,dst=1.1.1.1,ttl=0,flags()))',
  'set(tunnel(tun_id=5,ipv6_dst=::2,ttl=64,tp_dst=4789,geneve({class=0x102,type=0x80,len=4,0xa}),flags(df|csum|key)))',
  'recirc(5)',
  'clone()',
  'clone(clone(1),2)',
  'sample(sample=100%,actions(1))',
  'sample(sample=33.3333%,actions())',
  'check_pkt_len(size=100,gt(),le(drop))',
  'ct()',
  'ct(zone=5,commit)',
  'ct(nat(src=10.0.0.1-10.0.0.9:1-5,random),commit,mark=5)',
  'ct(force_commit,label=0x1/0x1,helper=ftp)',
  `tnl_push(tnl_port(4),header(size=42,type=3,${HEADER},proto=47,tos=0,ttl=64,frag=0x4000),gre((flags=0x2000,proto=0x6558),key=0x1e241)),out_port(1))`,
];

test('actions written by hand', () => {
  for (const text of lists) {
    assert.equal(formatActions(must(parseActions(text))), readByReference(L2, text)?.replace(/.*actions:/, ''), text);
  }
});

test('actions that neither reads', () => {
  const bad = [
    'bogus',
    'output(1)',
    'pop_vlan()',
    'userspace',
    'userspace()',
    'userspace(userdata(01))',
    'push_vlan(vid=12)',
    'push_vlan(vid=5000,pcp=0)',
    'set(bogus(1))',
    'set(eth(src=1)',
    'hash(l3(0))',
    'sample(sample=101%,actions(1))',
    'check_pkt_len(size=100,le(2),gt(1))',
    `tnl_push(tnl_port(6),header(size=99,type=3,${HEADER},proto=47,tos=0,ttl=64,frag=0x4000),gre((flags=0x0,proto=0x6558))),out_port(1))`,
  ];
  for (const text of bad) {
    assert.equal(readByReference(L2, text), null, text);
    assert.equal(parseActions(text).ok, false, text);
  }
});

/** Packets through tables whose actions make what dpctl prints but does not read. */
const translated: readonly (readonly [rule: string, packet: string])[] = [
  ['mpls,mpls_label=100 actions=pop_mpls:0x0800,output:2', 'in_port=1,mpls,mpls_label=100,mpls_bos=1,mpls_ttl=3'],
  ['tcp actions=push_mpls:0x8847,set_field:10->mpls_label,output:2', 'in_port=1,tcp,nw_ttl=64'],
  ['udp actions=encap(nsh(md_type=1)),set_field:0x1234->nsh_spi,encap(ethernet),output:2', 'in_port=1,udp,nw_ttl=64'],
  [
    'dl_type=0x894f,nsh_spi=0x1234 actions=decap(),decap(),output:2',
    'in_port=1,dl_type=0x894f,nsh_mdtype=1,nsh_np=3,nsh_spi=0x1234,nsh_ttl=63',
  ],
  [
    'dl_type=0x894f,nsh_spi=5 actions=set_field:0x7/0xf->nsh_c2,output:2',
    'in_port=1,dl_type=0x894f,nsh_mdtype=1,nsh_np=3,nsh_spi=5,nsh_ttl=63',
  ],
  ['arp actions=group:1', 'in_port=1,arp'],
];

test('actions that only translation makes', () => {
  const bucket = (id: number): string => `bucket=bucket_id:${id},weight=1,actions=output:${id + 1}`;
  const group = `group_id=1,type=select,selection_method=dp_hash,${bucket(0)},${bucket(1)}`;
  const bridge = `unix:${oracle.dir}/br0.mgmt`;
  oracle.addPort('br0', 'p1', 1);
  oracle.addPort('br0', 'p2', 2);
  oracle.ofctl('-O', 'OpenFlow15', 'add-group', bridge, group);
  for (const [rule, packet] of translated) {
    oracle.ofctl('-O', 'OpenFlow15', 'add-flow', bridge, rule);
    const trace = oracle.appctl('ofproto/trace', 'br0', packet);
    const actions = /Datapath actions: (.*)/.exec(trace)![1]!;
    assert.equal(formatActions(must(parseActions(actions))), actions, packet);
    oracle.ofctl('-O', 'OpenFlow15', 'del-flows', bridge);
  }
});

const INNER = '0000000000020000000000010800450000140000000040007cd60a0000010a000002';

test('real packets: whole lines of dump-flows are read and written the same', () => {
  const bridge = `unix:${oracle.dir}/br0.mgmt`;
  const rules = [
    'priority=1,actions=normal',
    'dl_type=0x894f,nsh_mdtype=1,nsh_spi=0x1234,nsh_c1=0x10/0xf0,nsh_ttl=63 actions=2',
    'dl_type=0x894f,nsh_mdtype=1,nsh_spi=0x1235,nsh_si=5,nsh_np=3,nsh_c2=0,nsh_c4=4 actions=2',
    'icmp6,icmpv6_type=136,icmpv6_code=0,nd_target=::3 actions=2',
  ];
  for (const rule of rules) oracle.ofctl('-O', 'OpenFlow15', 'add-flow', bridge, rule);
  const eth = 'eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)';
  const frames = [
    `in_port(1),${eth},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(syn)`,
    `in_port(1),${eth},eth_type(0x8100),vlan(vid=9,pcp=0),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2))`,
    `in_port(1),${eth},eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1,sha=00:00:00:00:00:01,tha=00:00:00:00:00:00)`,
    `in_port(1),${eth},eth_type(0x88b5)`,
    '0180c2000000000000000001002642420300000000008000000000000001000000008000000000000001800100001400020000',
    'ffffffffffff000000000001000842420300aabbccdd',
    `000000000002000000000001894f0fc60103001234ff00000010000000000000000300000004${INNER}`,
    `000000000002000000000001894f0fc601030012350500000010000000000000000300000004${INNER}`,
    `in_port(1),${eth},eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0,hlimit=255,frag=no),icmpv6(type=136,code=0),nd(target=::3,tll=00:0a:0b:0c:0d:0e)`,
  ];
  oracle.inject('p1', ...frames, ...frames);
  oracle.warp(1500);
  const lines = oracle
    .appctl('dpctl/dump-flows', DATAPATH)
    .split('\n')
    .filter((line) => line.includes('actions:'));
  assert.ok(lines.length >= 8, lines.join('\n'));
  for (const line of lines) {
    const flow = must(parseFlow(line));
    assert.deepEqual(
      parseFlow(`${formatMatch(flow.match)}, packets:0, bytes:0, used:never, actions:drop`).ok,
      true,
      line,
    );
    assert.equal(formatMatch(flow.match), line.replace(/, packets:.*/, ''), line);
    assert.equal(formatActions(flow.actions), line.replace(/.*actions:/, ''), line);
  }
});
