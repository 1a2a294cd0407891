import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import type { DropReasonName } from '../../../src/gen/tables.ts';
import { concatBytes, toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { matchOf, type TestDatapath, testDatapath, udpFrame } from '../../support/datapath.ts';
import { mutate, randomFrame } from '../../support/frames.ts';
import { afterRecirculation } from '../../twin/compare.ts';
import { arrive, type Effect, execute, twinState } from '../../twin/execute.ts';
import { randomActions } from '../../twin/random-actions.ts';

const seed = Number(process.env.WEFT_SEED ?? 21);
const rounds = process.env.WEFT_NIGHTLY ? 50_000 : 300;

/** What several frames make, in no order: actions work on the whole list, so that lists inside lists mix the order. */
interface Summary {
  readonly outputs: readonly string[];
  readonly upcalls: readonly string[];
  readonly drops: Readonly<Partial<Record<DropReasonName, number>>>;
}

function summaryOf(effects: readonly Effect[]): Summary {
  const outputs: string[] = [];
  const upcalls: string[] = [];
  const drops: Partial<Record<DropReasonName, number>> = {};
  for (const effect of effects.map(afterRecirculation)) {
    if (effect.type === 'output') outputs.push(`${effect.port} ${toHex(effect.packet.frame)}`);
    else if (effect.type === 'upcall') upcalls.push(`${effect.reason} ${toHex(effect.packet.frame)}`);
    else if (effect.type === 'drop') drops[effect.reason] = (drops[effect.reason] ?? 0) + 1;
  }
  return { outputs: outputs.sort(), upcalls: upcalls.sort(), drops };
}

/** Sends a burst through one flow. */
function runBurst(bed: TestDatapath, frames: readonly Uint8Array[], actions: readonly DpAction[]): Summary {
  const { dp } = bed;
  const before = dp.drops();
  must(dp.putFlow(matchOf({ in_port: 1, recirc_id: 0 }), actions, { replace: true }));
  for (const frame of frames) bed.port(1).send(frame);
  bed.run();
  const outputs: string[] = [];
  for (const port of [1, 2, 3]) for (const frame of bed.port(port).takeSent()) outputs.push(`${port} ${toHex(frame)}`);
  const upcalls: string[] = [];
  dp.takeUpcalls((upcall) => {
    upcalls.push(`${upcall.reason} ${toHex(upcall.frame)}`);
    dp.release(upcall, 'consumed');
  });
  const drops: Partial<Record<DropReasonName, number>> = {};
  for (const [reason, count] of Object.entries(dp.drops()) as [DropReasonName, number][]) {
    if (count > before[reason]) drops[reason] = count - before[reason];
  }
  return { outputs: outputs.sort(), upcalls: upcalls.sort(), drops };
}

/** Actions whose outcome depends on the order of packets, or on a port that the datapath chooses, are left out. */
function isOrdered(action: DpAction): boolean {
  if (action.type === 'meter') return true;
  if (action.type === 'tnl_push') return action.header.type !== 'gre' || (action.header.bytes[34]! & 0x10) !== 0;
  if (action.type === 'clone' || action.type === 'sample') return action.actions.some(isOrdered);
  return action.type === 'check_pkt_len' && [...action.greater, ...action.lessEqual].some(isOrdered);
}

test('a burst through one flow ends where its frames would end one by one', () => {
  const random = new Random(seed);
  const bed = testDatapath({ ports: 3, framesCount: 4096 });
  for (const port of [1, 2, 3]) bed.port(port).mtu = 9000;
  bed.run();
  for (let round = 0; round < rounds; round++) {
    const actions = randomActions(random).filter((action) => !isOrdered(action) && action.type !== 'tnl_pop');
    const frames = Array.from({ length: 1 + random.below(40) }, () => {
      const frame = randomFrame(random);
      return random.chance(0.1) ? mutate(random, frame) : frame;
    });
    const effects = frames.flatMap((frame): Effect[] =>
      frame.length < 14 ? [{ type: 'drop', reason: 'rx_runt' }] : execute(twinState(), arrive(frame, 1), actions),
    );
    const note = `seed ${seed} round ${round}`;
    assert.deepEqual(runBurst(bed, frames, actions), summaryOf(effects), note);
  }
  bed.check();
});

test('sample picks about as many as it should, and its generator goes by the seed', () => {
  const counts = [1, 1, 2].map((datapathSeed) => {
    const bed = testDatapath({ ports: 3, seed: datapathSeed });
    const sample: DpAction = { type: 'sample', probability: 0x40000000, actions: [{ type: 'output', port: 3 }] };
    const picked: number[] = [];
    for (let i = 0; i < 40; i++) {
      runBurst(bed, [], []);
      const frames = Array.from({ length: 32 }, () => udpFrame());
      const { outputs } = runBurst(bed, frames, [sample, { type: 'output', port: 2 }]);
      picked.push(outputs.filter((output) => output.startsWith('3 ')).length);
      assert.equal(outputs.length, 32 + picked.at(-1)!);
    }
    return picked;
  });
  assert.deepEqual(counts[0], counts[1]);
  assert.notDeepEqual(counts[0], counts[2]);
  const total = counts[0]!.reduce((sum, count) => sum + count, 0);
  assert.ok(total > 240 && total < 400, `a quarter of 1280 is not ${total}`);
});

test('lists that nest too deep end as action_depth, rounds without end as recirc_depth', () => {
  const bed = testDatapath({ ports: 3 });
  let actions: DpAction[] = [{ type: 'output', port: 2 }];
  for (let depth = 0; depth < 16; depth++) actions = [{ type: 'clone', actions }];
  assert.deepEqual(runBurst(bed, [udpFrame()], actions).drops, { action_depth: 1 });
  must(bed.dp.putFlow(matchOf({ in_port: 1, recirc_id: 7 }), [{ type: 'recirc', id: 7 }]));
  assert.deepEqual(runBurst(bed, [udpFrame()], [{ type: 'recirc', id: 7 }]).drops, { recirc_depth: 1 });
  bed.check();
});

test('no room in front of the frame is a drop, and so is an action that this datapath does not know', () => {
  const bed = testDatapath({ ports: 3 });
  const tags = Array.from({ length: 65 }, (): DpAction => ({ type: 'push_vlan', tpid: 0x8100, tci: 0x1001 }));
  assert.deepEqual(runBurst(bed, [udpFrame()], [...tags, { type: 'output', port: 2 }]).drops, { headroom: 1 });
  const ct: DpAction = { type: 'ct', commit: false, zone: 0, text: '' };
  assert.deepEqual(runBurst(bed, [udpFrame(), udpFrame()], [ct]).drops, { action_unknown: 2 });
  bed.check();
});

test('a copy for which there is no chunk is counted', () => {
  const bed = testDatapath({ ports: 3, framesCount: 256 });
  const many = Array.from({ length: 300 }, (): DpAction => ({ type: 'output', port: 2 }));
  const { drops, outputs } = runBurst(bed, [udpFrame()], many);
  assert.ok((drops.no_frame ?? 0) + (drops.output_ring_full ?? 0) > 0);
  assert.equal(outputs.length + (drops.no_frame ?? 0) + (drops.output_ring_full ?? 0), 300);
  bed.check();
});

test('the checksum of an atomic fragment follows its addresses', () => {
  const bed = testDatapath({ ports: 3 });
  const state = twinState();
  const ip = concatBytes(Uint8Array.of(0x60, 0, 0, 0, 0, 20, 44, 64), new Uint8Array(32).fill(3));
  const udp = Uint8Array.of(0, 1, 0, 2, 0, 12, 0x12, 0x34, 1, 2, 3, 4);
  const frame = concatBytes(
    udpFrame().subarray(0, 12),
    Uint8Array.of(0x86, 0xdd),
    ip,
    new Uint8Array([17, 0, 0, 0, 0, 0, 0, 1]),
    udp,
  );
  const value = new Uint8Array(16).fill(9);
  const actions: DpAction[] = [
    { type: 'set', target: 'ipv6', fields: [{ field: 'ipv6_dst', value, mask: null }] },
    { type: 'output', port: 2 },
  ];
  const { outputs } = runBurst(bed, [frame], actions);
  assert.deepEqual(outputs, summaryOf(execute(state, arrive(frame, 1), actions)).outputs);
  // sixteen bytes of 3 became 9: the sum grew by 8 × 0x0606
  assert.match(outputs[0]!, /000c(e203|e204)01020304$/);
});
