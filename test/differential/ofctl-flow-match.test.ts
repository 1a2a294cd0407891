/** Matches: text to bytes as ovs-ofctl sends them, bytes to text as it prints them, in every form a match has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../src/lib/bytes.ts';
import type { Result } from '../../src/lib/result.ts';
import { decodeMatch, decodeNxm, encodeMatch, encodeNxm, type OfMatch } from '../../src/openflow/match.ts';
import { formatMatch, parseMatch } from '../../src/openflow/match-text.ts';
import { type FlowFormat, flowBytes, ofctl, versionName } from './ofctl-flow-support.ts';

/** Every version can say these. */
const plain = [
  '',
  'in_port=1',
  'in_port=LOCAL',
  'dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02',
  'dl_type=0x1234',
  'dl_vlan=5',
  'dl_vlan=5,dl_vlan_pcp=3',
  'ip,nw_src=10.0.0.0/8,nw_dst=1.2.3.4',
  'ip,nw_tos=32,nw_proto=47',
  'tcp,tp_src=1,tp_dst=80',
  'udp,tp_dst=53',
  'icmp,icmp_type=8,icmp_code=0',
  'arp,arp_spa=1.2.3.4,arp_tpa=10.0.0.0/8,arp_op=1',
];
/** From OpenFlow 1.1 on. */
const since11 = [
  'dl_vlan_pcp=3',
  'vlan_tci=0',
  'dl_src=00:00:00:00:00:01/00:00:00:00:00:ff,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00',
  'mpls,mpls_label=5,mpls_tc=3',
  'ip,nw_src=1.0.3.0/255.0.255.0',
  'metadata=0x5',
  'metadata=0x5/0xff',
  'sctp,sctp_dst=5',
];
/** With Nicira's fields, or OXM's. */
const extended = [
  'conj_id=5,recirc_id=1,dp_hash=3/0xff,pkt_mark=1',
  'reg0=1,reg5=0x5/0xff,xreg1=0x100000002,xxreg3=5,reg11=0/0x1',
  'xreg7=0x5/0xff00ff',
  'reg8=1,reg9=2',
  'ct_state=+trk+new,ct_zone=5,ct_mark=1/3,ct_label=0x5/0xff,ip,ct_nw_src=1.2.3.4,ct_nw_dst=1.2.0.0/16,ct_nw_proto=6,ct_tp_src=5,ct_tp_dst=6/0xff',
  'ct_state=+est+trk,ipv6,ct_ipv6_src=::1,ct_ipv6_dst=fe80::/10,ct_nw_proto=17',
  'tun_id=4,tun_src=1.2.3.4,tun_dst=1.2.0.0/16,tun_gbp_id=5,tun_gbp_flags=0x3,tun_flags=+oam',
  'tun_id=0x5/0xff,tun_ipv6_src=::1,tun_ipv6_dst=fe80::/64',
  'tun_metadata0=0x1234,tun_metadata63=0x5',
  'tun_metadata7=0x1200/0xff00',
  'tun_erspan_ver=1,tun_erspan_idx=3',
  'tun_erspan_ver=2,tun_erspan_dir=1,tun_erspan_hwid=3',
  'tun_gtpu_flags=0x30,tun_gtpu_msgtype=255',
  'actset_output=5',
  'in_port=CONTROLLER,actset_output=LOCAL',
  'vlan_tci=0x1123/0x1fff',
  'vlan_tci=0x1000/0x1000',
  'vlan_vid=0x1005/0x100f',
  'tcp,tcp_flags=+syn-ack',
  'tcp,tcp_flags=0x12,tp_src=0x50/0xfff0',
  'ip,ip_frag=first,nw_ecn=1,nw_ttl=5',
  'ipv6,ip_frag=later,ipv6_src=::1,ipv6_dst=ff00::/8,ipv6_label=0x12345',
  'ipv6,ipv6_label=0x5/0xf,nw_tos=4',
  'icmp6,icmpv6_type=135,icmpv6_code=0,nd_target=fe80::1,nd_sll=00:00:00:00:00:01',
  'icmp6,icmpv6_type=136,nd_target=fe80::/10,nd_tll=00:00:00:00:00:01/00:00:00:00:00:ff,nd_reserved=5,nd_options_type=2',
  'sctp6,sctp_src=1,sctp_dst=2/0xf',
  'arp,arp_sha=00:00:00:00:00:01,arp_tha=00:00:00:00:00:02/00:00:00:00:00:0f',
  'rarp,arp_op=3',
  'mpls,mpls_label=5,mpls_tc=3,mpls_bos=1,mpls_ttl=4',
  'dl_type=0x894f,nsh_flags=1,nsh_ttl=63,nsh_mdtype=1,nsh_np=3,nsh_spi=0x123456,nsh_si=255,nsh_c1=1,nsh_c2=2/0xff,nsh_c3=3,nsh_c4=4',
  'packet_type=(1,0x800)',
  'packet_type=(1,0x894f),nsh_si=5',
];

