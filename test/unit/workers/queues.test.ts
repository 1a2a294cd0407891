/** Ports of several queues: each queue has its worker, and who has one of a port's queues sends by it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { Datapath } from '../../../src/datapath/datapath.ts';
import type { WorkerLoss } from '../../../src/datapath/team.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import * as L from '../../../src/gen/layout.ts';
import { FURTHER_QUEUES_MAX, PORTS_MAX, QUEUES_MAX } from '../../../src/gen/limits.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import type { DeviceRings } from '../../../src/netdev/rings.ts';
import { queueRequests } from '../../../src/vswitchd/devices.ts';
import { workerThreads } from '../../../src/vswitchd/worker-threads.ts';
import { matchOf, udpFrame } from '../../support/datapath.ts';
import { sizes } from './bed.ts';

const output = (port: number): DpAction => ({ type: 'output', port });
const create = (workerCount: number, options = {}): Datapath =>
  must(Datapath.create({ ...sizes, workerCount, ...options }));

/** Every worker takes frames of one port to the other. */
function connect(dp: Datapath, from: number, to: number, workers: number): void {
  for (let worker = 0; worker < workers; worker++)
    must(dp.putFlow(matchOf({ in_port: from }), [output(to)], { worker }));
}

function run(dp: Datapath): void {
  while (dp.poll(1_000_000) > 0);
  assert.deepEqual(dp.audit().problems, []);
}

const queuesOf = (device: MemoryNetdev): MemoryNetdev[] => [device, ...device.queues];
const numbersOf = (frames: readonly Uint8Array[]): number[] => frames.map((frame) => (frame[34]! << 8) | frame[35]!);

test('one worker works all queues of a port, and its frames have one in_port', () => {
  const dp = create(1);
  const [a, b] = [new MemoryNetdev('a', { queues: 3 }), new MemoryNetdev('b')];
  must(dp.addPort(1, a));
  must(dp.addPort(2, b));
  connect(dp, 1, 2, 1);
  queuesOf(a).forEach((queue, i) => {
    for (let k = 0; k <= i; k++) assert.ok(queue.send(udpFrame({ sport: 100 * i + k })));
  });
  run(dp);
  assert.deepEqual(numbersOf(b.takeSent()).sort(), [0, 100, 101, 200, 201, 202].sort());
  assert.equal(dp.portStats(1)!.rxPackets, 6, 'statistics are those of the port');
  assert.deepEqual([dp.portNumbers(), dp.counters().misses], [[1, 2], 0]);
  dp.close();
  assert.deepEqual(dp.audit().problems, []);
});

test('a worker with a queue of the port sends by it, and hands nothing over', () => {
  const dp = create(2);
  const [a, b] = [new MemoryNetdev('a', { queues: 2 }), new MemoryNetdev('b', { queues: 2 })];
  must(dp.addPort(1, a, { worker: 0 }));
  must(dp.addPort(2, b, { worker: 1 }));
  connect(dp, 1, 2, 2);
  for (let i = 0; i < 50; i++) assert.ok(queuesOf(a)[i % 2]!.send(udpFrame({ sport: i })));
  run(dp);
  // worker 0 has the first queue of a and the second of b
  assert.deepEqual(
    queuesOf(b).map((queue) => numbersOf(queue.takeSent()).map((number) => number % 2)),
    [new Array(25).fill(1), new Array(25).fill(0)],
  );
  assert.equal(dp.counters().handed_over, 0);
  const { txPackets, txBytes } = dp.portStats(2)!;
  assert.deepEqual([txPackets, txBytes], [50, 50 * udpFrame({ sport: 1 }).length]);
  dp.close();
});

test('a worker without a queue of the port hands over, in order, and different workers to different queues', () => {
  const dp = create(4);
  const [a, b] = [new MemoryNetdev('a', { queues: 4 }), new MemoryNetdev('b', { queues: 2 })];
  must(dp.addPort(1, a, { worker: 0 }));
  must(dp.addPort(2, b, { worker: 0 }));
  connect(dp, 1, 2, 4);
  for (let i = 0; i < 200; i++) assert.ok(queuesOf(a)[i % 4]!.send(udpFrame({ sport: i })));
  run(dp);
  const sent = queuesOf(b).map((queue) => numbersOf(queue.takeSent()));
  for (const [queue, numbers] of sent.entries()) {
    assert.equal(numbers.length, 100);
    for (let worker = queue; worker < 4; worker += 2) {
      const own = numbers.filter((number) => number % 4 === worker);
      assert.deepEqual(
        own,
        [...own].sort((x, y) => x - y),
      );
      assert.equal(own.length, 50);
    }
  }
  assert.equal(dp.counters().handed_over, 100);
  dp.close();
});

