/** Ports come and go; the audit holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { Datapath } from '../../../src/datapath/datapath.ts';
import { loadModule } from '../../../src/datapath/load.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import { PORT_SIZEOF, WORKER_FREE_CHUNKS, WORKER_FREE_COUNT } from '../../../src/gen/layout.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { matchOf, testDatapath, udpFrame } from '../../support/datapath.ts';
import { randomFrame } from '../../support/frames.ts';

const output = (port: number): DpAction => ({ type: 'output', port });

test('a datapath says why it cannot be', () => {
  const refused = Datapath.create({ chunkSize: 1000 });
  assert.ok(!refused.ok);
  assert.match(refused.error, /chunkSize/);
  // a module for shared memory does not fit a plain one
  const wrong = Datapath.create({ module: must(loadModule({ isShared: true })) });
  assert.ok(!wrong.ok);
  assert.match(wrong.error, /no datapath of \d+ pages/);
});

/** Random frames through a few actions and a recirculation; what came out, and what was counted. */
function throughBuild(build: 'release' | 'debug', isShared: boolean): unknown {
  const bed = testDatapath({ build, isShared });
  const { dp } = bed;
  const tagged: DpAction[] = [{ type: 'push_vlan', tpid: 0x8100, tci: 0x1007 }, output(2), { type: 'recirc', id: 1 }];
  must(dp.putFlow(matchOf({ in_port: 1, recirc_id: 0 }), tagged));
  must(dp.putFlow(matchOf({ in_port: 1, recirc_id: 1 }), [{ type: 'pop_vlan' }, output(2)]));
  const random = new Random(5);
  for (let i = 0; i < 100; i++) {
    bed.port(1).send(randomFrame(random));
    bed.run();
  }
  bed.check();
  return { frames: bed.port(2).takeSent(), drops: dp.drops(), counters: dp.counters() };
}

test('release and debug builds, over plain and shared memory, are the same datapath', () => {
  const expected = throughBuild('release', false);
  for (const [build, isShared] of [
    ['release', true],
    ['debug', false],
    ['debug', true],
  ] as const)
    assert.deepEqual(throughBuild(build, isShared), expected);
});

test('ports that make no sense are refused', () => {
  const { dp } = testDatapath();
  const refused: [number: number, options: object, why: RegExp][] = [
    [1, {}, /there already/],
    [4096, {}, /not below 4096/],
    [-1, {}, /not below 4096/],
    [1.5, {}, /not below 4096/],
    [3, { ringEntries: 100 }, /power of two/],
    [3, { ringEntries: 4 }, /power of two/],
    [3, { ringEntries: 64, fillTarget: 65 }, /fillTarget/],
    [3, { ringEntries: 1024, fillTarget: 1024 }, /of 1024 chunks/],
    [3, { ringEntries: 65536, fillTarget: 1 }, /no ring space/],
  ];
  for (const [number, options, why] of refused.slice(0, -1)) {
    const added = dp.addPort(number, new MemoryNetdev('x'), options);
    assert.ok(!added.ok);
    assert.match(added.error, why);
  }
  const small = testDatapath({ ringSpaceSize: 65536 });
  const added = small.dp.addPort(3, new MemoryNetdev('x'), refused.at(-1)![1]);
  assert.ok(!added.ok);
  assert.match(added.error, /no ring space/);
  assert.deepEqual(dp.removePort(9), { ok: false, error: 'not_found' });
});

test('a device that cannot be attached leaves nothing behind', () => {
  const { dp, port, check } = ((bed) => ({ dp: bed.dp, port: bed.port.bind(bed), check: bed.check.bind(bed) }))(
    testDatapath(),
  );
  const free = dp.ringSpaceFree;
  const added = dp.addPort(3, port(1));
  assert.ok(!added.ok);
  assert.match(added.error, /attached already/);
  assert.equal(dp.ringSpaceFree, free);
  assert.equal(dp.hasPort(3), false);
  check();
});

test('a port is removed with frames on every ring, and nothing is lost', () => {
  const bed = testDatapath({ ports: 3 });
  must(bed.dp.putFlow(matchOf({ in_port: 1 }), [output(2)]));
  const stuck = bed.port(2);
  stuck.flush = () => 0;
  for (let i = 0; i < 5; i++) bed.port(1).send(udpFrame({ sport: i }));
  bed.run();
  assert.equal(bed.dp.audit().chunks.tx, 5);
  for (let i = 0; i < 3; i++) stuck.send(udpFrame({ sport: i }));
  const before = bed.dp.audit();
  assert.equal(before.chunks.rx, 3);
  assert.ok(bed.dp.removePort(2).ok);
  bed.check();
  assert.equal(bed.dp.drops().rx_no_port, 3);
  assert.equal(bed.dp.portStats(2), null);
  assert.equal(bed.dp.netdev(2), null);
  bed.port(1).send(udpFrame());
  bed.run();
  assert.equal(bed.dp.drops().output_no_port, 1);
  bed.check();
});

