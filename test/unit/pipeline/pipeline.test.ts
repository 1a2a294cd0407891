import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatapathOptions } from '../../../src/datapath/datapath.ts';
import { Views } from '../../../src/datapath/views.ts';
import type { FlowKey, Match } from '../../../src/flow/key.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import * as L from '../../../src/gen/layout.ts';
import { UPCALL_SLOTS } from '../../../src/gen/limits.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { matchOf, type TestDatapath, testDatapath, udpFrame } from '../../support/datapath.ts';

const seed = Number(process.env.WEFT_SEED ?? 4711);
const rounds = process.env.WEFT_NIGHTLY ? 5000 : 150;

const address = (n: number): number => 0x0a000000 + n;

/** UDP of one sender by port 1. */
const fromHost = (src: number): Match =>
  matchOf({ in_port: 1, recirc_id: 0, packet_type: 0, eth_type: 0x0800, nw_proto: 17, ipv4_src: address(src) });

const outputTo = (...ports: number[]): DpAction[] => ports.map((port) => ({ type: 'output', port }));
const recirc = (id: number): DpAction[] => [{ type: 'recirc', id }];

const put = (bed: TestDatapath, match: Match, ...ports: number[]): number =>
  must(bed.dp.putFlow(match, outputTo(...ports)));

/** Sender and destination port of each frame. */
const names = (frames: readonly Uint8Array[]): string[] =>
  frames.map((frame) => `${frame[29]}:${(frame[36]! << 8) | frame[37]!}`);

test('a frame that a megaflow takes leaves by its port, and is credited', () => {
  const bed = testDatapath();
  const id = put(bed, fromHost(5), 2);
  const frame = udpFrame({ src: 5 });
  bed.port(1).send(frame);
  assert.equal(bed.run(), 1);
  assert.deepEqual(bed.port(2).takeSent(), [frame]);
  const stats = bed.dp.flowStats(id)!;
  assert.deepEqual({ ...stats }, { packets: 1, bytes: frame.length, used: bed.clock.now(), tcpFlags: 0 });
  assert.equal(bed.dp.portStats(1)!.rxPackets, 1);
  assert.equal(bed.dp.portStats(2)!.txBytes, frame.length);
  bed.check();
});

test('packets of one megaflow keep their order; every megaflow gets its own', () => {
  const bed = testDatapath({ ports: 4 });
  const ids = [0, 1, 2].map((src) => put(bed, fromHost(src), 2 + src));
  const sent: Uint8Array[][] = [[], [], []];
  for (let i = 0; i < 60; i++) {
    const src = [0, 1, 0, 2, 2][i % 5]!;
    const frame = udpFrame({ src, dport: i });
    sent[src]!.push(frame);
    bed.port(1).send(frame);
    if (i === 31) bed.run();
  }
  bed.run();
  for (const src of [0, 1, 2]) {
    assert.deepEqual(names(bed.port(2 + src).takeSent()), names(sent[src]!));
    assert.equal(bed.dp.flowStats(ids[src]!)!.packets, sent[src]!.length);
  }
  bed.check();
});

test('the first packet of a megaflow is found by the classifier, the next ones by the cache', () => {
  for (const isCacheOff of [false, true]) {
    const bed = testDatapath({ isCacheOff });
    put(bed, fromHost(5), 2);
    for (let i = 0; i < 4; i++) {
      bed.port(1).send(udpFrame({ src: 5 }));
      bed.run();
    }
    const { cache_hits, megaflow_hits } = bed.dp.counters();
    assert.deepEqual([cache_hits, megaflow_hits], isCacheOff ? [0, 4] : [3, 1]);
    bed.dp.flushCache();
    bed.port(1).send(udpFrame({ src: 5 }));
    bed.run();
    assert.equal(bed.dp.counters().megaflow_hits, isCacheOff ? 5 : 2);
  }
});

