/** Workers in threads of their own: the same traffic, upcalls, pauses, and workers that die. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import type { DatapathOptions } from '../../../src/datapath/datapath.ts';
import type { WorkerLoss } from '../../../src/datapath/team.ts';
import { workerOfUpcall } from '../../../src/datapath/types.ts';
import { FlowKey } from '../../../src/flow/key.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import { KEY } from '../../../src/gen/tables.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { workerThreads } from '../../../src/vswitchd/worker-threads.ts';
import { matchOf, udpFrame } from '../../support/datapath.ts';
import { type FlowPlan, flowFrame, randomFlows, sentByFlow, WorkersBed } from './bed.ts';

const output = (port: number): DpAction => ({ type: 'output', port });
const SETTLE_MS = 10_000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const threaded = (workers: number, ports: number, options: DatapathOptions = {}): WorkersBed =>
  new WorkersBed(workers, ports, { threads: workerThreads(), ...options });

/** Works this side's devices until something is so. */
async function until(bed: WorkersBed, what: string, isSo: () => boolean): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  while (!isSo()) {
    assert.ok(performance.now() < end, `in time: ${what}`);
    bed.dp.poll(1_000_000);
    await bed.dp.whenNeeded(1);
  }
}

async function withBed(bed: WorkersBed, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    bed.check();
  } finally {
    bed.dp.close();
  }
  assert.deepEqual(bed.dp.audit().problems, []);
}

test('two workers in threads send what one without does, flow by flow in order', async () => {
  const seed = Number(process.env.WEFT_SEED ?? 1);
  const random = new Random(seed);
  const flows = randomFlows(random, 4, 40);
  const sequence = Array.from({ length: 3000 }, (_, i) => flowFrame(flows[random.below(flows.length)]!, i));
  const inPorts = sequence.map((frame) => flows[((frame[34]! << 8) | frame[35]!) - 1000]!.inPort);
  const one = new WorkersBed(1, 4);
  one.install(flows);
  const expected: Uint8Array[][] = one.ports.map(() => []);
  sequence.forEach((frame, i) => {
    assert.ok(one.port(inPorts[i]!).send(frame));
    one.run();
    one.ports.forEach((port, i) => {
      expected[i]!.push(...port.takeSent());
    });
  });
  const bed = threaded(2, 4);
  await withBed(bed, async () => {
    bed.install(flows);
    const sent: Uint8Array[][] = bed.ports.map(() => []);
    const collect = (): number => {
      bed.ports.forEach((port, i) => {
        sent[i]!.push(...port.takeSent());
      });
      return sent.reduce((sum, frames) => sum + frames.length, 0);
    };
    const wanted = expected.reduce((sum, frames) => sum + frames.length, 0);
    for (let i = 0; i < sequence.length; i++) {
      const port = bed.port(inPorts[i]!);
      if (!port.canSend() || i % 64 === 0) await until(bed, 'room on the ring', () => port.canSend());
      assert.ok(port.send(sequence[i]!));
      if (i % 64 === 0) collect();
    }
    await until(bed, `${wanted} frames`, () => collect() === wanted);
    assert.deepEqual(sentByFlow(sent), sentByFlow(expected), `WEFT_SEED=${seed}`);
    const { handed_over, taken_over } = bed.dp.counters();
    assert.ok(handed_over! > 0);
    assert.equal(handed_over, taken_over);
  });
});

test('upcalls of threads are answered from here, and frames of ours go out', async () => {
  const bed = threaded(2, 2);
  const { dp } = bed;
  await withBed(bed, async () => {
    for (let i = 0; i < 20; i++) for (const port of bed.ports) assert.ok(port.send(udpFrame({ sport: i })));
    await until(bed, 'upcalls', () => dp.upcallsWaiting === 40);
    dp.takeUpcalls((upcall) => {
      const to = 3 - upcall.inPort;
      const put = dp.putFlow(matchOf({ in_port: upcall.inPort }), [output(to)], { worker: workerOfUpcall(upcall) });
      assert.ok(put.ok || put.error === 'exists');
      assert.ok(dp.execute(upcall, [output(to)]).ok);
    });
    const key = new FlowKey().set(KEY.in_port, 1);
    assert.ok(dp.execute({ frame: udpFrame(), key }, 'lookup').ok);
    assert.deepEqual(dp.execute({ frame: udpFrame(), key }, new Uint8Array(6)), { ok: false, error: 'invalid' });
    await until(bed, 'frames', () => dp.counters().tx_packets === 41);
    const [id] = [...dp.flowIds()];
    assert.ok(dp.deleteFlow(id!, dp.flowGeneration(id!)!).ok);
    assert.equal(dp.flowCount, 1);
    must(dp.setMeter(1, { unit: 'pktps', bands: [{ rate: 5, burst: 5 }] }));
    assert.ok(dp.meterStats(1));
    assert.ok(dp.removePort(2).ok);
    bed.check();
    assert.ok(dp.addPort(2, bed.port(2), { worker: 0 }).ok);
    assert.equal(dp.portWorker(2), 0);
  });
});

