/** Megaflows and meters through the control ring. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyMapOf } from '../../../src/flow/key.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import { KEY } from '../../../src/gen/tables.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { matchOf, testDatapath, testMac, udpFrame } from '../../support/datapath.ts';

const output = (port: number): DpAction => ({ type: 'output', port });
const byMac = (n: number) => matchOf({ in_port: 1, eth_dst: testMac(n) });

test('a flow is read back as it was put', () => {
  const { dp } = testDatapath();
  const match = matchOf({
    in_port: 1,
    eth_dst: testMac(2),
    eth_type: 0x0800,
    nw_ttl: 64,
    tun_id: new Uint8Array(8),
    ct_mark: 7,
  });
  match.mask.bytes[KEY.ipv6_src.offset + 5] = 0x0f;
  match.key.bytes[KEY.ipv6_src.offset + 5] = 0x0a;
  const id = must(dp.putFlow(match, [output(2), output(3)], { cookie: 0xdeadbeef }));
  const flow = dp.flow(id)!;
  assert.deepEqual(flow.match.key.bytes, match.key.bytes);
  assert.deepEqual(flow.match.mask.bytes, match.mask.bytes);
  assert.equal(keyMapOf(flow.match.mask), keyMapOf(match.mask));
  assert.deepEqual(flow.actions, [output(2), output(3)]);
  assert.equal(flow.cookie, 0xdeadbeef);
  assert.deepEqual(flow.stats, { packets: 0, bytes: 0, used: 0, tcpFlags: 0 });
  assert.deepEqual([...dp.flows()], [flow]);
  assert.equal(dp.flowCount, 1);
});

test('the same match twice is an error, unless it is to replace', () => {
  const bed = testDatapath({ ports: 3 });
  const id = must(bed.dp.putFlow(byMac(2), [output(2)]));
  assert.deepEqual(bed.dp.putFlow(byMac(2), [output(3)]), { ok: false, error: 'exists' });
  bed.port(1).send(udpFrame());
  bed.run();
  assert.equal(must(bed.dp.putFlow(byMac(2), [output(3)], { replace: true })), id);
  bed.port(1).send(udpFrame());
  bed.run();
  assert.deepEqual([bed.port(2).takeSent().length, bed.port(3).takeSent().length], [1, 1]);
  assert.equal(bed.dp.flowStats(id)?.packets, 2);
  const { flows_installed, flows_replaced, control_errors } = bed.dp.counters();
  assert.deepEqual([flows_installed, flows_replaced, control_errors], [1, 1, 1]);
  bed.check();
});

test('a flow that makes no sense is invalid', () => {
  const { dp } = testDatapath();
  const outside = matchOf({ in_port: 1 });
  outside.key.set(KEY.nw_ttl, 1);
  assert.deepEqual(dp.putFlow(outside, []), { ok: false, error: 'invalid' });
  assert.deepEqual(dp.putFlow(byMac(1), new Uint8Array(16385)), { ok: false, error: 'invalid' });
  assert.deepEqual(dp.putFlow(byMac(1), new Uint8Array(3)), { ok: false, error: 'invalid' });
  assert.equal(dp.flowCount, 0);
});

test('a deleted flow gives its final statistics, and its id under an old generation finds nothing', () => {
  const bed = testDatapath();
  const { dp } = bed;
  const id = must(dp.putFlow(byMac(2), [output(2)]));
  const generation = dp.flowGeneration(id)!;
  bed.port(1).send(udpFrame());
  bed.run();
  assert.deepEqual(dp.deleteFlow(id, generation), {
    ok: true,
    value: { packets: 1, bytes: udpFrame().length, used: bed.clock.now(), tcpFlags: 0 },
  });
  assert.deepEqual(dp.deleteFlow(id, generation), { ok: false, error: 'not_found' });
  assert.equal(dp.flow(id), null);
  assert.equal(dp.flowStats(id), null);
  assert.equal(dp.flowGeneration(id), null);
  assert.equal(dp.flowStats(-1), null);
  assert.equal(dp.flowStats(1e9), null);
  const again = must(dp.putFlow(byMac(2), [output(2)]));
  assert.deepEqual(dp.deleteFlow(again, generation), { ok: false, error: 'not_found' });
  // the cache still knows the old flow's place: the frame must go by the new flow
  bed.port(1).send(udpFrame());
  bed.run();
  assert.equal(dp.flowStats(again)?.packets, 1);
  assert.equal(dp.deleteFlow(again, dp.flowGeneration(again)!).ok, true);
  bed.port(1).send(udpFrame());
  bed.run();
  assert.equal(dp.upcallsWaiting, 1);
});

test('more flows than the table holds are refused and counted; what is there stays', () => {
  const { dp } = testDatapath({ flowMax: 100 });
  for (let i = 0; i < 100; i++) assert.ok(dp.putFlow(byMac(i), [output(2)]).ok);
  assert.deepEqual(dp.putFlow(byMac(100), [output(2)]), { ok: false, error: 'no_memory' });
  assert.equal(dp.counters().flows_refused_memory, 1);
  assert.equal([...dp.flows()].length, 100);
  assert.ok(dp.deleteFlow(50, dp.flowGeneration(50)!).ok);
  assert.ok(dp.putFlow(byMac(100), [output(2)]).ok);
});

test('a full arena refuses, and gives its room back', () => {
  const { dp } = testDatapath({ arenaSize: 1 << 20, flowMax: 65536 });
  let count = 0;
  while (dp.putFlow(byMac(count), [output(count)]).ok) count++;
  assert.ok(count > 100, `${count} flows`);
  assert.equal(dp.flowCount, count);
  dp.flush();
  assert.equal(dp.flowCount, 0);
  for (let i = 0; i < count; i++) assert.ok(dp.putFlow(byMac(i), [output(i)]).ok, `flow ${i} of ${count}`);
});

test('flow churn ends with the tables it began with', () => {
  const seed = Number(process.env.WEFT_SEED ?? 1);
  const random = new Random(seed);
  const { dp } = testDatapath({ flowMax: 2000 });
  const churn = (): void => {
    const live = new Map<number, number>();
    for (let i = 0; i < 4000; i++) {
      const put = dp.putFlow(byMac(random.below(3000)), [output(random.below(50))]);
      if (put.ok) live.set(put.value, dp.flowGeneration(put.value)!);
      if (random.chance(0.5) && live.size > 0) {
        const id = [...live.keys()][random.below(live.size)]!;
        assert.ok(dp.deleteFlow(id, live.get(id)!).ok, `seed ${seed}`);
        live.delete(id);
      }
    }
    assert.equal(dp.flowCount, live.size);
    assert.deepEqual(
      [...dp.flowIds()],
      [...live.keys()].sort((a, b) => a - b),
    );
    dp.flush();
  };
  churn();
  const used = dp.arenaUsed;
  for (let i = 0; i < (process.env.WEFT_NIGHTLY ? 300 : 3); i++) churn();
  assert.equal(dp.arenaUsed, used, `seed ${seed}`);
});

test('the control ring goes round many times', () => {
  const { dp } = testDatapath();
  const actions = new Uint8Array(16384);
  // one drop action after the other: eight bytes each
  for (let at = 0; at < actions.length; at += 8) actions.set([4, 0, 8, 0, 7, 0, 0, 0], at);
  for (let i = 0; i < 300; i++) {
    const id = must(dp.putFlow(byMac(i), actions.subarray(0, 8 * (1 + ((i * 37) % 2048)))));
    assert.ok(dp.deleteFlow(id, dp.flowGeneration(id)!).ok);
  }
  assert.equal(dp.counters().control_errors, 0);
});

test('a meter passes its burst, drops the rest, and counts', () => {
  const bed = testDatapath();
  must(bed.dp.setMeter(5, { unit: 'pktps', bands: [{ rate: 10, burst: 4 }] }));
  must(bed.dp.putFlow(matchOf({ in_port: 1 }), [{ type: 'meter', id: 5 }, output(2)]));
  for (let i = 0; i < 10; i++) bed.port(1).send(udpFrame());
  bed.run();
  assert.equal(bed.port(2).takeSent().length, 4);
  assert.equal(bed.dp.drops().meter, 6);
  const size = udpFrame().length;
  assert.deepEqual(bed.dp.meterStats(5), { packets: 10, bytes: 10 * size, bands: [{ packets: 6, bytes: 6 * size }] });
  bed.check();
  assert.ok(bed.dp.deleteMeter(5).ok);
  assert.equal(bed.dp.meterStats(5), null);
  assert.deepEqual(bed.dp.deleteMeter(5), { ok: false, error: 'not_found' });
});

test('meters that make no sense are refused', () => {
  const { dp } = testDatapath();
  const band = { rate: 1, burst: 1 };
  assert.ok(!dp.setMeter(4096, { unit: 'kbps', bands: [band] }).ok);
  assert.ok(!dp.setMeter(1, { unit: 'kbps', bands: [] }).ok);
  assert.ok(!dp.setMeter(1, { unit: 'kbps', bands: new Array(9).fill(band) }).ok);
  assert.ok(!dp.setMeter(1, { unit: 'kbps', bands: [{ rate: 0, burst: 0 }] }).ok);
  assert.ok(!dp.setMeter(1, { unit: 'kbps', bands: [{ rate: 2 ** 32, burst: 0 }] }).ok);
  assert.equal(dp.meterStats(1), null);
  assert.equal(dp.meterStats(-1), null);
});
