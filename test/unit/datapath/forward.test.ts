/** Frames through the whole datapath: upcall, flow, forward, drop; and every way to be refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Upcall } from '../../../src/datapath/types.ts';
import { FlowKey, inPortOf } from '../../../src/flow/key.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import { KEY } from '../../../src/gen/tables.ts';
import { must } from '../../../src/lib/result.ts';
import { matchOf, type TestDatapath, testDatapath, testMac, udpFrame } from '../../support/datapath.ts';

const output = (port: number): DpAction => ({ type: 'output', port });

/** A flow from one port to another. */
const connect = (bed: TestDatapath, from: number, to: number): number =>
  must(bed.dp.putFlow(matchOf({ in_port: from }), [output(to)]));

test('a miss becomes an upcall, its answer sends the frame, and the flow takes the next', () => {
  const bed = testDatapath();
  const frame = udpFrame();
  assert.ok(bed.port(1).send(frame));
  assert.equal(bed.run(), 1);
  assert.equal(bed.dp.upcallsWaiting, 1);
  const [upcall] = bed.upcalls();
  assert.equal(upcall?.reason, 'miss');
  assert.equal(upcall.inPort, 1);
  assert.deepEqual(upcall.frame, frame);
  assert.equal(inPortOf(upcall.key), 1);
  assert.deepEqual(upcall.key.at(KEY.eth_dst), testMac(2));
  assert.equal(upcall.key.get(KEY.tp_dst), 2000);
  bed.check();

  const id = connect(bed, 1, 2);
  assert.ok(bed.dp.execute(upcall, [output(2)], { flowId: id }).ok);
  assert.deepEqual(bed.port(2).takeSent(), [frame]);
  bed.check();

  bed.clock.advance(10);
  bed.port(1).send(frame);
  bed.run();
  assert.deepEqual(bed.port(2).takeSent(), [frame]);
  assert.deepEqual(bed.dp.flowStats(id), { packets: 2, bytes: 2 * frame.length, used: bed.clock.now(), tcpFlags: 0 });
  const counters = bed.dp.counters();
  assert.equal(counters.rx_packets, 2);
  assert.equal(counters.tx_packets, 2);
  assert.equal(counters.misses, 1);
  assert.equal(counters.upcalls, 1);
  assert.equal(counters.upcalls_executed, 1);
  bed.check();
});

test('answers within takeUpcalls leave together, in order', () => {
  const bed = testDatapath();
  const frames = Array.from({ length: 40 }, (_, i) => udpFrame({ sport: i }));
  for (const frame of frames) bed.port(1).send(frame);
  bed.run();
  let sentDuring = 0;
  const count = bed.dp.takeUpcalls((upcall) => {
    assert.ok(bed.dp.execute(upcall, [output(2)]).ok);
    sentDuring += bed.port(2).takeSent().length;
  });
  assert.equal(count, 40);
  assert.equal(sentDuring, 0);
  assert.deepEqual(bed.port(2).takeSent(), frames);
  bed.check();
});

test('upcalls are answered in any order, and their frames stay where they are until then', () => {
  const bed = testDatapath();
  for (let i = 0; i < 10; i++) bed.port(1).send(udpFrame({ sport: i }));
  bed.run();
  const upcalls = bed.upcalls();
  for (let i = 9; i >= 0; i--) {
    assert.deepEqual(upcalls[i]!.frame, udpFrame({ sport: i }));
    if (i % 2 === 0) bed.dp.release(upcalls[i]!, 'upcall_refused');
    else assert.ok(bed.dp.execute(upcalls[i]!, [output(2)]).ok);
    bed.check();
  }
  assert.equal(bed.dp.drops().upcall_refused, 5);
  assert.equal(bed.port(2).takeSent().length, 5);
});

test('an upcall is answered once', () => {
  const bed = testDatapath();
  bed.port(1).send(udpFrame());
  bed.run();
  const upcall = bed.upcalls()[0]!;
  bed.dp.release(upcall, 'consumed');
  assert.throws(() => bed.dp.release(upcall, 'consumed'), /answered already/);
  assert.throws(() => bed.dp.execute(upcall, [output(2)]), /answered already/);
  assert.equal(bed.dp.counters().upcalls_consumed, 1);
  bed.check();
});

test('an answer that makes no sense drops the frame and answers the upcall', () => {
  const bed = testDatapath();
  for (let i = 0; i < 2; i++) bed.port(1).send(udpFrame());
  bed.run();
  const [one, two] = bed.upcalls();
  assert.deepEqual(bed.dp.execute(one!, new Uint8Array(20000)), { ok: false, error: 'invalid' });
  assert.deepEqual(bed.dp.execute(two!, new Uint8Array(6)), { ok: false, error: 'invalid' });
  assert.throws(() => bed.dp.release(two!, 'consumed'), /answered already/);
  assert.equal(bed.dp.drops().action_invalid, 2);
  assert.equal(bed.dp.audit().chunks.held, 0);
  bed.check();
});

test('a full upcall ring drops, is counted, and recovers', () => {
  const bed = testDatapath({ framesCount: 2048 });
  const max = 1024;
  for (let i = 0; i < max + 10; i++) {
    assert.ok(bed.port(1).send(udpFrame({ sport: i })));
    bed.run();
  }
  assert.equal(bed.dp.upcallsWaiting, max);
  assert.equal(bed.dp.drops().upcall_overflow, 10);
  bed.check();
  const upcalls: Upcall[] = bed.upcalls();
  // the oldest one holds the ring
  for (const upcall of upcalls.slice(1)) bed.dp.release(upcall, 'upcall_refused');
  bed.port(1).send(udpFrame());
  bed.run();
  assert.equal(bed.dp.drops().upcall_overflow, 11);
  bed.dp.release(upcalls[0]!, 'upcall_refused');
  bed.port(1).send(udpFrame());
  bed.run();
  assert.equal(bed.dp.upcallsWaiting, 1);
  bed.check();
});

