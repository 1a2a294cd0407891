/**
 * What the devices make of checksums and segments that a kernel left to them, against frames built piece by piece. Needs
 * the addon, no rights.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadNative, type NativeAddon } from '../../backends/native/index.ts';
import { concatBytes } from '../../src/lib/bytes.ts';
import { Random } from '../../src/lib/random.ts';
import { must } from '../../src/lib/result.ts';
import { foldSum, pseudoHeaderSum } from '../../src/packet/checksum.ts';
import { buildEthernet, type VlanTag } from '../../src/packet/ethernet.ts';
import { buildIpv4 } from '../../src/packet/ipv4.ts';
import { buildIpv6 } from '../../src/packet/ipv6.ts';
import { buildTcp, TCP_FLAG } from '../../src/packet/tcp.ts';
import { buildUdp } from '../../src/packet/udp.ts';
import { sctpChecksum } from '../support/frames.ts';

const addon = loadNative();
const seed = Number(process.env.WEFT_SEED ?? 3);
const rounds = process.env.WEFT_NIGHTLY ? 2000 : 100;
const GSO = { none: 0, tcp4: 1, udpFragments: 3, tcp6: 4, udp: 5 } as const;

interface Flow {
  readonly isV6: boolean;
  readonly protocol: 6 | 17;
  readonly tags: readonly VlanTag[];
  readonly addresses: readonly [Uint8Array, Uint8Array];
  readonly options: Uint8Array;
  readonly hasTcpOptions: boolean;
  readonly sequence: number;
  readonly id: number;
}

function randomFlow(random: Random): Flow {
  const isV6 = random.chance(0.5);
  const size = isV6 ? 16 : 4;
  const tags = Array.from({ length: random.below(3) }, () => ({
    tpid: random.pick([0x8100, 0x88a8]),
    tci: random.below(0x10000),
  }));
  return {
    isV6,
    protocol: random.pick([6, 17]),
    tags,
    addresses: [random.bytes(size), random.bytes(size)],
    options: isV6 ? new Uint8Array(0) : new Uint8Array(4 * random.below(3)).fill(1),
    hasTcpOptions: random.chance(0.5),
    // close to where 32 and 16 bits wrap
    sequence: (0xfffff000 + random.below(0x2000)) >>> 0,
    id: (0xfff0 + random.below(0x20)) & 0xffff,
  };
}

/** A frame with complete checksums, `offset` bytes and `index` packets into the flow. */
function build(flow: Flow, payload: Uint8Array, flags: number, offset: number, index: number): Uint8Array {
  const [src, dst] = flow.addresses;
  const pseudo = { src, dst, protocol: flow.protocol };
  const ports = { srcPort: 1111, dstPort: 2222 };
  const segment =
    flow.protocol === 17
      ? buildUdp(ports, payload, pseudo)
      : buildTcp(
          {
            ...ports,
            sequence: (flow.sequence + offset) >>> 0,
            acknowledgment: 7,
            flags,
            window: 500,
            urgent: 0,
            mss: flow.hasTcpOptions ? 1400 : null,
            windowScale: null,
          },
          payload,
          pseudo,
        );
  return buildPacket(flow, flow.protocol, segment, index);
}

function buildPacket(flow: Flow, protocol: number, payload: Uint8Array, index: number): Uint8Array {
  const [src, dst] = flow.addresses;
  const common = { src, dst, protocol };
  const packet = flow.isV6
    ? buildIpv6({ ...common, trafficClass: 3, flowLabel: 0x12345, hopLimit: 9, isFragment: false }, payload)
    : buildIpv4(
        {
          ...common,
          tos: 3,
          id: (flow.id + index) & 0xffff,
          dontFragment: true,
          moreFragments: false,
          fragmentOffset: 0,
          ttl: 9,
          options: flow.options,
        },
        payload,
      );
  const ethType = flow.isV6 ? 0x86dd : 0x0800;
  return buildEthernet(
    { dst: Uint8Array.of(2, 0, 0, 0, 0, 2), src: Uint8Array.of(2, 0, 0, 0, 0, 1), tags: flow.tags, ethType },
    packet,
  );
}

type Tunnel = 'vxlan' | 'vxlan-checksum' | 'geneve' | 'gre' | 'ipip';
const tunnels: readonly Tunnel[] = ['vxlan', 'vxlan-checksum', 'geneve', 'gre', 'ipip'];