test('a cache that cannot keep up is left aside, and asked again when it can', () => {
  const bed = testDatapath({ cacheEntries: 8 });
  put(bed, matchOf({ in_port: 1 }), 2);
  const send = (frames: number, senders: number): number => {
    const before = bed.dp.counters().cache_hits!;
    for (let i = 0; i < frames; i++) {
      bed.port(1).send(udpFrame({ src: i % senders, sport: Math.floor(i / senders) % senders }));
      if (i % 32 === 31) bed.run();
      if (i % 256 === 255) bed.port(2).takeSent();
    }
    return bed.dp.counters().cache_hits! - before;
  };
  assert.ok(send(32768, 512) < 1000);
  const late = send(2048, 1);
  assert.ok(late > 0 && late <= 2048 / 16, `${late} hits while one burst in sixteen asks`);
  assert.ok(send(16 * 8192, 1) > 8000);
  assert.ok(send(2048, 1) >= 2040, 'it is asked always again');
  bed.check();
});

test('a cache entry outlives its flow without harm, also when the flow’s memory has a new owner', () => {
  const bed = testDatapath();
  const send = (src: number): void => {
    bed.port(1).send(udpFrame({ src }));
    bed.run();
  };
  const old = put(bed, fromHost(5), 2);
  for (let i = 0; i < 3; i++) send(5);
  assert.equal(bed.port(2).takeSent().length, 3);
  must(bed.dp.deleteFlow(old, bed.dp.flowGeneration(old)!));
  send(5);
  assert.equal(bed.dp.counters().misses, 1);
  put(bed, fromHost(6), 2); // the same size: it gets the old one's cell
  send(5);
  assert.equal(bed.dp.counters().misses, 2);
  send(6);
  assert.deepEqual(names(bed.port(2).takeSent()), ['6:2000']);
  for (const upcall of bed.upcalls()) bed.dp.release(upcall, 'table_miss');
  bed.check();
});

test('a miss holds its frame until the control side answers', () => {
  const bed = testDatapath();
  const frames = [1, 2, 3].map((src) => udpFrame({ src }));
  for (const frame of frames) bed.port(1).send(frame);
  bed.run();
  const upcalls = bed.upcalls();
  assert.deepEqual(
    upcalls.map(({ frame }) => [...frame]),
    frames.map((frame) => [...frame]),
  );
  assert.equal(bed.dp.audit().chunks.held, 3);
  bed.check();
  const id = put(bed, fromHost(2), 2);
  must(bed.dp.execute(upcalls[0]!, outputTo(2)));
  must(bed.dp.execute(upcalls[1]!, outputTo(2), { flowId: id }));
  bed.dp.release(upcalls[2]!, 'vlan_not_member');
  assert.deepEqual(bed.port(2).takeSent(), frames.slice(0, 2));
  assert.equal(bed.dp.flowStats(id)!.packets, 1);
  assert.equal(bed.dp.drops().vlan_not_member, 1);
  assert.equal(bed.dp.counters().upcalls_executed, 2);
  bed.check();
});

test('upcalls beyond the ring are dropped and counted', () => {
  const bed = testDatapath({ framesCount: 4096 });
  const total = UPCALL_SLOTS + 40;
  for (let i = 0; i < total; i++) {
    bed.port(1).send(udpFrame({ src: i }));
    bed.run();
  }
  assert.equal(bed.dp.drops().upcall_overflow, 40);
  assert.equal(bed.dp.upcallsWaiting, UPCALL_SLOTS);
  bed.check();
});

test('frames beyond the transmit ring are dropped and counted; the rest leaves', () => {
  const bed = testDatapath();
  put(bed, fromHost(1), ...new Array<number>(12).fill(2));
  for (let i = 0; i < 32; i++) bed.port(1).send(udpFrame({ src: 1 }));
  bed.run();
  // one burst: 384 outputs to a ring of 256 that is emptied after it
  assert.equal(bed.port(2).takeSent().length, 256);
  assert.equal(bed.dp.drops().output_ring_full, 128);
  assert.equal(bed.dp.portStats(2)!.txDropped, 128);
  bed.check();
});

test('copies that find no chunk are dropped and counted', () => {
  const bed = testDatapath({ framesCount: 192 });
  put(bed, fromHost(1), ...new Array<number>(6).fill(2));
  for (let i = 0; i < 32; i++) bed.port(1).send(udpFrame({ src: 1 }));
  bed.run();
  const { no_frame } = bed.dp.drops();
  assert.ok(no_frame > 0);
  assert.equal(bed.port(2).takeSent().length + no_frame, 32 * 6);
  bed.check();
});