test('a frame of our own goes out by actions, or by lookup as if it had come in', () => {
  const bed = testDatapath();
  connect(bed, 1, 2);
  const key = new FlowKey().set(KEY.in_port, 1);
  const frame = udpFrame();
  assert.ok(bed.dp.execute({ frame, key }, [output(1), output(2)]).ok);
  assert.deepEqual(bed.port(1).takeSent(), [frame]);
  assert.deepEqual(bed.port(2).takeSent(), [frame]);
  assert.ok(bed.dp.execute({ frame, key }, 'lookup').ok);
  assert.deepEqual(bed.port(2).takeSent(), [frame]);
  const counters = bed.dp.counters();
  assert.deepEqual([counters.injected_packets, counters.copied_packets, counters.tx_packets], [2, 1, 3]);
  bed.check();
});

test('a frame of our own is refused when it is too long, senseless, or no chunk is free', () => {
  const bed = testDatapath({ ports: 0, framesCount: 32 });
  const key = new FlowKey();
  const inject = (frame: Uint8Array, actions: Uint8Array) => bed.dp.execute({ frame, key }, actions);
  assert.deepEqual(inject(new Uint8Array(1793), new Uint8Array(0)), { ok: false, error: 'too_long' });
  assert.deepEqual(inject(udpFrame(), new Uint8Array(6)), { ok: false, error: 'invalid' });
  bed.check();
  for (let i = 0; i < 32; i++) assert.ok(bed.dp.execute({ frame: udpFrame(), key }, 'lookup').ok);
  assert.deepEqual(inject(udpFrame(), new Uint8Array(0)), { ok: false, error: 'no_frame' });
  bed.check();
  assert.equal(bed.upcalls().length, 32);
  bed.check();
});

test('each way out has its drop reason', () => {
  const bed = testDatapath({ ports: 3 });
  const drops = (actions: DpAction[], frame = udpFrame()): Record<string, number> => {
    const before = bed.dp.drops();
    bed.dp.flush();
    must(bed.dp.putFlow(matchOf({ in_port: 1 }), actions));
    assert.ok(bed.port(1).send(frame));
    bed.run();
    bed.check();
    const after = Object.entries(bed.dp.drops());
    return Object.fromEntries(
      after
        .map(([name, value]): [string, number] => [name, value - before[name as keyof typeof before]])
        .filter(([, value]) => value !== 0),
    );
  };
  assert.deepEqual(drops([]), { explicit: 1 });
  assert.deepEqual(drops([{ type: 'drop', reason: 'explicit' }]), { explicit: 1 });
  assert.deepEqual(drops([output(77)]), { output_no_port: 1 });
  assert.deepEqual(drops([output(4095)]), { output_no_port: 1 });
  assert.deepEqual(drops([output(0xffffffff)]), { output_no_port: 1 });
  bed.port(2).isUp = false;
  bed.run();
  assert.deepEqual(drops([output(2)]), { output_down: 1 });
  bed.port(2).isUp = true;
  bed.port(2).mtu = 100;
  bed.run();
  assert.deepEqual(drops([output(2)], udpFrame({ payloadSize: 200 })), { output_mtu: 1 });
  bed.port(2).mtu = 1500;
  bed.run();
  assert.deepEqual(drops([output(2)], udpFrame({ payloadSize: 200 })), {});
  assert.equal(bed.port(2).takeSent().length, 1);
  assert.deepEqual(drops([output(2)], new Uint8Array(13)), { rx_runt: 1 });
  assert.equal(bed.dp.portStats(2)?.txDropped, 2);
});

test('a tx ring that nobody empties fills up, drops, and loses nothing', () => {
  const bed = testDatapath({ ports: 2, framesCount: 1024 });
  connect(bed, 1, 2);
  // a device that does not send: its flush is never reached, as it answers nothing
  const stuck = bed.port(2);
  const flush = stuck.flush.bind(stuck);
  stuck.flush = () => 0;
  for (let i = 0; i < 300; i++) {
    assert.ok(bed.port(1).send(udpFrame({ sport: i })));
    bed.run();
  }
  assert.equal(bed.dp.drops().output_ring_full, 44);
  assert.equal(bed.dp.audit().chunks.tx, 256);
  bed.check();
  stuck.flush = flush;
  stuck.flush(0);
  assert.equal(stuck.takeSent().length, 256);
  bed.run();
  bed.check();
  assert.equal(bed.dp.audit().chunks.tx, 0);
});

test('a user action brings a copy up with its data', () => {
  const bed = testDatapath();
  const userdata = Uint8Array.of(1, 2, 3, 4, 5);
  const up: DpAction = {
    type: 'userspace',
    reason: 'controller',
    pid: 7,
    userdata,
    tunnelOutPort: null,
    withActions: false,
  };
  must(bed.dp.putFlow(matchOf({ in_port: 1 }), [{ type: 'trunc', maxLen: 20 }, up, output(2)]));
  bed.port(1).send(udpFrame());
  bed.run();
  const [upcall] = bed.upcalls();
  assert.equal(upcall?.reason, 'controller');
  assert.deepEqual(upcall.userdata, userdata);
  assert.deepEqual(upcall.frame, udpFrame().subarray(0, 20));
  assert.equal(bed.port(2).takeSent()[0]?.length, udpFrame().length);
  bed.check();
  bed.dp.release(upcall, 'consumed');
  bed.check();
});
