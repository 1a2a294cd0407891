/** Meters against the reference: the same packets pass at the same times. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MeterConfig } from '../../src/datapath/types.ts';
import type { DpAction } from '../../src/flow/odp/action.ts';
import { Random } from '../../src/lib/random.ts';
import { must } from '../../src/lib/result.ts';
import { matchOf, testDatapath, udpFrame } from '../support/datapath.ts';
import { arrive } from '../twin/execute.ts';
import { takesMeter, twinMeter } from '../twin/meter.ts';
import { Oracle } from './oracle.ts';

const seed = Number(process.env.WEFT_SEED ?? 9);

let oracle: Oracle;
before(async () => {
  oracle = await Oracle.start();
  oracle.addBridge('br0');
  oracle.addPort('br0', 'p1', 1);
  oracle.addPort('br0', 'p2', 2);
});
after(() => oracle?.close());

const cases: readonly (readonly [text: string, config: MeterConfig])[] = [
  ['pktps bands=type=drop rate=3', { unit: 'pktps', bands: [{ rate: 3, burst: 0 }] }],
  ['pktps burst bands=type=drop rate=2 burst_size=5', { unit: 'pktps', bands: [{ rate: 2, burst: 5 }] }],
  ['kbps bands=type=drop rate=1', { unit: 'kbps', bands: [{ rate: 1, burst: 0 }] }],
  ['kbps burst bands=type=drop rate=2 burst_size=4', { unit: 'kbps', bands: [{ rate: 2, burst: 4 }] }],
];

for (const [text, config] of cases) {
  test(`meter ${text}, seed ${seed}`, () => {
    const random = new Random(seed);
    oracle.ofctl('-OOpenFlow13', 'add-meter', 'br0', `meter=1 ${text.replace('bands=type', 'stats bands=type')}`);
    oracle.ofctl('-OOpenFlow13', 'add-flow', 'br0', 'in_port=1,actions=meter:1,2');
    const bed = testDatapath({ ports: 2 });
    must(bed.dp.setMeter(1, config));
    const twin = new Map([[1, twinMeter(config)]]);
    const actions: DpAction[] = [
      { type: 'meter', id: 1 },
      { type: 'output', port: 2 },
    ];
    must(bed.dp.putFlow(matchOf({ in_port: 1 }), actions));
    try {
      // the meter counts from when it was made: let it fill up before the first frame
      oracle.warp(5000);
      oracle.framesOut('p2');
      for (let round = 0; round < 60; round++) {
        const frame = udpFrame({ payloadSize: 18 + random.below(40) });
        oracle.inject('p1', frame);
        bed.port(1).send(frame);
        bed.run();
        const passes = takesMeter(twin, 1, arrive(frame, 1), bed.clock.now()) ? 1 : 0;
        const note = `seed ${seed} round ${round}`;
        assert.equal(oracle.framesOut('p2').length, passes, `reference, ${note}`);
        assert.equal(bed.port(2).takeSent().length, passes, `datapath, ${note}`);
        const milliseconds = random.pick([0, 0, 0, 50, 100, 400]);
        if (milliseconds > 0) oracle.warp(milliseconds);
        bed.clock.advance(milliseconds * 1000);
      }
      assert.equal(bed.dp.meterStats(1)?.packets, 60);
    } finally {
      oracle.ofctl('del-flows', 'br0');
      oracle.ofctl('-OOpenFlow13', 'del-meters', 'br0');
    }
  });
}
