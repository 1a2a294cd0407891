/** OpenFlow flow text against ovs-ofctl and against the lines of ofproto/trace. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { equalMatches } from '../../src/flow/match.ts';
import {
  formatFlowKey,
  formatFlowText,
  formatMegaflow,
  formatOfPort,
  parseFlowKeyText,
  parseFlowText,
} from '../../src/flow/text.ts';
import { Random } from '../../src/lib/random.ts';
import { must } from '../../src/lib/result.ts';
import { randomFlowText } from '../unit/flowtext/generate-text.ts';
import { Oracle } from './oracle.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);
const count = process.env.WEFT_NIGHTLY ? 20_000 : 1_000;

let oracle: Oracle;

before(async () => {
  oracle = await Oracle.start();
  oracle.addBridge('br0');
  oracle.addPort('br0', 'p1', 1);
  oracle.addPort('br0', 'p2', 2);
  oracle.vsctl('set', 'Open_vSwitch', '.', 'other_config:vlan-limit=2');
});
after(() => oracle.close());

/** How ovs-ofctl prints each of these matches. */
function printedByReference(texts: readonly string[]): string[] {
  const file = join(oracle.dir, 'flows');
  writeFileSync(file, texts.map((text) => `${text} actions=drop\n`).join(''));
  return oracle
    .ofctl('-O', 'OpenFlow15', '-F', 'oxm', 'parse-flows', file)
    .split('\n')
    .filter((line) => line.includes('OFPT_FLOW_MOD'))
    .map((line) => line.replace(/.*ADD ?/, '').replace(/ ?actions=drop$/, ''));
}

const print = (text: string): string => {
  const { match, inPort } = must(parseFlowText(text));
  return formatFlowText(match, inPort === null ? null : formatOfPort(inPort));
};

const forms = [
  'in_port=1,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02/ff:00:00:00:00:00,tcp,nw_src=10.0.0.0/8,nw_dst=1.2.3.4/255.0.255.0,tp_src=1,tp_dst=80/0xff,tcp_flags=+syn-ack,nw_tos=32,nw_ecn=1,nw_ttl=5,ip_frag=no',
  'eth_type=0x800,ip_proto=17,udp_dst=53,nw_src=1.2.3.4,eth_dst=01:00:5e:00:00:01',
  'dl_type=0x0800,nw_proto=6,tp_dst=80',
  'dl_type=0x86dd,nw_proto=47',
  'dl_type=0x05ff',
  'dl_type=0x8100',
  'eth,ip',
  'packet_type=(0,0),dl_type=0x1234',
  'ip,dl_vlan=5,dl_vlan_pcp=3',
  'ip,dl_vlan=0xffff',
  'ip,vlan_vid=0x1005/0x1fff',
  'ip,vlan_vid=0x1000/0x1000',
  'ip,vlan_vid=0',
  'ip,vlan_pcp=3',
  'ip,vlan_tci=0x1005/0x100f',
  'dl_vlan=10,dl_type=0x1234',
  'arp,arp_spa=1.2.3.4,arp_tpa=1.0.0.0/8,arp_op=1,arp_sha=00:00:00:00:00:01,arp_tha=00:00:00:00:00:02',
  'rarp,arp_op=3',
  'icmp,icmp_type=8,icmp_code=0',
  'icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::/10,nd_sll=00:00:00:00:00:01,nd_options_type=1,nd_reserved=5',
  'icmp6,icmpv6_type=136,icmpv6_code=0,nd_tll=00:00:00:00:00:01',
  'mpls,mpls_label=5,mpls_tc=3,mpls_ttl=4,mpls_bos=1',
  'mplsm,mpls_label=5',
  'sctp6,tp_dst=5',
  'tcp6,tcp_flags=0x12',
  'tcp,tcp_flags=0x12/0x3f',
  'ip,nw_frag=first',
  'ip,nw_frag=not_later',
  'ip,nw_frag=yes',
  'ip,ip_dscp=8,ip_ecn=2',
  'dl_type=0x894f,nsh_flags=1,nsh_ttl=5,nsh_mdtype=1,nsh_np=1,nsh_spi=5,nsh_si=6,nsh_c1=5,nsh_c2=5/0xff',
  'tunnel_id=0x5/0xf',
  'tun_id=0,tun_dst=0.0.0.0/0',
  'tun_flags=0/1',
  'in_port=LOCAL',
  'in_port=controller',
  'ipv6,ipv6_src=fe80::1/64,ipv6_dst=1::2/ffff::ffff,ipv6_label=5/0xff',
  'ct_zone=3,ct_mark=5,ct_label=5,ct_state=0x21/0x3f,pkt_mark=5/0xf',
  'ip6,nw_tos=0xfc,nw_ttl=3',
  'in_port=1 ip nw_src=1.2.3.4',
];

