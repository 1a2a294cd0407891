/** Keys that no capture shows: metadata, tunnels, packets without Ethernet header, neighbour discovery's hidden fields. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { extractKey } from '../../src/flow/extract.ts';
import { FlowKey, KEY } from '../../src/flow/key.ts';
import { printKey } from '../../src/flow/print.ts';
import { TUNNEL_FLAG_KEY, TUNNEL_FLAG_OAM } from '../../src/gen/key.ts';
import { fromHex, toHex } from '../../src/lib/bytes.ts';
import { Oracle } from './oracle.ts';

let oracle: Oracle;

before(async () => {
  oracle = await Oracle.start();
  oracle.addBridge('br0');
  oracle.addPort('br0', 'p1', 1);
  oracle.addPort('br0', 'p2', 2);
});

after(() => oracle?.close());

/** What ofproto/trace calls the flow. */
const traced = (...flow: readonly string[]): string => {
  const [first] = oracle.appctl('ofproto/trace', ...flow).split('\n');
  return first!.replace(/^Flow: /, '');
};

const tcpKey = (): FlowKey => new FlowKey().set(KEY.in_port, 1).set(KEY.eth_type, 0x0800).set(KEY.nw_proto, 6);

test('metadata', () => {
  const key = tcpKey()
    .set(KEY.pkt_mark, 3)
    .set(KEY.recirc_id, 4)
    .set(KEY.dp_hash, 5)
    .set(KEY.skb_priority, 6)
    .set(KEY.ct_state, 0x21)
    .set(KEY.ct_zone, 7)
    .set(KEY.ct_mark, 8)
    .setBytes(KEY.ct_label, fromHex('00000000000000090000000000000001')!)
    .setBytes(KEY.ct_nw_src, Uint8Array.of(1, 1, 1, 1))
    .setBytes(KEY.ct_nw_dst, Uint8Array.of(2, 2, 2, 2))
    .set(KEY.ct_nw_proto, 6)
    .set(KEY.ct_tp_src, 3)
    .set(KEY.ct_tp_dst, 4);
  const text =
    'in_port=1,pkt_mark=3,recirc_id=4,dp_hash=5,skb_priority=6,ct_state=trk|new,ct_zone=7,ct_mark=8,' +
    'ct_label=0x90000000000000001,ct_nw_src=1.1.1.1,ct_nw_dst=2.2.2.2,ct_nw_proto=6,ct_tp_src=3,ct_tp_dst=4,tcp';
  assert.equal(printKey(key), traced('br0', text));
});

test('original tuple of an IPv6 connection', () => {
  const key = new FlowKey().set(KEY.in_port, 1).set(KEY.eth_type, 0x86dd).set(KEY.nw_proto, 17);
  key.set(KEY.ct_state, 0x2a).set(KEY.ct_nw_proto, 17).set(KEY.ct_tp_src, 1);
  key.at(KEY.ct_ipv6_src)[15] = 1;
  key.at(KEY.ct_ipv6_dst)[15] = 2;
  const text = 'in_port=1,ct_state=trk|est|rpl,ct_nw_proto=17,ct_tp_src=1,ct_ipv6_src=::1,ct_ipv6_dst=::2,udp6';
  assert.equal(printKey(key), traced('br0', text));
});

test('a tunnel', () => {
  const key = new FlowKey()
    .set(KEY.in_port, 1)
    .setBytes(KEY.tun_src, Uint8Array.of(4, 3, 2, 1))
    .setBytes(KEY.tun_dst, Uint8Array.of(1, 2, 3, 4))
    .set(KEY.tun_tos, 30)
    .set(KEY.tun_ttl, 40)
    .set(KEY.tun_gbp_id, 300)
    .set(KEY.tun_gbp_flags, 200)
    .set(KEY.tun_flags, TUNNEL_FLAG_OAM);
  const text =
    'in_port=1,tun_src=4.3.2.1,tun_dst=1.2.3.4,tun_tos=30,tun_ttl=40,tun_gbp_id=300,tun_gbp_flags=200,tun_flags=oam';
  assert.equal(printKey(key), traced('br0', text));
  const withId = key.clone().set(KEY.tun_flags, TUNNEL_FLAG_KEY).setU64(KEY.tun_id, 7n);
  assert.match(printKey(withId), /^tun_id=0x7,tun_src=4\.3\.2\.1,/);
  const idOnly = new FlowKey().set(KEY.in_port, 1).setU64(KEY.tun_id, 5n);
  assert.equal(printKey(idOnly), traced('br0', 'in_port=1,tun_id=5'));
});

test('a packet without Ethernet header', () => {
  const packet = fromHex('4500001c00000000001134cd 01010101 02020202 0001 0002 0008 0000')!;
  const base = new FlowKey().set(KEY.pkt_mark, 3).set(KEY.dp_hash, 7);
  const { key } = extractKey(packet, { inPort: 1, packetType: 0x10800, base });
  const text =
    'recirc_id(0),dp_hash(0x7),skb_mark(0x3),in_port(1),packet_type(ns=1,id=0x800),eth_type(0x0800),' +
    'ipv4(src=1.1.1.1,dst=2.2.2.2,proto=17),udp(src=1,dst=2)';
  assert.equal(printKey(key), traced(text));
});

/** A neighbour solicitation from fe80::1 with these options, in hexadecimal. */
const solicitation = (options: string): string => {
  const size = (24 + options.length / 2).toString(16).padStart(4, '0');
  const address = `fe80${'00'.repeat(13)}01`;
  return `33330000000102000000000286dd60000000${size}3aff${address}${address}87000000aabbccdd${'11'.repeat(16)}${options}`;
};

test('reserved bits and option type of neighbour discovery', () => {
  for (const type of [0, 1, 2]) {
    const match = `icmp6,icmp_type=135,icmp_code=0,nd_options_type=${type},nd_reserved=0xaabbccdd`;
    oracle.ofctl('add-flow', 'br0', `${match},actions=mod_dl_src:00:00:00:00:00:0${type},output:2`);
  }
  const [source, target, other] = ['0101020202020202', '0201030303030303', '0501040404040404'];
  const lists = ['', source!, target!, other!, `${source}${target}`, `${target}${source}`, `${other}${target}`];
  for (const options of [...lists, `${source}${source}`, `${source}${target}${target}`, `0201000000000000${source}`]) {
    const frame = solicitation(options);
    oracle.inject('p1', frame);
    const [out] = oracle.framesOut('p2');
    const { key } = extractKey(fromHex(frame)!);
    assert.equal(key.get(KEY.nd_reserved), 0xaabbccdd);
    const theirs = toHex(out ?? new Uint8Array(0)).slice(22, 24);
    assert.equal(key.get(KEY.nd_options_type), Number.parseInt(theirs, 16), `options ${options}`);
  }
});
