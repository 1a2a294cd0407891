/** Megaflows never overlap with different actions: the law that the exact-match cache and the classifier stand on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { overlaps } from '../../../src/flow/match.ts';
import { formatActions, formatMatch } from '../../../src/flow/odp/format.ts';
import { MILLISECOND } from '../../../src/lib/clock.ts';
import { Random } from '../../../src/lib/random.ts';
import type { VlanConfig } from '../../../src/translate/types.ts';
import { createSwitch } from '../../../src/vswitchd/switch.ts';
import { mutate, randomFrame } from '../../support/frames.ts';
import { testMac } from '../../support/udp-frame.ts';

const seed = Number(process.env.WEFT_SEED ?? 77);
const rounds = process.env.WEFT_NIGHTLY ? 200 : 3;
const FRAMES = 400;

const vlans: readonly Partial<VlanConfig>[] = [
  {},
  { mode: 'access', tag: 1 },
  { mode: 'trunk', trunks: new Set([1, 2]) },
  { mode: 'native-untagged', tag: 1 },
  { mode: 'dot1q-tunnel', tag: 2 },
];

for (let round = 0; round < rounds; round++)
  test(`megaflows of random traffic are disjoint or agree (seed ${seed + round})`, () => {
    const random = new Random(seed + round);
    const one = createSwitch({ frameCount: 1024, memorySize: 8 << 20 });
    one.addBridge({ name: 'br0', mac: testMac(0xff) });
    const ports = vlans.map((vlan, i) => {
      const netdev = new MemoryNetdev(`p${i}`, { mac: testMac(i), onFrame: () => {} });
      one.addPort('br0', { name: netdev.name, netdev, vlan });
      return netdev;
    });
    for (let i = 0; i < FRAMES; i++) {
      const frame = randomFrame(random);
      random.pick(ports).send(random.chance(0.3) ? mutate(random, frame) : frame);
      if (random.chance(0.2)) one.poll(i * MILLISECOND);
    }
    one.poll(FRAMES * MILLISECOND);
    const flows = [...one.datapath.flows()].map((flow) => ({ ...flow, text: formatActions(flow.actions) }));
    assert.ok(flows.length > 50, `${flows.length} megaflows`);
    for (const [i, a] of flows.entries())
      for (const b of flows.slice(i + 1))
        if (overlaps(a.match, b.match))
          assert.equal(a.text, b.text, `${formatMatch(a.match)}\n${formatMatch(b.match)}`);
    one.close();
  });