test('output to a port that is not there, is down, or takes shorter frames only', () => {
  const bed = testDatapath({ ports: 4 });
  bed.port(3).isUp = false;
  bed.port(4).mtu = 100;
  bed.run();
  bed.dp.process(3, 1, bed.clock.now());
  put(bed, fromHost(1), 77);
  put(bed, fromHost(2), 3);
  put(bed, fromHost(3), 4);
  put(bed, fromHost(4), 0xffffffff);
  for (const src of [1, 2, 3, 4]) bed.port(1).send(udpFrame({ src, payloadSize: src === 3 ? 73 : 18 }));
  bed.run();
  bed.port(1).send(udpFrame({ src: 3, payloadSize: 72 }));
  bed.run();
  const { output_no_port, output_down, output_mtu } = bed.dp.drops();
  assert.deepEqual([output_no_port, output_down, output_mtu], [2, 1, 1]);
  assert.equal(bed.port(4).takeSent().length, 1);
  bed.check();
});

/** Puts a descriptor on a port's rx ring, as a device that lies would. */
function receive(bed: TestDatapath, port: number, address: number, size: number): void {
  const views = new Views(bed.dp.memory);
  const at = bed.dp.plan.ports.start + port * L.PORT_SIZEOF;
  const producer = views.getU32(at + L.PORT_RX_PRODUCER);
  const index = views.getU32(producer);
  const entry = views.getU32(at + L.PORT_RX_ENTRIES) + 16 * (index & views.getU32(at + L.PORT_RX_MASK));
  views.setU32(entry, address - views.getU32(at + L.PORT_UMEM_BASE));
  views.setU32(entry + 8, size);
  views.setU32(producer, index + 1);
}

/** Takes a free chunk off a port's fill ring; its address. */
function takeFill(bed: TestDatapath, port: number): number {
  const views = new Views(bed.dp.memory);
  const at = bed.dp.plan.ports.start + port * L.PORT_SIZEOF;
  const consumer = views.getU32(at + L.PORT_FILL_CONSUMER);
  const index = views.getU32(consumer);
  views.setU32(consumer, index + 1);
  const entry = views.getU32(at + L.PORT_FILL_ENTRIES) + 8 * (index & views.getU32(at + L.PORT_FILL_MASK));
  return views.getU32(at + L.PORT_UMEM_BASE) + views.getU32(entry);
}

test('a descriptor that points outside the frames, or beyond its chunk, is dropped', () => {
  const bed = testDatapath();
  const { start, size } = bed.dp.plan.frames;
  receive(bed, 1, start - 64, 60);
  receive(bed, 1, start + size, 60);
  receive(bed, 1, 0xfffffff0, 60);
  receive(bed, 1, takeFill(bed, 1) + 256, bed.dp.plan.sizes.chunkSize - 255);
  receive(bed, 1, takeFill(bed, 1) + 256, 0xffffffff);
  assert.equal(bed.run(), 5);
  assert.equal(bed.dp.drops().rx_oversize, 5);
  assert.equal(bed.dp.portStats(1)!.rxDropped, 5);
  bed.check();
});

test('runts are dropped', () => {
  const bed = testDatapath();
  bed.port(1).send(new Uint8Array(13));
  bed.port(1).send(new Uint8Array(1));
  bed.run();
  assert.equal(bed.dp.drops().rx_runt, 2);
  bed.check();
});

test('an action list without output drops', () => {
  const bed = testDatapath();
  put(bed, fromHost(1));
  bed.port(1).send(udpFrame({ src: 1 }));
  bed.run();
  assert.equal(bed.dp.drops().explicit, 1);
  bed.check();
});