test('matches written by hand', () => {
  const expected = printedByReference(forms);
  assert.equal(expected.length, forms.length);
  assert.deepEqual(forms.map(print), expected);
});

test('random matches: ovs-ofctl reads what we write and prints it the same', () => {
  const random = new Random(seed);
  const texts = Array.from({ length: count }, () => {
    const { match, inPort } = randomFlowText(random);
    return formatFlowText(match, formatOfPort(inPort));
  });
  const expected = printedByReference(texts);
  texts.forEach((text, i) => {
    assert.equal(text, expected[i], `seed ${seed} round ${i}`);
  });
});

const rules = [
  'in_port=1,tcp,nw_src=10.0.0.0/9,tp_dst=80 actions=2',
  'in_port=1,tcp,tcp_flags=+syn-ack actions=1',
  'in_port=1,ipv6,ipv6_src=fe80::/10,ipv6_label=5/0xf actions=2',
  'in_port=1,icmp6,icmpv6_type=135,icmpv6_code=0,nd_target=::1,nd_sll=00:00:00:00:00:01 actions=2',
  'in_port=1,arp,arp_spa=1.2.3.0/24,arp_op=1,arp_sha=00:00:00:00:00:01,arp_tpa=4.3.2.1 actions=2',
  'in_port=1,dl_vlan=5,ip actions=2',
  'in_port=1,vlan_tci=0x1000/0x1000,udp,tp_dst=0x10/0xf0 actions=2',
  'in_port=1,dl_vlan=7,dl_vlan_pcp=3 actions=2',
  'in_port=1,ip,nw_frag=later actions=2',
  'in_port=1,pkt_mark=3/0xf,ct_state=+trk+est,ct_zone=5,ct_mark=3/0xf,ct_label=5/0xffff,ct_nw_proto=17,ct_ipv6_src=::1,ct_ipv6_dst=fe80::/10,ct_tp_src=5,ct_tp_dst=0x10/0xf0,tcp6 actions=2',
  'in_port=1,pkt_mark=3,ct_state=+trk+est,ct_zone=5,ct_mark=3/0xf,ct_label=5/0xffff,ct_nw_proto=17,ct_nw_src=1.1.1.1,ct_nw_dst=2.0.0.0/8,ct_tp_src=5,ct_tp_dst=0x10/0xf0,tcp actions=2',
  'in_port=1,mpls,mpls_label=5,mpls_tc=0,mpls_bos=1,mpls_ttl=3 actions=2',
  'in_port=1,dl_type=0x894f,nsh_mdtype=1,nsh_spi=5,nsh_si=3,nsh_c1=0x10/0xf0 actions=2',
  'in_port=2,udp6,nw_tos=32,nw_ecn=1,nw_ttl=3,ipv6_label=5,ipv6_src=::/32,udp_src=5,udp_dst=4 actions=1',
  'in_port=2,tun_id=5,tun_src=1.2.0.0/16,ip,nw_tos=32,nw_proto=47 actions=1',
  'in_port=2,icmp,icmp_type=5,icmp_code=3 actions=1',
  'in_port=2,dl_src=01:00:00:00:00:00/01:00:00:00:00:00,dl_type=0x1234 actions=1',
  'in_port=2,sctp,tp_src=5 actions=1',
  'in_port=2,arp actions=normal',
  'in_port=LOCAL actions=normal',
];

