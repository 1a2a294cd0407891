/** NORMAL against the reference: random bridges in all VLAN modes, joined by patch ports, and random packets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../src/lib/bytes.ts';
import { Random } from '../../src/lib/random.ts';
import { randomFlow, randomTaggedFrame, randomVlan, Twins } from './normal-support.ts';
import { Oracle } from './oracle.ts';

const SEED = Number(process.env.WEFT_SEED ?? 20261123);
const SCALE = process.env.WEFT_NIGHTLY ? 20 : 1;
const BRIDGES = 3 * SCALE;
const PACKETS = 120;

async function compare(seed: number): Promise<void> {
  const random = new Random(seed);
  const oracle = await Oracle.start();
  try {
    // Our parser keeps two tags; the reference keeps one unless it is told otherwise
    oracle.vsctl('set', 'Open_vSwitch', '.', 'other_config:vlan-limit=2');
    const twins = new Twins(oracle);
    twins.addBridge('br0', '02:00:00:00:00:f0', random.chance(0.2) ? ['other-config:forward-bpdu=true'] : []);
    twins.addBridge('br1', '02:00:00:00:00:f1');
    const ports: number[] = [];
    for (let i = 1; i <= 6; i++) {
      ports.push(i);
      twins.addPort('br0', `p${i}`, i, randomVlan(random), random.chance(0.2));
      if (i === 3) twins.addPatch('br0', 'patch0', 'br1', 'patch1', random.chance(0.5) ? randomVlan(random) : {});
      if (i <= 3) twins.addPort('br1', `q${i}`, i, randomVlan(random));
    }
    for (let n = 0; n < PACKETS; n++) {
      const isFirst = random.chance(0.7);
      const bridge = isFirst ? 'br0' : 'br1';
      const flow = randomFlow(random, isFirst ? [...ports, 'LOCAL'] : [1, 2, 3, 'LOCAL']);
      const learns = random.chance(0.4);
      const expected = twins.traceReference(bridge, flow, learns);
      assert.equal(twins.trace(bridge, flow, learns).text, expected, `seed ${seed}, packet ${n}: ${flow}`);
    }
    for (let n = 0; n < PACKETS / 2; n++) {
      const frame = randomTaggedFrame(random);
      const ofport = random.pick(ports);
      const expected = twins.traceFrameReference('br0', ofport, frame);
      const { text } = twins.traceFrame('br0', `p${ofport}`, frame);
      assert.equal(text, expected, `seed ${seed}, frame ${n}: port ${ofport}, ${toHex(frame)}`);
    }
    for (const bridge of ['br0', 'br1']) {
      assert.deepEqual(twins.macTable(bridge), twins.macTableReference(bridge), `seed ${seed}: ${bridge}`);
    }
  } finally {
    oracle.close();
  }
}

for (let i = 0; i < BRIDGES; i++) {
  test(`traces and MAC tables of random bridges, seed ${SEED + i}`, () => compare(SEED + i));
}
