import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MeterConfig } from '../../../src/datapath/types.ts';
import { FlowKey, KEY } from '../../../src/flow/key.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import { toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { type TestDatapath, testDatapath } from '../../support/datapath.ts';
import { mutate, randomFrame } from '../../support/frames.ts';
import { type Arrival, compare } from '../../twin/compare.ts';
import { type TwinState, twinState } from '../../twin/execute.ts';
import { twinMeter } from '../../twin/meter.ts';
import { randomActions, randomSet, randomTunnelHeader, settable } from '../../twin/random-actions.ts';

const seed = Number(process.env.WEFT_SEED ?? 11);
const rounds = process.env.WEFT_NIGHTLY ? 400_000 : 4000;
const MTU = 9000;

interface Pair {
  readonly bed: TestDatapath;
  readonly state: TwinState;
}

const meterConfig: MeterConfig = {
  unit: 'pktps',
  bands: [
    { rate: 1000, burst: 3 },
    { rate: 500, burst: 5 },
  ],
};

/** A datapath and its twin with the same ports and meters. */
function pair(): Pair {
  const bed = testDatapath({ ports: 3 });
  for (const port of [1, 2, 3]) bed.port(port).mtu = MTU;
  const state = twinState();
  must(bed.dp.setMeter(1, meterConfig));
  state.meters.set(1, twinMeter(meterConfig));
  must(bed.dp.addTunnelPort(5, { type: 'gre' }));
  for (const [port, type] of [
    [7, 'vxlan'],
    [8, 'geneve'],
    [9, 'gre'],
  ] as const) {
    must(bed.dp.addTunnelPort(port, { type }));
    state.tunnels.types.set(port, type);
  }
  return { bed, state };
}

/** A frame as it may come: whole or broken, from Ethernet or without it, with or without a past. */
function randomArrival(random: Random): Arrival {
  const whole = randomFrame(random);
  const frame = random.chance(0.25) ? mutate(random, whole) : whole;
  const base = new FlowKey();
  if (random.chance(0.2)) base.set(KEY.pkt_mark, random.u32());
  if (random.chance(0.1)) base.set(KEY.ct_mark, random.u32()).set(KEY.ct_zone, random.below(100));
  if (random.chance(0.1)) base.setU64(KEY.tun_id, BigInt(random.u32())).set(KEY.tun_flags, 8);
  const type = (frame[12]! << 8) | frame[13]!;
  const isL3 = frame.length > 34 && [0x0800, 0x86dd, 0x894f].includes(type) && random.chance(0.2);
  return { frame: isL3 ? frame.subarray(14) : frame, inPort: 1, packetType: isL3 ? 0x10000 + type : 0, base };
}

function check({ bed, state }: Pair, arrival: Arrival, actions: readonly DpAction[], note: string): void {
  try {
    compare(bed, state, arrival, actions);
  } catch (error) {
    const text = JSON.stringify(actions, (_key, value) => (value instanceof Uint8Array ? toHex(value) : value));
    throw new Error(`${note}: ${toHex(arrival.frame)} type ${arrival.packetType.toString(16)}: ${text}`, {
      cause: error,
    });
  }
}

const step = ({ bed, state }: Pair): void => {
  bed.clock.advance(1000);
  bed.run();
  state.now = bed.clock.now();
};

test('random actions on random frames do what the twin does', () => {
  const random = new Random(seed);
  const both = pair();
  step(both);
  for (let round = 0; round < rounds; round++) {
    if (round % 3 === 0) step(both);
    check(both, randomArrival(random), randomActions(random), `seed ${seed} round ${round}`);
  }
  both.bed.check();
});

test('each set action on frames of its own kind does what the twin does', () => {
  const random = new Random(seed);
  const both = pair();
  step(both);
  for (const target of Object.keys(settable) as (keyof typeof settable)[]) {
    for (let round = 0; round < rounds / 10; round++) {
      const actions: DpAction[] = [randomSet(random, target), { type: 'output', port: 2 }];
      check(both, randomArrival(random), actions, `${target}, seed ${seed} round ${round}`);
    }
  }
});

test('what tnl_push put on, tnl_pop takes off', () => {
  const random = new Random(seed);
  const both = pair();
  step(both);
  for (let round = 0; round < rounds / 4; round++) {
    const header = randomTunnelHeader(random);
    const port = { vxlan: 7, geneve: 8, gre: 9 }[header.type];
    const frame = randomFrame(random);
    const actions: DpAction[] = [
      { type: 'tnl_push', tunnelPort: 5, outPort: 6, header },
      { type: 'tnl_pop', port },
    ];
    const note = `seed ${seed} round ${round}`;
    const seen = compare(both.bed, both.state, { frame, inPort: 1, packetType: 0, base: new FlowKey() }, actions);
    assert.equal(toHex(seen.upcalls[0]?.frame ?? new Uint8Array(0)), toHex(frame), note);
  }
});
