import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpv4, parseIpv6, parseMac } from '../../../src/lib/addresses.ts';
import { equalBytes, fromHex, toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { emitArp, formatArp, parseArp } from '../../../src/packet/arp.ts';
import { emitEthernet, ethernetSize, formatEthernet, parseEthernet } from '../../../src/packet/ethernet.ts';
import { emitIcmp, formatIcmp, parseIcmp } from '../../../src/packet/icmp.ts';
import { emitIcmpv6, formatIcmpv6, parseIcmpv6 } from '../../../src/packet/icmpv6.ts';
import {
  buildArp,
  buildEthernet,
  buildIcmp,
  buildIpv4,
  buildIpv6,
  buildNeighbor,
  buildTcp,
  buildUdp,
  buildVxlan,
  emitIpv4,
  emitIpv6,
  emitUdp,
  formatFrame,
  formatIpv4Header,
  formatIpv6Header,
  formatNeighbor,
  formatTcp,
  formatUdp,
  IP_PROTO,
  type Ipv4,
  type Ipv6,
  multicastMac4,
  multicastMac6,
  parseIpv4Header,
  parseIpv6Header,
  parseNeighbor,
  parseTcp,
  parseUdp,
  parseVxlan,
  solicitedNode,
  TCP_FLAG,
} from '../../../src/packet/index.ts';
import { emitTcp, tcpSize } from '../../../src/packet/tcp.ts';
import { emitVxlan } from '../../../src/packet/vxlan.ts';

const seed = Number(process.env.WEFT_SEED ?? 20261);
const rounds = process.env.WEFT_NIGHTLY ? 20000 : 300;

const mac = (text: string): Uint8Array => parseMac(text)!;
const ip4 = (text: string): Uint8Array => parseIpv4(text)!;
const ip6 = (text: string): Uint8Array => parseIpv6(text)!;
const bytes = (hex: string): Uint8Array => fromHex(hex)!;
/** A buffer in which a byte that was not written shows. */
const dirty = (size: number): Uint8Array => new Uint8Array(size).fill(0xa5);

/** A tagged echo request, its checksums made by hand. */
const ECHO_FRAME = bytes(
  '020000000002 020000000001 8100000a 0800' + '4500001d00010000 4001 66dd 0a000001 0a000002' + '0800 96fd 0001 0001 61',
);

test('ethernet: emit writes every byte, parse gives it back', () => {
  const header = {
    dst: mac('ff:ff:ff:ff:ff:ff'),
    src: mac('02:00:00:00:00:01'),
    tags: [
      { tpid: 0x88a8, tci: 0x2064 },
      { tpid: 0x8100, tci: 10 },
    ],
    ethType: 0x0800,
  };
  const out = dirty(ethernetSize(header));
  emitEthernet(header, out);
  assert.equal(toHex(out), 'ffffffffffff02000000000188a820648100000a0800');
  assert.deepEqual(parseEthernet(out)!.header, header);
  assert.equal(formatEthernet(header), '02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff svlan 100 p1 vlan 10 type 0x0800');
});

test('ethernet: a runt and a cut tag are not headers', () => {
  assert.equal(parseEthernet(new Uint8Array(13)), null);
  assert.equal(parseEthernet(bytes('ffffffffffff0200000000018100000a')), null);
});

test('multicast groups map to Ethernet groups', () => {
  assert.equal(toHex(multicastMac4(ip4('224.129.2.3'))), '01005e010203');
  assert.equal(toHex(multicastMac6(ip6('ff02::1:ff00:7'))), '3333ff000007');
});

test('arp: the request of RFC 826', () => {
  const arp = {
    operation: 1,
    sha: mac('02:00:00:00:00:01'),
    spa: ip4('10.0.0.1'),
    tha: mac('00:00:00:00:00:00'),
    tpa: ip4('10.0.0.2'),
  };
  const out = dirty(28);
  emitArp(arp, out);
  assert.equal(toHex(out), '00010800060400010200000000010a0000010000000000000a000002');
  assert.deepEqual(parseArp(out), arp);
  assert.equal(formatArp(arp), 'ARP who-has 10.0.0.2 tell 10.0.0.1');
  assert.equal(formatArp({ ...arp, operation: 2 }), 'ARP 10.0.0.1 is-at 02:00:00:00:00:01');
});

test('arp: other hardware and a cut message are refused', () => {
  const arp = buildArp({
    operation: 1,
    sha: mac('2:0:0:0:0:1'),
    spa: ip4('1.2.3.4'),
    tha: mac('0:0:0:0:0:0'),
    tpa: ip4('1.2.3.5'),
  });
  assert.equal(parseArp(arp.subarray(0, 27)), null);
  for (const at of [0, 2, 4, 5]) {
    const wrong = arp.slice();
    wrong[at]! ^= 1;
    assert.equal(parseArp(wrong), null, `byte ${at}`);
  }
});

const ipv4Header = (changes: Partial<Ipv4> = {}): Ipv4 => ({
  tos: 0x2e,
  id: 0x1234,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: 17,
  src: ip4('192.168.0.1'),
  dst: ip4('192.168.0.199'),
  options: new Uint8Array(),
  ...changes,
});

test('ipv4: the header checksum that everybody knows', () => {
  const out = dirty(20);
  emitIpv4(ipv4Header({ tos: 0, id: 0 }), out);
  const withSize = bytes('4500007300004000 4011 b861 c0a80001 c0a800c7');
  assert.equal(parseIpv4Header(Uint8Array.from([...withSize, ...new Uint8Array(95)]))!.checksumOk, true);
  assert.equal(toHex(out.subarray(0, 10)), '45000014000040004011');
  assert.equal(parseIpv4Header(out)!.checksumOk, true);
});

test('ipv4: options, fragments and padding', () => {
  const header = ipv4Header({
    dontFragment: false,
    moreFragments: true,
    fragmentOffset: 1480,
    options: bytes('94040000'),
  });
  const out = dirty(24 + 5);
  out.set(bytes('0102030405'), 24);
  emitIpv4(header, out);
  const parsed = parseIpv4Header(Uint8Array.from([...out, 0, 0, 0]))!;
  assert.deepEqual(parsed.header, header);
  assert.equal(toHex(parsed.payload), '0102030405');
  assert.equal(formatIpv4Header(header), '192.168.0.1 > 192.168.0.199 ttl 64 fragment at 1480+');
});

test('ipv4: lying lengths are refused, a wrong checksum is told', () => {
  const good = buildIpv4(ipv4Header(), bytes('00'));
  const change = (at: number, value: number): Uint8Array => {
    const copy = good.slice();
    copy[at] = value;
    return copy;
  };
  assert.equal(parseIpv4Header(change(0, 0x44)), null);
  assert.equal(parseIpv4Header(change(0, 0x65)), null);
  assert.equal(parseIpv4Header(change(3, 19)), null);
  assert.equal(parseIpv4Header(change(3, 22)), null);
  assert.equal(parseIpv4Header(change(8, 63))!.checksumOk, false);
});

const ipv6Header = (changes: Partial<Ipv6> = {}): Ipv6 => ({
  trafficClass: 0xb8,
  flowLabel: 0xabcde,
  protocol: 58,
  hopLimit: 255,
  src: ip6('fe80::1'),
  dst: ip6('ff02::1'),
  isFragment: false,
  ...changes,
});

test('ipv6: emit and parse', () => {
  const out = dirty(43);
  out.set(bytes('010203'), 40);
  emitIpv6(ipv6Header(), out);
  assert.equal(toHex(out.subarray(0, 8)), '6b8abcde00033aff');
  const parsed = parseIpv6Header(out)!;
  assert.deepEqual(parsed.header, ipv6Header());
  assert.equal(toHex(parsed.payload), '010203');
  assert.equal(formatIpv6Header(ipv6Header()), 'fe80::1 > ff02::1 hlim 255');
});

test('ipv6: extension headers are stepped over, fragments told', () => {
  const hopByHop = bytes('3a00050200000100');
  const stepped = parseIpv6Header(buildIpv6(ipv6Header({ protocol: 0 }), Uint8Array.from([...hopByHop, 1, 2])))!;
  assert.equal(stepped.header.protocol, 58);
  assert.equal(toHex(stepped.payload), '0102');
  const fragment = parseIpv6Header(buildIpv6(ipv6Header({ protocol: 44 }), bytes('11000008 00000001 aabb')))!;
  assert.equal(fragment.header.isFragment, true);
  assert.equal(parseIpv6Header(buildIpv6(ipv6Header({ protocol: 0 }), bytes('3a01050200000100'))), null);
  assert.equal(parseIpv6Header(buildIpv6(ipv6Header(), bytes('00')).subarray(0, 40)), null);
});

const pseudo4 = (protocol: number) => ({ src: ip4('10.0.0.1'), dst: ip4('10.0.0.2'), protocol });
const pseudo6 = (protocol: number) => ({ src: ip6('fd00::1'), dst: ip6('fd00::2'), protocol });

test('udp: emit and parse, over IPv4 and IPv6', () => {
  for (const pseudo of [pseudo4(17), pseudo6(17)]) {
    const out = dirty(11);
    out.set(bytes('616263'), 8);
    emitUdp({ srcPort: 1000, dstPort: 53 }, out, pseudo);
    const parsed = parseUdp(out, pseudo)!;
    assert.deepEqual(parsed.header, { srcPort: 1000, dstPort: 53 });
    assert.equal(parsed.checksumOk, true);
    out[10]! ^= 1;
    assert.equal(parseUdp(out, pseudo)!.checksumOk, false);
  }
  assert.equal(formatUdp({ srcPort: 1, dstPort: 2 }, 3), 'UDP 1 > 2 size 3');
});

test('udp: no checksum is fine for IPv4 only; a checksum of zero is sent as ones', () => {
  const unchecked = bytes('0001000200080000');
  assert.equal(parseUdp(unchecked, pseudo4(17))!.checksumOk, true);
  assert.equal(parseUdp(unchecked, pseudo6(17))!.checksumOk, false);
  assert.equal(parseUdp(bytes('0001000200070000'), pseudo4(17)), null);
  assert.equal(parseUdp(bytes('0001000200090000'), pseudo4(17)), null);
  const zero = { src: new Uint8Array(4), dst: new Uint8Array(4), protocol: 17 };
  const out = buildUdp({ srcPort: 0, dstPort: 0xffff - 17 - 8 - 8 }, new Uint8Array(), zero);
  assert.equal(toHex(out.subarray(6)), 'ffff');
});

test('tcp: options of a SYN, emit and parse', () => {
  const header = {
    srcPort: 49152,
    dstPort: 80,
    sequence: 0xfffffff0,
    acknowledgment: 7,
    flags: TCP_FLAG.SYN | TCP_FLAG.ACK,
    window: 65535,
    urgent: 0,
    mss: 1460,
    windowScale: 7,
  };
  const out = dirty(tcpSize(header) + 2);
  out.set(bytes('6869'), tcpSize(header));
  emitTcp(header, out, pseudo6(6));
  assert.equal(toHex(out.subarray(20, 28)), '020405b401030307');
  const parsed = parseTcp(out, pseudo6(6))!;
  assert.deepEqual(parsed.header, header);
  assert.equal(parsed.checksumOk, true);
  assert.equal(toHex(parsed.payload), '6869');
  assert.equal(formatTcp(header, 2), 'TCP 49152 > 80 [S.] seq 4294967280 ack 7 win 65535 size 2');
});

test('tcp: a header longer than the segment and an option that runs over are refused', () => {
  const plain = { srcPort: 1, dstPort: 2, sequence: 0, acknowledgment: 0, flags: 0, window: 0, urgent: 0 };
  const segment = buildTcp({ ...plain, mss: 9, windowScale: null }, new Uint8Array(), pseudo4(6));
  const long = segment.slice();
  long[12] = 0x70;
  assert.equal(parseTcp(long, pseudo4(6)), null);
  const over = segment.slice();
  over[21] = 5;
  assert.equal(parseTcp(over, pseudo4(6)), null);
  over[21] = 0;
  assert.equal(parseTcp(over, pseudo4(6)), null);
});

test('icmp and icmpv6: echo', () => {
  const echo = { type: 8, code: 0, rest: 0x00010002 };
  const out = dirty(9);
  out.set([0x61], 8);
  emitIcmp(echo, out);
  assert.deepEqual(parseIcmp(out)!.header, echo);
  assert.equal(parseIcmp(out)!.checksumOk, true);
  assert.equal(formatIcmp(echo), 'ICMP echo request id 1 seq 2');
  assert.equal(formatIcmp({ ...echo, type: 3, code: 3 }), 'ICMP type 3 code 3');
  out[8] = 0x62;
  assert.equal(parseIcmp(out)!.checksumOk, false);
  const six = dirty(8);
  emitIcmpv6({ ...echo, type: 129 }, six, pseudo6(58));
  assert.equal(parseIcmpv6(six, pseudo6(58))!.checksumOk, true);
  assert.equal(parseIcmpv6(six, pseudo6(59))!.checksumOk, false);
  assert.equal(formatIcmpv6({ ...echo, type: 129 }), 'ICMPv6 echo reply id 1 seq 2');
});

test('neighbour discovery: both messages', () => {
  const target = ip6('fe80::aa:bbcc');
  assert.equal(toHex(solicitedNode(target)), 'ff0200000000000000000001ffaabbcc');
  const flags = { isRouter: false, isSolicited: false, isOverride: false };
  const solicitation = { kind: 'solicitation', target, mac: mac('02:00:00:00:00:01'), ...flags } as const;
  const advertisement = { ...solicitation, kind: 'advertisement', isSolicited: true, isOverride: true } as const;
  for (const message of [solicitation, advertisement, { ...solicitation, mac: null }]) {
    const out = buildNeighbor(message, pseudo6(58));
    assert.deepEqual(parseNeighbor(out, pseudo6(58)), message);
    const wrong = out.slice();
    wrong[10]! ^= 1;
    assert.equal(parseNeighbor(wrong, pseudo6(58)), null);
  }
  assert.equal(formatNeighbor(solicitation), 'ND who-has fe80::aa:bbcc');
  assert.equal(formatNeighbor(advertisement), 'ND fe80::aa:bbcc is-at 02:00:00:00:00:01');
});

test('vxlan: the network identifier', () => {
  const out = dirty(8);
  emitVxlan({ vni: 0xabcdef }, out);
  assert.equal(toHex(out), '08000000abcdef00');
  assert.equal(parseVxlan(out)!.header.vni, 0xabcdef);
  assert.equal(parseVxlan(bytes('00000000abcdef00')), null);
});

test('a known frame is read and made to the byte', () => {
  const eth = parseEthernet(ECHO_FRAME)!;
  const ip = parseIpv4Header(eth.payload)!;
  const icmp = parseIcmp(ip.payload)!;
  assert.equal(ip.checksumOk && icmp.checksumOk, true);
  const again = buildEthernet(eth.header, buildIpv4(ip.header, buildIcmp(icmp.header, icmp.payload)));
  assert.equal(toHex(again), toHex(ECHO_FRAME));
});

test('a frame on one line, down to the frame in a VXLAN packet', () => {
  assert.equal(
    formatFrame(ECHO_FRAME),
    '02:00:00:00:00:01 > 02:00:00:00:00:02 vlan 10 | 10.0.0.1 > 10.0.0.2 ttl 64 | ICMP echo request id 1 seq 1',
  );
  const udp = buildUdp({ srcPort: 5, dstPort: 4789 }, buildVxlan({ vni: 7 }, ECHO_FRAME), pseudo4(17));
  const outer = buildEthernet(
    { dst: mac('2:0:0:0:0:9'), src: mac('2:0:0:0:0:8'), tags: [], ethType: 0x0800 },
    buildIpv4(ipv4Header({ src: ip4('10.0.0.1'), dst: ip4('10.0.0.2') }), udp),
  );
  assert.match(formatFrame(outer), /UDP 5 > 4789 size 55 \| VXLAN vni 7 \| 02:00:00:00:00:01 > .* echo request/);
});

test(`nothing that is cut or mutated makes a reader throw (seed ${seed})`, () => {
  const random = new Random(seed);
  const tcp = {
    srcPort: 1,
    dstPort: 2,
    sequence: 3,
    acknowledgment: 4,
    flags: 2,
    window: 5,
    urgent: 0,
    mss: 9,
    windowScale: 1,
  };
  const six = buildIpv6(
    { ...ipv6Header({ protocol: 6 }), src: ip6('fd00::1'), dst: ip6('fd00::2') },
    buildTcp(tcp, new Uint8Array(3), pseudo6(6)),
  );
  const frames = [
    ECHO_FRAME,
    buildEthernet({ dst: mac('2:0:0:0:0:9'), src: mac('2:0:0:0:0:8'), tags: [], ethType: 0x86dd }, six),
  ];
  for (let i = 0; i < rounds; i++) {
    const frame = random.pick(frames).slice();
    for (let n = random.below(4); n > 0; n--) frame[random.below(frame.length)] = random.u32() & 0xff;
    const cut = frame.subarray(0, random.below(frame.length + 1));
    assert.equal(typeof formatFrame(cut), 'string', toHex(cut));
  }
});

test(`ipv4 and tcp of random values: parse = emit (seed ${seed})`, () => {
  const random = new Random(seed);
  for (let i = 0; i < rounds; i++) {
    const header: Ipv4 = {
      tos: random.below(256),
      id: random.below(65536),
      dontFragment: random.chance(0.5),
      moreFragments: random.chance(0.5),
      fragmentOffset: random.below(8192) * 8,
      ttl: random.below(256),
      protocol: IP_PROTO.TCP,
      src: random.bytes(4),
      dst: random.bytes(4),
      options: random.bytes(random.below(11) * 4),
    };
    const tcp = {
      srcPort: random.below(65536),
      dstPort: random.below(65536),
      sequence: random.u32(),
      acknowledgment: random.u32(),
      flags: random.below(256),
      window: random.below(65536),
      urgent: random.below(65536),
      mss: random.chance(0.5) ? random.below(65536) : null,
      windowScale: random.chance(0.5) ? random.below(15) : null,
    };
    const payload = random.bytes(random.below(50));
    const parsed = parseIpv4Header(buildIpv4(header, buildTcp(tcp, payload, header)))!;
    assert.deepEqual(parsed.header, header);
    const segment = parseTcp(parsed.payload, header)!;
    assert.deepEqual(segment.header, tcp);
    assert.ok(parsed.checksumOk && segment.checksumOk && equalBytes(segment.payload, payload));
  }
});
