/** Traces of random flow tables and random packets against the reference. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../src/lib/random.ts';
import { randomPacket, randomTables } from '../support/random-tables.ts';
import { FlowTwins } from './trace-support.ts';

const SEED = Number(process.env.WEFT_SEED ?? 20261123);
const SCALE = process.env.WEFT_NIGHTLY ? 20 : 1;
const ROUNDS = 60 * SCALE;
const PACKETS = 60;

test(`random tables and packets, seed ${SEED}`, async () => {
  const twins = await FlowTwins.start();
  try {
    twins.setFlows(['in_port=50,ip,actions=mod_nw_tos:12,5', 'priority=1,actions=mod_vlan_vid:77,5,in_port'], 'br1');
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED + round;
      const random = new Random(seed);
      const flows = twins.setSomeFlows(randomTables(random));
      const packets = Array.from({ length: PACKETS }, () => randomPacket(random));
      (await twins.traceAll(packets)).forEach(([ours, theirs], i) => {
        assert.equal(ours, theirs, `seed ${seed}: ${packets[i]}\n${flows.join('\n')}`);
      });
    }
  } finally {
    twins.close();
  }
});
