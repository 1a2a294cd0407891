/** Several workers called in turn: the same traffic leaves by the same ports, in the same order, as with one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { workerOfFlow, workerOfUpcall } from '../../../src/datapath/types.ts';
import { FlowKey } from '../../../src/flow/key.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import { KEY } from '../../../src/gen/tables.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { matchOf, udpFrame } from '../../support/datapath.ts';
import { flowFrame, randomFlows, sentByFlow, WorkersBed } from './bed.ts';

const output = (port: number): DpAction => ({ type: 'output', port });
const PORTS = 6;

/** Rounds of random frames of random flows, and what left. */
function traffic(workers: number, seed: number) {
  const random = new Random(seed);
  const bed = new WorkersBed(workers, PORTS);
  const flows = randomFlows(random, PORTS, 60);
  bed.install(flows);
  const sent: Uint8Array[][] = bed.ports.map(() => []);
  for (let round = 0, sequence = 0; round < 40; round++) {
    for (let i = random.below(40); i > 0; i--) {
      const flow = flows[random.below(flows.length)]!;
      assert.ok(bed.port(flow.inPort).send(flowFrame(flow, sequence++)));
    }
    bed.run();
    bed.ports.forEach((port, i) => {
      sent[i]!.push(...port.takeSent());
    });
    bed.check();
  }
  const { handed_over, taken_over, tx_packets, rx_packets } = bed.dp.counters();
  assert.equal(handed_over, taken_over);
  assert.equal(workers > 1, handed_over! > 0);
  const drops = bed.dp.drops();
  bed.dp.close();
  bed.check();
  return { frames: sentByFlow(sent), tx_packets, rx_packets, drops };
}

test('one, two and four workers do the same with the same traffic', () => {
  const first = Number(process.env.WEFT_SEED ?? 1);
  const seeds = process.env.WEFT_NIGHTLY ? 40 : 4;
  for (let seed = first; seed < first + seeds; seed++) {
    const one = traffic(1, seed);
    assert.deepEqual(traffic(2, seed), one, `WEFT_SEED=${seed}`);
    assert.deepEqual(traffic(4, seed), one, `WEFT_SEED=${seed}`);
  }
});

test('chunks come home: one-way traffic does not run a worker dry', () => {
  const bed = new WorkersBed(2, 2, { framesCount: 512 });
  const [flow] = [{ inPort: 1, sport: 1, actions: [output(2)] }];
  bed.install([flow]);
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < 40; i++) assert.ok(bed.port(1).send(flowFrame(flow, i)), `round ${round}`);
    bed.run();
    assert.equal(bed.port(2).takeSent().length, 40);
  }
  bed.check();
  assert.equal(bed.dp.counters().handed_over, 8000);
});

test('an owner that does not take frames costs frames, not more than a ring of them, and recovers', () => {
  const bed = new WorkersBed(2, 2);
  const flow = { inPort: 1, sport: 1, actions: [output(2)] };
  bed.install([flow]);
  // only the first worker is called: what it hands over stays where it is
  for (let i = 0; i < 600; i++) {
    assert.ok(bed.port(1).send(flowFrame(flow, i)));
    bed.dp.process(1, 32, 1_000_000);
  }
  assert.equal(bed.dp.drops().hand_over_full, 88);
  assert.equal(bed.dp.portStats(2)!.txDropped, 88);
  assert.equal(bed.dp.audit().chunks.handed, 512);
  bed.check();
  bed.run();
  const sent = bed.port(2).takeSent();
  // the port's own ring is shorter: the rest is counted there
  assert.equal(sent.length + bed.dp.drops().output_ring_full, 512);
  bed.run();
  bed.check();
  assert.ok(bed.port(1).send(flowFrame(flow, 0)));
  bed.run();
  assert.equal(bed.port(2).takeSent().length, 1);
});

test('another worker’s port that is down, gone or too narrow drops with its own reason', () => {
  const bed = new WorkersBed(2, 4);
  const flow = { inPort: 1, sport: 1, actions: [output(2)] };
  bed.install([flow]);
  const send = (size = 22): void => {
    const frame = udpFrame({ sport: 1, payloadSize: size });
    assert.ok(bed.port(1).send(frame));
    bed.run();
    bed.check();
  };
  bed.port(2).mtu = 100;
  bed.run();
  send(200);
  assert.equal(bed.dp.drops().output_mtu, 1);
  bed.port(2).isUp = false;
  bed.run();
  send();
  assert.equal(bed.dp.drops().output_down, 1);
  // it goes while a frame for it is under way
  bed.port(2).isUp = true;
  bed.run();
  assert.ok(bed.port(1).send(flowFrame(flow, 1)));
  bed.dp.process(1, 32, 1_000_000);
  assert.equal(bed.dp.audit().chunks.handed, 1);
  assert.ok(bed.dp.removePort(2).ok);
  bed.run();
  bed.check();
  send();
  assert.equal(bed.dp.drops().output_no_port, 2);
});