const packets = [
  'in_port=1,tcp,nw_src=10.1.1.1,tp_dst=80',
  'in_port=1,tcp,nw_src=10.1.1.1,tp_dst=81,tcp_flags=syn',
  'in_port=1,ipv6,ipv6_src=fe80::1,ipv6_label=5',
  'in_port=1,icmp6,ipv6_src=::1,icmpv6_type=135,icmpv6_code=0,nd_target=::1,nd_sll=00:00:00:00:00:01',
  'in_port=1,arp,arp_spa=1.2.3.4,arp_op=1,arp_sha=00:00:00:00:00:01,arp_tpa=4.3.2.1,arp_tha=00:00:00:00:00:02',
  'in_port=1,dl_vlan=5,ip',
  'in_port=1,udp,udp_dst=0x10',
  'in_port=1,udp,dl_vlan=6,udp_dst=0x10',
  'in_port=1,dl_vlan=6,dl_vlan_pcp=3,dl_type=0x1234',
  'in_port=1,dl_vlan=7,dl_vlan_pcp=3,dl_type=0x1234',
  'in_port=1,pkt_mark=3,ct_state=trk|est,ct_zone=5,ct_mark=3,ct_label=5,tcp6,ct_nw_proto=17,ct_ipv6_src=::1,ct_ipv6_dst=fe80::5,ct_tp_src=5,ct_tp_dst=0x13',
  'in_port=1,ct_state=trk|est,ct_zone=5,tcp,ct_nw_proto=17,ct_nw_src=1.1.1.1,ct_nw_dst=2.1.1.1,ct_tp_src=5,ct_tp_dst=0x13',
  'in_port=1,mpls,mpls_label=5,mpls_bos=1,mpls_ttl=3',
  'in_port=1,dl_type=0x894f,nsh_mdtype=1,nsh_np=3,nsh_spi=5,nsh_si=3,nsh_ttl=63,nsh_c1=0x11',
  'in_port=1,packet_type=(1,0x800),nw_src=1.2.3.4,nw_tos=32,nw_ecn=1,nw_ttl=3',
  'in_port=2,udp6,nw_tos=32,nw_ecn=1,nw_ttl=3,ipv6_label=5,udp_src=5,udp_dst=4',
  'in_port=2,ip,nw_proto=47,nw_tos=32,tun_id=5,tun_src=1.2.3.4,tun_dst=2.3.4.5,tun_ttl=3,tun_flags=oam',
  'in_port=2,ip,tun_ipv6_dst=::2',
  'in_port=2,icmp,icmp_type=5,icmp_code=3',
  'in_port=2,icmp6,icmpv6_type=128',
  'in_port=2,ip,nw_proto=2',
  'in_port=2,dl_type=0x1234,dl_src=01:00:00:00:00:00',
  'in_port=2,sctp,sctp_src=5',
  'in_port=2,arp,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1',
  'in_port=1,ip,nw_frag=first',
  'in_port=1,ip,nw_frag=later',
  'in_port=LOCAL,dl_vlan=5,dl_src=00:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff',
  'recirc_id=7,dp_hash=5,skb_priority=5,in_port=2,dl_type=0x1234',
];

/** Fields of tunnels that the flow key does not have. */
const withoutForeign = (line: string): string =>
  line.replace(/,tun_erspan_ver=0|,gtpu_flags=0|,gtpu_msgtype=0|,tun_flags=[^,]*/g, '');

test('lines of traces: packet and megaflow are written as the reference writes them', () => {
  for (const rule of rules) oracle.ofctl('-O', 'OpenFlow15', 'add-flow', `unix:${oracle.dir}/br0.mgmt`, rule);
  for (const packet of packets) {
    const trace = oracle.appctl('ofproto/trace', 'br0', packet);
    const line = (label: string): string => new RegExp(`^${label}: (.*)$`, 'm').exec(trace)![1]!;
    const { key, inPort } = must(parseFlowKeyText(packet));
    assert.notEqual(inPort, null);
    if (!packet.includes('nsh_') && !packet.includes('packet_type')) {
      assert.equal(withoutForeign(formatFlowKey(key, formatOfPort(inPort!))), withoutForeign(line('Flow')), packet);
    }
    const megaflow = must(parseFlowText(line('Megaflow')));
    assert.equal(megaflow.inPort, inPort);
    const { match } = megaflow;
    match.mask.bytes.fill(0xff, 0, 4);
    assert.equal(
      formatMegaflow(match, () => formatOfPort(inPort!)),
      line('Megaflow'),
      packet,
    );
  }
});

test('text that trace refuses', () => {
  const bad = [
    'in_port=1,nw_src=1.2.3.4',
    'in_port=1,ip,nw_src=1.2.3.4/24',
    'in_port=1,ip,dl_src=1',
    'ip,bogus=1',
    'in_port=nope',
  ];
  for (const text of bad) {
    assert.throws(() => oracle.appctl('ofproto/trace', 'br0', text), text);
    assert.equal(parseFlowKeyText(text).ok, false, text);
  }
});

test('a match that is written is read back as the same match', () => {
  const random = new Random(seed + 1);
  for (let i = 0; i < count; i++) {
    const { match, inPort } = randomFlowText(random);
    const text = formatFlowText(match, formatOfPort(inPort));
    const read = must(parseFlowText(text));
    assert.equal(read.inPort, inPort);
    assert.ok(equalMatches(read.match, match), `seed ${seed} round ${i}: ${text}`);
  }
});