test('recirculation goes through the tables again, a limited number of times', () => {
  const bed = testDatapath();
  must(bed.dp.putFlow(matchOf({ in_port: 1, recirc_id: 0 }), recirc(1)));
  must(bed.dp.putFlow(matchOf({ recirc_id: 1 }), outputTo(2)));
  for (let i = 0; i < 5; i++) bed.port(1).send(udpFrame({ src: i }));
  bed.run();
  assert.equal(bed.port(2).takeSent().length, 5);
  assert.equal(bed.dp.counters().recirculated_packets, 5);
  must(bed.dp.putFlow(matchOf({ recirc_id: 1 }), recirc(1), { replace: true }));
  bed.port(1).send(udpFrame());
  bed.run();
  assert.equal(bed.dp.drops().recirc_depth, 1);
  bed.check();
});

test('a port that goes takes no chunk with it', () => {
  const bed = testDatapath({ ports: 3 });
  for (let i = 0; i < 10; i++) bed.port(1).send(udpFrame({ src: i }));
  must(bed.dp.removePort(1));
  bed.check();
  assert.equal(bed.dp.drops().rx_no_port, 10);
});

/** Random frames, flows and answers; everything that a run can do to a chunk. */
function churn(options: DatapathOptions): void {
  const random = new Random(seed);
  const bed = testDatapath({ ports: 4, framesCount: 512, ...options });
  const expected = new Map<number, number>();
  for (let round = 0; round < rounds; round++) {
    for (let i = random.below(80); i > 0; i--)
      bed.port(1 + random.below(4)).send(udpFrame({ src: random.below(40), payloadSize: random.below(200) }));
    bed.run();
    bed.dp.takeUpcalls(
      (upcall) =>
        answer(bed, random, expected, upcall.key, (id) => {
          if (random.chance(0.2)) bed.dp.release(upcall, 'table_miss');
          else
            must(bed.dp.execute(upcall, random.chance(0.3) ? 'lookup' : outputTo(1 + random.below(5)), { flowId: id }));
        }),
      random.below(60),
    );
    if (random.chance(0.3)) forget(bed, random);
    for (let port = 1; port <= 4; port++) bed.port(port).takeSent();
    const problems = bed.dp.audit().problems;
    assert.deepEqual(problems, [], `round ${round} of seed ${seed}`);
  }
  const total = [...bed.dp.flows()].reduce((sum, flow) => sum + flow.stats.packets, 0);
  assert.ok(total > 0);
}

function answer(
  bed: TestDatapath,
  random: Random,
  seen: Map<number, number>,
  key: FlowKey,
  then: (id: number) => void,
) {
  const src = (key.bytes[34]! << 8) | key.bytes[35]!;
  const inPort = key.bytes[0]!;
  const match = matchOf({ in_port: inPort, recirc_id: 0, eth_type: 0x0800, ipv4_src: address(src) });
  const ports = Array.from({ length: random.below(4) }, () => 1 + random.below(5));
  const done = bed.dp.putFlow(match, outputTo(...ports));
  if (done.ok) seen.set(done.value, src);
  then(done.ok ? done.value : 0xffffffff);
}

function forget(bed: TestDatapath, random: Random): void {
  for (const id of [...bed.dp.flowIds()])
    if (random.chance(0.5)) must(bed.dp.deleteFlow(id, bed.dp.flowGeneration(id)!));
}

test(`every chunk and frame is in one place, whatever happens (seed ${seed})`, () => {
  churn({});
  churn({ isCacheOff: true });
});

test(`statistics are exact (seed ${seed})`, () => {
  const random = new Random(seed);
  const bed = testDatapath();
  const flows = Array.from({ length: 20 }, (_, src) => put(bed, fromHost(src), 2));
  const packets = new Array<number>(20).fill(0);
  const bytes = new Array<number>(20).fill(0);
  for (let i = 0; i < 2000; i++) {
    const src = Math.floor(20 * random.fraction() ** 3);
    const frame = udpFrame({ src, payloadSize: random.below(1000) });
    assert.ok(bed.port(1).send(frame));
    packets[src]!++;
    bytes[src]! += frame.length;
    if (random.chance(0.05) || i % 40 === 39) bed.run();
    bed.port(2).takeSent();
  }
  bed.run();
  flows.forEach((id, src) => {
    const stats = bed.dp.flowStats(id)!;
    assert.deepEqual([stats.packets, stats.bytes], [packets[src], bytes[src]]);
  });
  bed.check();
});