test('upcalls of all workers are taken in turn, and what they ask for goes to their worker', () => {
  const bed = new WorkersBed(4, 4);
  const { dp } = bed;
  for (let round = 0; round < 3; round++) for (let i = 1; i <= 4; i++) bed.port(i).send(udpFrame({ sport: i }));
  bed.run();
  assert.equal(dp.upcallsWaiting, 12);
  const slots = new Set<number>();
  const count = dp.takeUpcalls((upcall) => {
    const worker = workerOfUpcall(upcall);
    assert.equal(worker, dp.portWorker(upcall.inPort));
    slots.add(upcall.slot);
    const match = matchOf({ in_port: upcall.inPort });
    const put = dp.putFlow(match, [output((upcall.inPort % 4) + 1)], { worker });
    const flowId = put.ok ? put.value : [...dp.flowIds()].find((id) => workerOfFlow(id) === worker)!;
    assert.equal(workerOfFlow(flowId), worker);
    assert.ok(dp.execute(upcall, [output((upcall.inPort % 4) + 1)], { flowId }).ok);
  });
  bed.run();
  assert.deepEqual([count, slots.size, dp.flowCount], [12, 12, 4]);
  for (const port of bed.ports) assert.equal(port.takeSent().length, 3);
  for (const id of dp.flowIds()) {
    assert.equal(dp.flowStats(id)!.packets, 3);
    assert.deepEqual(dp.flow(id)!.id, id);
  }
  bed.check();
  const [id] = [...dp.flowIds()].slice(-1);
  assert.ok(dp.deleteFlow(id!, dp.flowGeneration(id!)!).ok);
  assert.deepEqual(dp.deleteFlow(id!, 1), { ok: false, error: 'not_found' });
  assert.equal(dp.flowCount, 3);
  assert.deepEqual(dp.putFlow(matchOf({ in_port: 1 }), [], { worker: 9 }), { ok: false, error: 'invalid' });
});

test('a frame of the control side’s own goes through the worker of its port', () => {
  const bed = new WorkersBed(2, 2);
  bed.install([{ inPort: 2, sport: 7, actions: [output(1)] }]);
  const key = new FlowKey().set(KEY.in_port, 2);
  assert.ok(bed.dp.execute({ frame: udpFrame({ sport: 7 }), key }, 'lookup').ok);
  bed.run();
  assert.equal(bed.port(1).takeSent().length, 1);
  assert.equal(bed.dp.counters(1).injected_packets, 1);
  assert.equal(bed.dp.counters(0).injected_packets, 0);
  bed.check();
});

test('a meter allows its rate once, however many workers use it', () => {
  for (const workers of [1, 2, 4]) {
    const bed = new WorkersBed(workers, 4);
    must(bed.dp.setMeter(3, { unit: 'pktps', bands: [{ rate: 10, burst: 10 }] }));
    bed.install(
      [1, 2, 3, 4].map((inPort) => ({ inPort, sport: 5, actions: [{ type: 'meter', id: 3 }, output(inPort)] })),
    );
    let passed = 0;
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 5; i++) for (const port of bed.ports) port.send(udpFrame({ sport: 5 }));
      bed.run(1_000_000 * (second + 1));
      for (const port of bed.ports) passed += port.takeSent().length;
    }
    assert.equal(passed, 50, `${workers} workers`);
    assert.equal(bed.dp.meterStats(3)!.packets, 100);
    assert.equal(bed.dp.drops().meter, 50);
    bed.check();
  }
});

test('a port goes to the worker with the fewest when nobody says, and never to one that is not there', () => {
  const bed = new WorkersBed(3, 4);
  must(bed.dp.addPort(9, new MemoryNetdev('p9')));
  assert.equal(bed.dp.portWorker(9), 1);
  const refused = bed.dp.addPort(10, new MemoryNetdev('p10'), { worker: 3 });
  assert.deepEqual(refused, { ok: false, error: 'there is no worker 3' });
});