test('a port that is down is down for all its queues, and drops are the port’s', () => {
  const dp = create(2);
  const [a, b] = [new MemoryNetdev('a', { queues: 2 }), new MemoryNetdev('b', { queues: 2 })];
  must(dp.addPort(1, a, { worker: 0 }));
  must(dp.addPort(2, b, { worker: 0 }));
  connect(dp, 1, 2, 2);
  b.isUp = false;
  run(dp);
  for (const queue of queuesOf(a)) assert.ok(queue.send(udpFrame({})));
  run(dp);
  b.isUp = true;
  run(dp);
  for (const queue of queuesOf(a)) assert.ok(queue.send(udpFrame({})));
  run(dp);
  assert.equal(dp.drops().output_down, 2);
  assert.equal(dp.portStats(2)!.txDropped, 2);
  assert.equal(dp.portStats(2)!.txPackets, 2);
  dp.close();
});

test('queues come and go without loss, and room in the table comes back', () => {
  const seed = Number(process.env.WEFT_SEED ?? 1);
  const random = new Random(seed);
  const dp = create(2, { ringSpaceSize: 8 << 20 });
  const before = { ring: dp.ringSpaceFree, chunks: dp.audit().chunks.free };
  const ports = new Map<number, MemoryNetdev>();
  for (let step = 0; step < 150; step++) {
    const number = 1 + random.below(6);
    if (ports.has(number)) {
      must(dp.removePort(number));
      ports.delete(number);
    } else {
      const device = new MemoryNetdev(`p${number}`, { queues: 1 + random.below(5) });
      must(dp.addPort(number, device, { fillTarget: 16, ringEntries: 64 }));
      ports.set(number, device);
    }
    for (const device of ports.values())
      for (const queue of queuesOf(device)) assert.ok(queue.send(udpFrame({ sport: step })), `WEFT_SEED=${seed}`);
    while (dp.poll(0) > 0);
    dp.takeUpcalls((upcall) => void dp.execute(upcall, [output(1 + random.below(6))]));
    assert.deepEqual(dp.audit().problems, [], `WEFT_SEED=${seed}, step ${step}`);
  }
  for (const number of ports.keys()) must(dp.removePort(number));
  run(dp);
  assert.deepEqual({ ring: dp.ringSpaceFree, chunks: dp.audit().chunks.free }, before);
});

test('a port of which one queue cannot be is none, and leaves nothing behind', () => {
  const dp = create(2);
  const free = { ring: dp.ringSpaceFree, chunks: dp.audit().chunks };
  const broken = new MemoryNetdev('a', { queues: 3 });
  must(broken.queues[1]!.attach({} as DeviceRings));
  const refused = dp.addPort(1, broken);
  assert.deepEqual(refused, { ok: false, error: 'a is attached already' });
  assert.equal(dp.hasPort(1), false);
  assert.deepEqual({ ring: dp.ringSpaceFree, chunks: dp.audit().chunks }, free);
  const many = dp.addPort(1, new MemoryNetdev('a', { queues: QUEUES_MAX + 1 }));
  assert.match(many.ok ? '' : many.error, /33 queues, more than 32/);
  must(dp.addPort(1, new MemoryNetdev('a', { queues: 3 }), { worker: 1 }));
  const { u32 } = { u32: new Uint32Array(dp.memory.buffer) };
  const second = dp.plan.ports.start + PORTS_MAX * L.PORT_SIZEOF;
  assert.equal(u32[(second + L.PORT_NUMBER) >>> 2], 1, 'the first place behind the ports is free again');
  assert.equal(u32[(second + L.PORT_WORKER) >>> 2], 0);
  assert.equal(dp.removePort(2).ok, false);
  dp.close();
});

test('the table of further queues has an end', () => {
  const dp = create(1, { framesCount: 65536, ringSpaceSize: 32 << 20 });
  const options = { fillTarget: 1, ringEntries: 8 };
  const each = QUEUES_MAX - 1;
  let number = 0;
  for (let left = FURTHER_QUEUES_MAX; left >= each; left -= each)
    must(dp.addPort(++number, new MemoryNetdev('p', { queues: QUEUES_MAX }), options));
  const refused = dp.addPort(100, new MemoryNetdev('p', { queues: QUEUES_MAX }), options);
  assert.match(refused.ok ? '' : refused.error, /no room in the port table/);
  must(dp.removePort(1));
  must(dp.addPort(100, new MemoryNetdev('p', { queues: QUEUES_MAX }), options));
  dp.close();
});

/** A device that takes its free chunks in one order and keeps them in another, as network cards do by zero copy. */
class UnorderedNetdev extends MemoryNetdev {
  readonly keepsOrder = false;
  #view: Uint32Array | null = null;
  #rings: DeviceRings | null = null;

