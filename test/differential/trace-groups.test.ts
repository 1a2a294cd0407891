/** Traces of groups, recirculation, learning and hashing against the reference, every word of them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { scenarios } from './trace-group-scenarios.ts';
import { GroupTwins, withoutIds } from './trace-group-support.ts';

let twins: GroupTwins;
before(async () => {
  twins = await GroupTwins.start();
  twins.flows.setFlows(['in_port=50,actions=5'], 'br1');
});
after(() => twins.close());

for (const { name, flows, groups = [], meters = [], packets, settings = {} } of scenarios) {
  test(name, () => {
    twins.set(flows, groups, meters);
    for (const packet of packets) {
      const expected = withoutIds(twins.traceReference(packet, settings));
      assert.equal(withoutIds(twins.trace(packet, settings)), expected, packet);
    }
  });
}
