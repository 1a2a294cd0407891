/** OpenFlow requests through a running daemon, answered as the reference answers them: the switch, its ports, groups and meters. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { testScenarios } from './openflow-support.ts';
import { closePair, type Pair, startPair } from './subject.ts';

const folder = join(import.meta.dirname, 'openflow');
let pair: Pair;

before(async () => {
  pair = await startPair();
});

after(() => closePair(pair));

testScenarios(
  folder,
  readdirSync(folder)
    .sort()
    .filter((name) => /^(groups|meters|ports|tlv|versions)/.test(name)),
  () => pair,
);