test('a meter that four threads use allows its rate once', async () => {
  const bed = threaded(4, 4);
  await withBed(bed, async () => {
    must(bed.dp.setMeter(3, { unit: 'pktps', bands: [{ rate: 1, burst: 50 }] }));
    const actions = (inPort: number): DpAction[] => [{ type: 'meter', id: 3 }, output(inPort)];
    bed.install([1, 2, 3, 4].map((inPort) => ({ inPort, sport: 5, actions: actions(inPort) })));
    for (let i = 0; i < 60; i++) for (const port of bed.ports) assert.ok(port.send(udpFrame({ sport: 5 })));
    await until(bed, 'all frames', () => bed.dp.meterStats(3)!.packets === 240);
    await until(bed, 'an end', () => bed.dp.counters().tx_packets! + bed.dp.drops().meter === 240);
    // a token or two trickle in while the test runs
    const passed = bed.dp.counters().tx_packets!;
    assert.ok(passed >= 50 && passed <= 60, `${passed} passed`);
  });
});

test('an idle datapath sleeps, and a frame wakes it', async () => {
  const bed = threaded(2, 2);
  await withBed(bed, async () => {
    bed.install([{ inPort: 1, sport: 1, actions: [output(2)] }]);
    await sleep(200);
    const before = process.cpuUsage();
    await sleep(500);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 2 * 10_000 + 20_000, `two idle threads took ${user + system} µs of half a second`);
    const frame = udpFrame({ sport: 1 });
    let took = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10; i++) {
      await sleep(25);
      const start = performance.now();
      bed.port(1).send(frame);
      bed.dp.poll(0);
      while (bed.dp.counters().tx_packets! <= i && performance.now() - start < 1000);
      took = Math.min(took, performance.now() - start);
      bed.dp.poll(0);
      bed.port(2).takeSent();
    }
    // the best of them: the machine may be busy
    assert.ok(took < 5, `a frame took ${took} ms`);
  });
});

/** A bed whose losses are noted. */
function mortal(workers: number, ports: number): { bed: WorkersBed; losses: WorkerLoss[] } {
  const losses: WorkerLoss[] = [];
  return { bed: threaded(workers, ports, { onWorkerLost: (loss) => losses.push(loss) }), losses };
}

for (const how of ['kill', 'throw', 'trap'] as const) {
  test(`a worker that dies (${how}) in the midst of traffic comes back, and the other one goes on`, async () => {
    const { bed, losses } = mortal(2, 4);
    const { dp } = bed;
    const flows: FlowPlan[] = [1, 2, 3, 4].map((inPort) => ({
      inPort,
      sport: inPort,
      actions: [output((inPort % 4) + 1)],
    }));
    // worker 0 has ports 1 and 3; 2 → 4 stays within worker 1
    flows.push({ inPort: 2, sport: 9, actions: [output(4)] });
    await withBed(bed, async () => {
      bed.install(flows);
      let count = 0;
      const send = (): void => {
        for (const flow of flows)
          if (bed.port(flow.inPort).canSend()) bed.port(flow.inPort).send(flowFrame(flow, count++));
        dp.poll(0);
        for (const port of bed.ports) port.takeSent();
      };
      for (let i = 0; i < 200; i++) send();
      dp.failWorker(0, how);
      for (let i = 0; i < 200; i++) send();
      const before = dp.counters(1).tx_packets!;
      await until(bed, 'its return', () => {
        send();
        return losses.length > 0;
      });
      assert.equal(losses[0]!.isBack, true);
      assert.equal(losses[0]!.worker, 0);
      assert.ok(losses[0]!.frames >= 0);
      assert.ok(dp.counters(1).tx_packets! > before, 'the other worker went on');
      bed.check();
      // its megaflows are gone: misses bring them back
      await until(bed, 'misses', () => {
        send();
        return dp.upcallsWaiting > 0;
      });
      dp.takeUpcalls((upcall) => dp.release(upcall, 'consumed'));
      bed.install(flows.filter(({ inPort }) => inPort % 2 === 1));
      const again = dp.counters(0).tx_packets!;
      await until(bed, 'frames of the new worker', () => {
        send();
        return dp.counters(0).tx_packets! > again + 100;
      });
      await until(bed, 'rest', () => dp.poll(0) === 0);
      dp.takeUpcalls((upcall) => dp.release(upcall, 'consumed'));
      bed.check();
    });
  });
}