  override attach(rings: DeviceRings): ReturnType<MemoryNetdev['attach']> {
    this.#view = new Uint32Array(rings.memory.buffer);
    this.#rings = rings;
    return super.attach(rings);
  }

  /** Takes free chunks, and forgets their entries. */
  takeFree(count: number): void {
    const { fill } = this.#rings!.places;
    const from = Atomics.load(this.#view!, fill.consumer >>> 2);
    for (let i = 0; i < count; i++) this.#view![(fill.entries >>> 2) + ((from + i) & fill.mask) * 2] = 0xffff_f000;
    Atomics.store(this.#view!, fill.consumer >>> 2, from + count);
  }
}

test('chunks that a device without order took with it are found when it is gone, and not before another such one', () => {
  const dp = create(2);
  const all = dp.audit().chunks.free;
  const [a, b] = [new UnorderedNetdev('a'), new UnorderedNetdev('b')];
  must(dp.addPort(1, a));
  must(dp.addPort(2, b));
  a.takeFree(20);
  b.takeFree(7);
  assert.deepEqual([dp.audit().problems, dp.audit().chunks.device], [[], 27]);
  must(dp.removePort(1));
  assert.deepEqual([dp.audit().problems, dp.audit().chunks.device], [[], 7]);
  assert.equal(dp.audit().chunks.free, all - 20 - 64);
  must(dp.removePort(2));
  assert.deepEqual([dp.audit().problems, dp.audit().chunks.free], [[], all]);
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(dp: Datapath, what: string, isSo: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!isSo()) {
    assert.ok(performance.now() < end, `in time: ${what}`);
    dp.poll(1_000_000);
    await dp.whenNeeded(1);
  }
}

test('with a device without order, a worker that dies gets back what is surely free, and the rest later', async () => {
  const losses: WorkerLoss[] = [];
  const dp = create(2, { threads: workerThreads(), onWorkerLost: (loss: WorkerLoss) => losses.push(loss) });
  try {
    const all = dp.audit().chunks.free;
    const [a, b] = [new UnorderedNetdev('a'), new MemoryNetdev('b')];
    must(dp.addPort(1, a, { worker: 1 }));
    must(dp.addPort(2, b, { worker: 0 }));
    a.takeFree(10);
    dp.failWorker(0, 'kill');
    await until(dp, 'its return', () => losses.length === 1);
    assert.ok(losses[0]!.isBack);
    const { problems, chunks } = dp.audit();
    assert.deepEqual([problems, chunks.device], [[], 10]);
    must(dp.removePort(1));
    must(dp.removePort(2));
    assert.deepEqual([dp.audit().problems, dp.audit().chunks.free], [[], all]);
  } finally {
    dp.close();
  }
});

test('threads: a device’s queues are opened where their workers are, and one thread’s death is one queue’s', async () => {
  const losses: WorkerLoss[] = [];
  const dp = create(2, { threads: workerThreads(), onWorkerLost: (loss: WorkerLoss) => losses.push(loss) });
  try {
    const requests = queueRequests({ type: 'memory', name: 'far', options: { queues: 2 } });
    must(dp.addPort(2, must(dp.openQueues(requests, 1))));
    const near = new MemoryNetdev('near', { queues: 2 });
    must(dp.addPort(1, near, { worker: 0 }));
    connect(dp, 1, 2, 2);
    const send = (sport: number): void => {
      for (const queue of queuesOf(near)) assert.ok(queue.send(udpFrame({ sport })));
    };
    for (let i = 0; i < 10; i++) send(i);
    await until(dp, '20 frames out', () => dp.portStats(2)!.txPackets === 20);
    assert.equal(dp.counters().handed_over, 0);
    assert.deepEqual(dp.audit().problems, []);
    assert.deepEqual(dp.portStatus(2), [{}, {}]);
    dp.failWorker(0, 'kill');
    await until(dp, 'its death', () => !dp.hasPort(2) || dp.portStats(2)!.txPackets < 20 || losses.length > 0);
    await until(dp, 'its return', () => losses.length === 1);
    assert.deepEqual([losses[0]!.isBack, losses[0]!.lostPorts], [true, []]);
    connect(dp, 1, 2, 1);
    const before = dp.portStats(2)!.txPackets;
    send(99);
    await until(dp, 'frames by both', () => dp.portStats(2)!.txPackets === before + 2);
    assert.equal(dp.counters().handed_over, 0);
    const refused = dp.openQueues([
      { type: 'memory', name: 'x' },
      { type: 'packet', name: 'no-such-if0' },
    ]);
    assert.match(refused.ok ? '' : refused.error, /no-such-if0/);
    assert.equal(dp.openQueues([]).ok, false);
    must(dp.removePort(2));
    await sleep(10);
    assert.deepEqual(dp.audit().problems, []);
  } finally {
    dp.close();
  }
  assert.deepEqual(dp.audit().problems, []);
});