function must<T, E>(result: Result<T, E>): T {
  if (result.ok) return result.value;
  throw new Error(JSON.stringify(result.error));
}

const encode = (format: FlowFormat, match: OfMatch): Uint8Array => {
  if (format === 'nxm') return encodeNxm(match);
  return encodeMatch(format === 'openflow10' ? 1 : format, match);
};
const decode = (format: FlowFormat, bytes: Uint8Array): OfMatch => {
  if (format === 'nxm') return must(decodeNxm(bytes)).match;
  return must(decodeMatch(format === 'openflow10' ? 1 : format, bytes)).match;
};

const cases: readonly (readonly [FlowFormat, readonly string[]])[] = [
  ['openflow10', plain],
  ['nxm', [...plain, ...since11.filter((text) => !text.includes('mpls')), ...extended]],
  [2, [...plain, ...since11]],
  [3, [...plain, ...since11, ...extended]],
  [4, [...plain, ...since11, ...extended]],
  [5, [...plain, ...since11, ...extended]],
  [6, [...plain, ...since11, ...extended]],
];

for (const [format, texts] of cases) {
  test(`matches in form ${format} are the bytes that ovs-ofctl sends, and are read back`, () => {
    const sent = flowBytes(
      format,
      texts.map((match) => ({ match, actions: '' })),
    );
    texts.forEach((text, i) => {
      const match = must(parseMatch(text));
      assert.equal(toHex(encode(format, match)), toHex(sent[i]!.match), text);
      const read = decode(format, sent[i]!.match);
      assert.equal(toHex(encode(format, read)), toHex(sent[i]!.match), `${text} read and written`);
    });
  });
}

/** What ovs-ofctl prints of these flows once it has encoded and decoded them. */
function printed(texts: readonly string[]): string[] {
  const lines: string[] = [];
  for (const text of texts) {
    const { stdout } = ofctl(['-O', 'OpenFlow15', '-F', 'OXM-OpenFlow15', 'parse-flow', `${text} actions=drop`]);
    const line = stdout.split('\n').find((l) => l.includes('FLOW_MOD')) ?? '';
    lines.push(line.replace(/.*ADD ?/, '').replace(/ ?actions=drop$/, ''));
  }
  return lines;
}

test('matches are printed as ovs-ofctl prints them', () => {
  // A recirculation id brings the packet type into the reference's text alone.
  const texts = [...plain, ...since11, ...extended].filter((text) => !text.includes('recirc_id'));
  const lines = printed(texts);
  texts.forEach((text, i) => {
    const read = decode(6, encode(6, must(parseMatch(text))));
    assert.equal(formatMatch(read), lines[i], text);
  });
});

const HEX_FIELDS = ['80000a02080080000c021005', '80000a02', '80000a0208008000160401020304', '8000160401020304'];
const errors = [
  ...HEX_FIELDS,
  '80000a020800800010010680001a02005080001a020051',
  '80000a0208008000140106',
  '80000a02080080001001ff',
  '80000c02f005',
  '8000020400010000',
  '000101080000000500000001',
  '00010108000000050000000f',
  '80000b040800ff00',
  '88881604010203040',
  'ffff160800002321ffffffff',
  'ffff560a4f4e46000001',
  '00010004',
  '0001000400000001000100040000000180018010',
  '80000a0308000000',
  '800022020005',
  '0001380104',
];

test('broken OXM entries are refused with the errors of ovs-ofctl', () => {
  for (const version of [4, 6] as const) {
    for (const text of errors) {
      const fields = Buffer.from(text, 'hex');
      const size = 4 + fields.length;
      const padded = (size + 7) & ~7;
      const match = Buffer.concat([Buffer.from([0, 1, size >> 8, size & 0xff]), fields, Buffer.alloc(padded - size)]);
      const head = Buffer.alloc(48);
      head.set([version, 14, 0, 48 + padded]);
      head[25] = 0;
      head.fill(0xff, 32, 44);
      const { stdout } = ofctl(['-O', versionName(version), 'ofp-print', Buffer.concat([head, match]).toString('hex')]);
      const error = /\*\*\*decode error: (\w+)/.exec(stdout)?.[1] ?? null;
      const read = decodeMatch(version, match);
      assert.equal(read.ok ? null : read.error.name, error, `${text} in version ${version}`);
    }
  }
});