test('a device that a thread opened is opened again; one that cannot be opened is refused', async () => {
  const { bed, losses } = mortal(2, 2);
  const { dp } = bed;
  await withBed(bed, async () => {
    const opened = must(dp.openDevice({ type: 'memory', name: 'far', options: { mtu: 1400 } }, 1));
    must(dp.addPort(7, opened, { worker: 0 }));
    assert.equal(dp.portWorker(7), 1, 'it stays where it was opened');
    assert.deepEqual([opened.name, opened.type, opened.mtu, opened.isUp], ['far', 'dummy', 1400, true]);
    bed.install([{ inPort: 1, sport: 1, actions: [output(7)] }]);
    bed.port(1).send(udpFrame({ sport: 1 }));
    await until(bed, 'a frame out', () => dp.portStats(7)!.txPackets === 1);
    dp.failWorker(1, 'kill');
    await until(bed, 'its return', () => losses.length === 1);
    assert.deepEqual(losses[0]!.lostPorts, []);
    assert.equal(dp.netdev(7), opened);
    assert.equal(opened.mtu, 1400);
    bed.port(1).send(udpFrame({ sport: 1 }));
    await until(bed, 'a frame out again', () => dp.portStats(7)!.txPackets >= 1);
    const refused = dp.openDevice({ type: 'packet', name: 'no-such-if0' });
    assert.ok(!refused.ok);
    assert.match(refused.error, /no-such-if0/);
    assert.ok(dp.removePort(7).ok);
  });
});

test('without threads nothing is opened in them', () => {
  const bed = new WorkersBed(1, 1);
  assert.deepEqual(bed.dp.openDevice({}), { ok: false, error: 'the workers have no threads to open devices in' });
});

test('a worker that dies again and again is given up, and control calls say so', async () => {
  const { bed, losses } = mortal(2, 2);
  const { dp } = bed;
  try {
    while (losses.at(-1)?.isBack !== false) {
      const seen = losses.length;
      assert.ok(seen < 10);
      dp.failWorker(1, 'kill');
      await until(bed, 'a loss', () => losses.length > seen);
    }
    assert.equal(losses.length, 6);
    assert.deepEqual(dp.putFlow(matchOf({ in_port: 2 }), [], { worker: 1 }), { ok: false, error: 'worker_lost' });
    assert.equal(dp.addPort(9, new MemoryNetdev('p9'), { worker: 1 }).ok, false);
    bed.check();
  } finally {
    dp.close();
  }
});

test('workers that die in the midst of bursts lose what they had in hand, counted, and nothing else', async () => {
  const losses: WorkerLoss[] = [];
  const opener = new URL('./generator.ts', import.meta.url).href;
  const bed = new WorkersBed(2, 0, { threads: workerThreads({ opener }), onWorkerLost: (loss) => losses.push(loss) });
  const { dp } = bed;
  // each worker's frames leave by the other's port
  const install = (worker: number): void => {
    for (const inPort of [1, 2].filter((number) => dp.portWorker(number) === worker)) {
      const match = matchOf({ in_port: inPort, recirc_id: 0, tp_src: inPort });
      must(dp.putFlow(match, [{ type: 'meter', id: 1 }, output(3 - inPort)], { worker }));
    }
  };
  await withBed(bed, async () => {
    for (const number of [1, 2]) must(dp.addPort(number, must(dp.openDevice(number, number - 1))));
    for (const worker of [0, 1]) install(worker);
    const random = new Random(Number(process.env.WEFT_SEED ?? 1));
    for (let round = 0; round < 4; round++) {
      await sleep(5 + random.below(20));
      const victim = round % 2;
      dp.failWorker(victim, 'kill');
      await until(bed, 'its return', () => losses.length > round);
      assert.ok(losses[round]!.frames >= 0);
      assert.deepEqual(losses[round]!.lostPorts, []);
      bed.check();
      dp.takeUpcalls((upcall) => dp.release(upcall, 'consumed'));
      install(victim);
      const before = [0, 1].map((worker) => dp.counters(worker).tx_packets!);
      await until(bed, 'frames of both', () => before.every((count, i) => dp.counters(i).tx_packets! > count));
      dp.takeUpcalls((upcall) => dp.release(upcall, 'consumed'));
    }
    const lost = losses.reduce((sum, { frames }) => sum + frames, 0);
    assert.ok(dp.drops().worker_lost >= lost);
    dp.takeUpcalls((upcall) => dp.release(upcall, 'consumed'));
  });
});