test('port churn loses no chunk, no ring space and no frame', () => {
  const seed = Number(process.env.WEFT_SEED ?? 1);
  const random = new Random(seed);
  const bed = testDatapath({ ports: 0, framesCount: 1024 });
  const { dp } = bed;
  const before = { ringSpace: dp.ringSpaceFree, free: dp.audit().chunks.free };
  const live = new Map<number, MemoryNetdev>();
  const number = (): number => 1 + random.below(12);
  for (let i = 0; i < (process.env.WEFT_NIGHTLY ? 40_000 : 400); i++) {
    const port = number();
    const there = live.get(port);
    if (!there) {
      const netdev = new MemoryNetdev(`p${port}`);
      must(dp.addPort(port, netdev, { ringEntries: 8 << random.below(6), fillTarget: 1 + random.below(8) }));
      live.set(port, netdev);
    } else if (random.chance(0.5)) {
      assert.ok(dp.removePort(port).ok);
      live.delete(port);
    }
    dp.putFlow(matchOf({ in_port: number() }), [output(number()), output(number())], { replace: true });
    for (const netdev of live.values()) for (let n = random.below(4); n > 0; n--) netdev.send(udpFrame());
    if (random.chance(0.7)) bed.run();
    dp.takeUpcalls((upcall) => {
      if (random.chance(0.5)) dp.release(upcall, 'upcall_refused');
      else dp.execute(upcall, [output(number())]);
    });
    assert.deepEqual(dp.audit().problems, [], `seed ${seed}, step ${i}`);
  }
  dp.close();
  bed.check();
  assert.deepEqual({ ringSpace: dp.ringSpaceFree, free: dp.audit().chunks.free }, before);
});

test('closing gives held frames up', () => {
  const bed = testDatapath();
  for (let i = 0; i < 3; i++) bed.port(1).send(udpFrame());
  bed.run();
  bed.dp.close();
  bed.check();
  assert.equal(bed.dp.drops().held_shutdown, 3);
  assert.deepEqual(bed.dp.portNumbers(), []);
  assert.equal(bed.dp.audit().chunks.free, bed.dp.plan.sizes.framesCount);
});

test('a tunnel port has no rings, and nothing goes out by it', () => {
  const bed = testDatapath();
  must(bed.dp.addTunnelPort(9, { type: 'vxlan' }));
  assert.ok(bed.dp.hasPort(9));
  assert.ok(!bed.dp.addTunnelPort(9, { type: 'gre' }).ok);
  must(bed.dp.putFlow(matchOf({ in_port: 1 }), [output(9)]));
  bed.port(1).send(udpFrame());
  bed.run();
  assert.equal(bed.dp.drops().output_down, 1);
  bed.check();
  assert.ok(bed.dp.removePort(9).ok);
  assert.equal(bed.dp.hasPort(9), false);
});

test('the audit finds a chunk that is lost, one that is in two places, and a frame that is missing', () => {
  const damage = (harm: (words: Uint32Array, w: number) => void): string[] => {
    const { dp } = testDatapath();
    harm(new Uint32Array(dp.memory.buffer), dp.plan.workers[0]!.worker.start);
    return [...dp.audit().problems];
  };
  assert.match(damage((words, w) => words[(w + WORKER_FREE_COUNT) >>> 2]!--)[0] ?? '', /1 chunks are nowhere/);
  const doubled = damage((words, w) => {
    const stack = words[(w + WORKER_FREE_CHUNKS) >>> 2]! >>> 2;
    words[stack] = words[stack + 1]!;
  });
  assert.match(doubled[0] ?? '', /in two places: the free stack of worker 0 and the free stack of worker 0/);
  assert.match(doubled[1] ?? '', /1 chunks are nowhere/);
  const strange = damage((words, w) => {
    words[words[(w + WORKER_FREE_CHUNKS) >>> 2]! >>> 2] = 4;
  });
  assert.match(strange[0] ?? '', /holds 4, which is no chunk/);
  const bed = testDatapath();
  bed.port(1).send(udpFrame());
  bed.run();
  new Uint32Array(bed.dp.memory.buffer)[(bed.dp.plan.workers[0]!.worker.start + 688) >>> 2] = 5;
  assert.match(bed.dp.audit().problems[0] ?? '', /5 frames came in or were made, but 1/);
  assert.equal(PORT_SIZEOF, 256);
});

test('nothing is allocated for a frame', () => {
  const bed = testDatapath({ ports: 2 });
  must(bed.dp.putFlow(matchOf({ in_port: 1 }), [output(2)]));
  let seen = 0;
  bed.port(2).onFrame = (_memory, _start, size) => {
    seen += size;
  };
  const frame = udpFrame();
  const turns = (count: number): void => {
    for (let i = 0; i < count; i++) {
      for (let n = 0; n < 32; n++) bed.port(1).send(frame);
      bed.dp.poll(1);
    }
  };
  turns(3000);
  const before = process.memoryUsage().heapUsed;
  turns(5000);
  const used = process.memoryUsage().heapUsed - before;
  assert.equal(seen, 8000 * 32 * frame.length);
  assert.ok(used < 5000 * 32 * 4, `${used} bytes of heap for ${5000 * 32} frames`);
});