/** The frame inside a tunnel; for ipip only what is behind its Ethernet header. `index` counts packets. */
function wrap(tunnel: Tunnel, outer: Flow, inner: Uint8Array, innerFlow: Flow, index: number): Uint8Array {
  const [src, dst] = outer.addresses;
  const innerL3 = 14 + 4 * innerFlow.tags.length;
  const udp = (dstPort: number, header: readonly number[]): Uint8Array =>
    buildUdp({ srcPort: 5, dstPort }, concatBytes(Uint8Array.from(header), inner), { src, dst, protocol: 17 });
  const [protocol, payload] = {
    vxlan: () => [17, udp(4789, [8, 0, 0, 0, 0, 0, 7, 0])] as const,
    'vxlan-checksum': () => [17, udp(4789, [8, 0, 0, 0, 0, 0, 7, 0])] as const,
    geneve: () => [17, udp(6081, [1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 0])] as const,
    gre: () => [47, concatBytes(Uint8Array.of(0x20, 0, 0x65, 0x58, 0, 0, 0, 7), inner)] as const,
    ipip: () => [innerFlow.isV6 ? 41 : 4, inner.subarray(innerL3)] as const,
  }[tunnel]();
  if (tunnel === 'vxlan') payload.fill(0, 6, 8);
  return buildPacket(outer, protocol, payload, index);
}

const l4Of = (flow: Flow): number => 14 + 4 * flow.tags.length + (flow.isV6 ? 40 : 20 + flow.options.length);
const fieldOf = (flow: Flow): number => (flow.protocol === 6 ? 16 : 6);

/** The frame as a sender leaves it to the device: the checksum field holds the pseudo header's sum. */
function leaveChecksum(flow: Flow, frame: Uint8Array): Uint8Array {
  const [src, dst] = flow.addresses;
  const left = frame.slice();
  const sum = ~foldSum(pseudoHeaderSum({ src, dst, protocol: flow.protocol }, frame.length - l4Of(flow))) & 0xffff;
  new DataView(left.buffer).setUint16(l4Of(flow) + fieldOf(flow), sum);
  return left;
}

function vnetHeader(gsoType: number, gsoSize: number, start: number, offset: number): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  const isLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  bytes[0] = 1;
  bytes[1] = gsoType;
  view.setUint16(4, gsoSize, isLittle);
  view.setUint16(6, start, isLittle);
  view.setUint16(8, offset, isLittle);
  return bytes;
}

const gsoOf = ({ protocol, isV6 }: Flow): number => (protocol === 17 ? GSO.udp : isV6 ? GSO.tcp6 : GSO.tcp4);
const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');

