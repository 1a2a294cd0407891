/** The datapath's parser gives the key of its slow twin, whatever the frame. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extractKey } from '../../../src/flow/extract.ts';
import { differingFields, FlowKey, KEY, keyFieldList, keyMapOf } from '../../../src/flow/key.ts';
import { DROP_RX_RUNT } from '../../../src/gen/counters.ts';
import { concatBytes, toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import {
  mutate,
  plainFrame,
  randomFrame,
  randomIpv4Packet,
  randomIpv6Packet,
  randomNshPacket,
} from '../../support/frames.ts';
import { type ParseMeta, ParserBench } from '../../support/parse.ts';

const seed = Number(process.env.WEFT_SEED ?? Math.floor(Math.random() * 2 ** 32));
const times = process.env.WEFT_NIGHTLY === '1' ? 500 : 1;

/** Compares all that the parser writes with the twin's answer; the same bench is used for frame after frame. */
function compare(bench: ParserBench, frame: Uint8Array, meta: ParseMeta = {}, address?: number): void {
  const parsed = bench.parse(frame, meta, address);
  const twin = extractKey(frame, meta);
  const about = `WEFT_SEED=${seed} packet type ${meta.packetType ?? 0}, frame ${toHex(frame)}`;
  const names = differingFields(parsed.key, twin.key).map((field) => field.name);
  assert.deepEqual(names, [], about);
  assert.deepEqual(parsed.key.bytes, twin.key.bytes, about);
  assert.equal(parsed.keyMap, keyMapOf(twin.key), `key map, ${about}`);
  assert.equal(parsed.hash, parsed.hashWanted, `hash, ${about}`);
  assert.equal(parsed.reason, frame.length < 14 ? DROP_RX_RUNT : 0, about);
  if (parsed.reason !== 0) return;
  const { l25, l3, l4, l2Pad, tcpFlags } = parsed;
  const { offsets } = twin;
  assert.deepEqual({ l25, l3, l4, l2Pad, tcpFlags }, { ...offsets, l2Pad: twin.l2Pad, tcpFlags: twin.tcpFlags }, about);
}

/** Metadata of a packet that came round, out of a tunnel. */
function randomMeta(random: Random): ParseMeta {
  const base = new FlowKey();
  const metadata = keyFieldList.filter((field) => field.offset >= KEY.dp_hash.offset);
  for (let n = random.below(5); n > 0; n--) {
    const field = random.pick(metadata);
    base.setBytes(field, random.bytes(field.size));
  }
  return { base, inPort: random.below(5), recircId: random.chance(0.5) ? 0 : random.u32() };
}

test('frames of every protocol, one after the other in one slot', () => {
  const random = new Random(seed);
  const bench = new ParserBench();
  for (let i = 0; i < 20_000 * times; i++) {
    const frame = random.chance(0.3) ? plainFrame(random) : randomFrame(random);
    compare(bench, random.chance(0.5) ? mutate(random, frame) : frame, random.chance(0.2) ? randomMeta(random) : {});
  }
});

test('frames cut off at every length', () => {
  const random = new Random(seed);
  const bench = new ParserBench();
  for (let i = 0; i < 100 * times; i++) {
    const frame = randomFrame(random);
    for (let size = 0; size < frame.length; size++) compare(bench, frame.slice(0, size));
  }
});

test('random bytes behind every Ethertype', () => {
  const random = new Random(seed);
  const bench = new ParserBench();
  const types = [0x0800, 0x86dd, 0x0806, 0x8035, 0x8847, 0x8848, 0x894f, 0x8100, 0x88a8, 0x0100];
  for (let i = 0; i < 5000 * times; i++) {
    const frame = random.bytes(14 + random.below(100));
    const type = random.pick(types);
    frame[12] = type >>> 8;
    frame[13] = type;
    if (random.chance(0.5) && frame.length > 14) frame[14] = random.pick([0x45, 0x46, 0x60]);
    compare(bench, frame);
  }
});

test('packets without an Ethernet header', () => {
  const random = new Random(seed);
  const bench = new ParserBench();
  const types = [0x10800, 0x186dd, 0x1894f, 0x10806, 0x18847, 0x10000, 0x10001];
  const builders = [randomIpv4Packet, randomIpv6Packet, randomNshPacket];
  for (let i = 0; i < 3000 * times; i++) {
    const packet = random.pick(builders)(random);
    const packetType = random.chance(0.7) ? { 4: 0x10800, 6: 0x186dd }[packet[0]! >>> 4] : random.pick(types);
    const frame = random.chance(0.5) ? mutate(random, packet) : packet;
    compare(bench, frame, { ...randomMeta(random), packetType: packetType ?? 0x1894f });
  }
});

test('bytes around the frame make no difference', () => {
  const random = new Random(seed);
  const bench = new ParserBench();
  for (let i = 0; i < 3000 * times; i++) {
    const frame = mutate(random, randomFrame(random));
    bench.bytes.fill(random.below(256), 65536, 65536 + 1024);
    compare(bench, frame, {}, 65536 + 200);
  }
});

test('the straight way and the way of every frame give the same', () => {
  const random = new Random(seed);
  const bench = new ParserBench();
  for (let i = 0; i < 3000 * times; i++) {
    const frame = random.chance(0.7) ? plainFrame(random) : mutate(random, plainFrame(random));
    const address = 65536 + random.below(64);
    assert.deepEqual(bench.parse(frame, {}, address), bench.parse(frame, {}, address, 'parseAny'), toHex(frame));
  }
});

test('more padding than can be counted makes the header a lie', () => {
  const random = new Random(seed);
  const bench = new ParserBench();
  for (const padding of [0xffff, 0x10000]) {
    for (const packet of [randomIpv4Packet(random), randomIpv6Packet(random), plainFrame(random).slice(14)]) {
      const type = packet[0]! >>> 4 === 6 ? [0x86, 0xdd] : [0x08, 0x00];
      compare(bench, concatBytes(random.bytes(12), Uint8Array.from(type), packet, new Uint8Array(padding)));
    }
  }
});

test('a list of packets counts those that are to be dropped', () => {
  const bench = new ParserBench();
  bench.parse(new Uint8Array(13));
  new DataView(bench.memory.buffer).setUint32(512, 1024, true);
  assert.equal(bench.kernels.parseList!(0, 512, 1), 1);
  bench.parse(new Uint8Array(14));
  assert.equal(bench.kernels.parseList!(0, 512, 1), 0);
});
