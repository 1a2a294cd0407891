/** Traces of hand-made flow tables against the reference, every word of them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { floodScenarios, type Scenario, scenarios } from './trace-flow-scenarios.ts';
import { FlowTwins } from './trace-support.ts';

/** What br1 does with what comes by the patch port. */
const SECOND_BRIDGE = [
  'in_port=50,ip,actions=mod_nw_ttl:3,5',
  'in_port=50,priority=5,actions=mod_dl_src:00:00:00:00:00:77,5',
  'priority=1,actions=50',
];

let twins: FlowTwins;
before(async () => {
  twins = await FlowTwins.start();
  twins.setFlows(SECOND_BRIDGE, 'br1');
});
after(() => twins.close());

function compare([name, flows, packets]: Scenario, bridge: string): void {
  test(`${bridge}: ${name}`, async () => {
    twins.setFlows(flows, bridge);
    (await twins.traceAll(packets, bridge)).forEach(([ours, theirs], i) => {
      assert.equal(ours, theirs, packets[i]);
    });
  });
}

for (const scenario of scenarios) compare(scenario, 'br0');
for (const scenario of floodScenarios) compare(scenario, 'br2');