describe('checksums and segments', { skip: addon.ok ? false : addon.error }, () => {
  const cutFrame: NativeAddon['cutFrame'] = (...args) => must(addon).cutFrame(...args);
  const mergeFrames: NativeAddon['mergeFrames'] = (frames) => must(addon).mergeFrames(frames);
  const completeFrame: NativeAddon['completeFrame'] = (frame) => must(addon).completeFrame(frame);

  it('cuts as if each piece had been sent by itself', () => {
    const random = new Random(seed);
    for (let round = 0; round < rounds; round++) {
      const flow = randomFlow(random);
      const size = 100 + random.below(1349);
      const payload = random.bytes(1 + random.below(random.chance(0.2) ? 60_000 : 6000));
      const flags = random.pick([
        TCP_FLAG.ACK,
        TCP_FLAG.ACK | TCP_FLAG.PSH,
        TCP_FLAG.ACK | TCP_FLAG.FIN | TCP_FLAG.CWR | TCP_FLAG.ECE,
      ]);
      const large = leaveChecksum(flow, build(flow, payload, flags, 0, 0));
      const pieces = cutFrame(large, vnetHeader(gsoOf(flow), size, l4Of(flow), fieldOf(flow)), 1792);
      assert.equal(pieces.length, Math.ceil(payload.length / size), `seed ${seed}, round ${round}`);
      pieces.forEach((piece, i) => {
        const isLast = i === pieces.length - 1;
        const own = flags & ~(isLast ? 0 : TCP_FLAG.FIN | TCP_FLAG.PSH) & ~(i === 0 ? 0 : TCP_FLAG.CWR);
        const expected = build(flow, payload.subarray(i * size, (i + 1) * size), own, i * size, i);
        assert.equal(hex(piece), hex(expected), `seed ${seed}, round ${round}, piece ${i}`);
      });
    }
  });

  it('cuts a segment inside a tunnel, tunnel and all', () => {
    const random = new Random(seed);
    for (let round = 0; round < rounds; round++) {
      const [flow, outer, tunnel] = [randomFlow(random), randomFlow(random), random.pick(tunnels)];
      const size = 500 + random.below(700);
      const payload = random.bytes(1 + random.below(20_000));
      const large = wrap(tunnel, outer, leaveChecksum(flow, build(flow, payload, TCP_FLAG.ACK, 0, 0)), flow, 0);
      const start = large.length - (payload.length + (flow.protocol === 17 ? 8 : flow.hasTcpOptions ? 24 : 20));
      const pieces = cutFrame(large, vnetHeader(gsoOf(flow), size, start, fieldOf(flow)), 1792);
      assert.equal(pieces.length, Math.ceil(payload.length / size), `seed ${seed}, round ${round}`);
      pieces.forEach((piece, i) => {
        const inner = build(flow, payload.subarray(i * size, (i + 1) * size), TCP_FLAG.ACK, i * size, i);
        const expected = wrap(tunnel, outer, inner, flow, i);
        assert.equal(hex(piece), hex(expected), `seed ${seed}, round ${round}, ${tunnel}, piece ${i}`);
      });
    }
  });

  it('completes a checksum inside a tunnel', () => {
    const random = new Random(seed);
    for (let round = 0; round < rounds; round++) {
      const [flow, outer, tunnel] = [randomFlow(random), randomFlow(random), random.pick(tunnels)];
      if (tunnel === 'ipip') continue;
      const inner = build(flow, random.bytes(random.below(1200)), TCP_FLAG.ACK, 0, 0);
      const whole = wrap(tunnel, outer, inner, flow, 0);
      const left = whole.slice();
      left.set(leaveChecksum(flow, inner), whole.length - inner.length);
      assert.equal(hex(completeFrame(left)), hex(whole), `seed ${seed}, round ${round}, ${tunnel}`);
    }
  });

  it('cuts TCP smaller when a piece would fit in no chunk, and refuses UDP', () => {
    const flow: Flow = {
      ...randomFlow(new Random(seed)),
      isV6: false,
      addresses: [Uint8Array.of(10, 0, 0, 1), Uint8Array.of(10, 0, 0, 2)],
      protocol: 6,
    };
    const payload = new Uint8Array(9000).fill(5);
    const tcp = cutFrame(
      leaveChecksum(flow, build(flow, payload, TCP_FLAG.ACK, 0, 0)),
      vnetHeader(GSO.tcp4, 8000, l4Of(flow), 16),
      1792,
    );
    assert.ok(tcp.length > 5 && tcp.every((piece) => piece.length <= 1792));
    const udp: Flow = { ...flow, protocol: 17 };
    const large = leaveChecksum(udp, build(udp, payload, 0, 0, 0));
    assert.throws(() => cutFrame(large, vnetHeader(GSO.udp, 8000, l4Of(udp), 6), 1792), /contradicts/);
  });

  it('puts together only what can be cut into the same frames again', () => {
    const random = new Random(seed);
    let merged = 0;
    for (let round = 0; round < rounds; round++) {
      const frames: Uint8Array[] = [];
      for (let stream = 0; stream < 3; stream++) {
        const flow = randomFlow(random);
        const payload = random.bytes(1 + random.below(20_000));
        const flags = random.pick([TCP_FLAG.ACK, TCP_FLAG.ACK | TCP_FLAG.PSH, TCP_FLAG.ACK | TCP_FLAG.FIN]);
        const large = leaveChecksum(flow, build(flow, payload, flags, 0, 0));
        frames.push(
          ...cutFrame(large, vnetHeader(gsoOf(flow), 500 + random.below(900), l4Of(flow), fieldOf(flow)), 1792),
        );
      }
      // a byte is flipped, a frame lost, two change places
      if (random.chance(0.5)) random.pick(frames)[random.below(54)]! ^= 1 << random.below(8);
      if (random.chance(0.3)) frames.splice(random.below(frames.length), 1);
      if (random.chance(0.3))
        frames.splice(random.below(frames.length), 0, ...frames.splice(random.below(frames.length), 1));
      const again = mergeFrames(frames).flatMap(({ count, header, frame }) => {
        if (count === 1) return [frame];
        merged += count;
        return cutFrame(frame, header, 1792);
      });
      assert.deepEqual(again.map(hex), frames.map(hex), `seed ${seed}, round ${round}`);
    }
    assert.ok(merged > rounds, `${merged} frames in all`);
  });

  it('does not put frames with wrong checksums together', () => {
    const flow: Flow = { ...randomFlow(new Random(seed)), protocol: 6, tags: [] };
    const large = leaveChecksum(flow, build(flow, new Uint8Array(4000).fill(9), TCP_FLAG.ACK, 0, 0));
    const frames = cutFrame(large, vnetHeader(gsoOf(flow), 1000, l4Of(flow), 16), 1792);
    assert.deepEqual(
      mergeFrames(frames).map(({ count }) => count),
      [4],
    );
    frames[2]![500]! ^= 1;
    assert.deepEqual(
      mergeFrames(frames).map(({ count }) => count),
      [2, 1, 1],
    );
    assert.deepEqual(mergeFrames([]), []);
  });

  it('completes a checksum, told or not told', () => {
    const random = new Random(seed);
    for (let round = 0; round < rounds; round++) {
      const flow = randomFlow(random);
      const whole = build(flow, random.bytes(random.below(1400)), TCP_FLAG.ACK, 0, 0);
      const left = leaveChecksum(flow, whole);
      const [told] = cutFrame(left, vnetHeader(GSO.none, 0, l4Of(flow), fieldOf(flow)), 1792);
      assert.equal(hex(told!), hex(whole), `seed ${seed}, round ${round}`);
      assert.equal(hex(completeFrame(left)), hex(whole), `seed ${seed}, round ${round}`);
      assert.equal(hex(completeFrame(whole)), hex(whole), `seed ${seed}, round ${round}`);
    }
  });

  it('completes SCTP', () => {
    const [src, dst] = [Uint8Array.of(10, 0, 0, 1), Uint8Array.of(10, 0, 0, 2)];
    const chunk = new Random(seed).bytes(96);
    chunk.fill(0, 8, 12);
    const header = {
      tos: 0,
      id: 1,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      protocol: 132,
    };
    const packet = buildIpv4({ ...header, src, dst, options: new Uint8Array(0) }, chunk);
    const ethernet = { dst: new Uint8Array(6), src: new Uint8Array(6), tags: [], ethType: 0x0800 };
    const [frame] = cutFrame(buildEthernet(ethernet, packet), vnetHeader(GSO.none, 0, 34, 8), 1792);
    assert.equal(new DataView(frame!.buffer).getUint32(34 + 8, true), sctpChecksum(chunk));
  });

  it('refuses what contradicts itself, and leaves alone what it does not know', () => {
    const random = new Random(seed);
    const flow: Flow = { ...randomFlow(random), protocol: 6 };
    const frame = leaveChecksum(flow, build(flow, random.bytes(3000), TCP_FLAG.ACK, 0, 0));
    const gso = gsoOf(flow);
    const wrong = [
      vnetHeader(gso, 0, l4Of(flow), 16),
      vnetHeader(gso, 1000, 4, 16),
      vnetHeader(gso, 1000, frame.length + 100, 16),
      vnetHeader(GSO.udpFragments, 1000, l4Of(flow), 16),
      vnetHeader(flow.isV6 ? GSO.tcp4 : GSO.tcp6, 1000, l4Of(flow), 16),
      vnetHeader(GSO.none, 0, l4Of(flow), 16),
      vnetHeader(gso, 1000, l4Of(flow), 16).subarray(1),
    ];
    for (const header of wrong) assert.throws(() => cutFrame(frame, header, 1792), /contradicts/);
    assert.throws(() => cutFrame(frame.subarray(0, 60), vnetHeader(GSO.none, 0, 60, 16), 1792), /contradicts/);
    for (let round = 0; round < rounds * 10; round++) {
      const noise = random.bytes(random.below(200));
      const header = random.bytes(10);
      try {
        for (const piece of cutFrame(noise, header, 1792)) assert.ok(piece.length <= 1792);
      } catch (error) {
        assert.match(String(error), /contradicts/);
      }
      assert.equal(completeFrame(noise).length, noise.length);
    }
  });
});
