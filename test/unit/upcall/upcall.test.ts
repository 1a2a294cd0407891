import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../../../src/lib/clock.ts';
import type { SwitchState } from '../../../src/ofproto/index.ts';
import { noEffects } from '../../../src/translate/effects.ts';
import {
  type Credit,
  newUpcallCounters,
  Revalidator,
  UkeyTable,
  UpcallHandler,
  type UpcallOptions,
  upcallDefaults,
} from '../../../src/upcall/index.ts';
import { applyEffects, TrafficCounts } from '../../../src/vswitchd/effects.ts';
import { buildState, buildTunnels, mac, packet, vxlan } from '../translate/fixture.ts';
import { FakeDatapath } from './fake.ts';

const A = '50:54:00:00:00:0a';
const B = '50:54:00:00:00:0b';
const ab = packet({ inPort: 1, src: A, dst: B });
const ba = packet({ inPort: 2, src: B, dst: A });

const twoPorts = (): SwitchState =>
  buildState({
    name: 'br0',
    local: 100,
    ports: [
      { name: 'p1', dp: 1 },
      { name: 'p2', dp: 2 },
    ],
  });

function build(state: SwitchState, options: Partial<UpcallOptions> = {}) {
  const datapath = new FakeDatapath();
  const counters = newUpcallCounters();
  const traffic = new TrafficCounts();
  const source = {
    picture: () => state.picture(),
    effects: (credit: Credit) => applyEffects(state, traffic, credit),
  };
  const ukeys = new UkeyTable();
  const parts = { datapath, source, ukeys, options: { ...upcallDefaults, ...options }, counters };
  return {
    state,
    datapath,
    counters,
    traffic,
    ukeys,
    handler: new UpcallHandler(parts),
    revalidator: new Revalidator(parts),
  };
}

test('a miss is translated, installed and sent on; its twins in the batch share the flow', () => {
  const { datapath, handler, counters, ukeys } = build(twoPorts());
  for (let i = 0; i < 3; i++) datapath.miss(ab);
  datapath.miss(ba);
  assert.equal(handler.run(0), 4);
  assert.deepEqual(
    datapath.executed.map(({ actions, flowId }) => `${actions} ${flowId}`),
    ['100,2 0', '100,2 0', '100,2 0', '1 1'],
  );
  assert.equal(counters.translated, 2);
  assert.equal(counters.installed, 2);
  assert.deepEqual(
    [...ukeys.values()].map(({ packets }) => packets),
    [3, 1],
  );
});

test('when the flow limit is reached, or there is no memory, frames still go on', () => {
  const full = build(twoPorts(), { flowLimit: 0 });
  full.datapath.miss(ab);
  full.handler.run(0);
  assert.deepEqual(full.datapath.executed, [{ actions: '100,2', flowId: undefined }]);
  assert.equal(full.counters.notInstalledLimit, 1);
  const poor = build(twoPorts());
  poor.datapath.refusal = 'no_memory';
  poor.datapath.miss(ab);
  poor.handler.run(0);
  assert.deepEqual(poor.datapath.executed, [{ actions: '100,2', flowId: undefined }]);
  assert.equal(poor.counters.notInstalledRefused, 1);
  assert.equal(poor.ukeys.size, 0);
});

test('a drop is installed with its reason; other upcalls are let go', () => {
  const { datapath, handler } = build(twoPorts());
  datapath.miss(packet({ inPort: 77 }));
  datapath.miss(ab, 100, 'controller');
  handler.run(0);
  assert.match(datapath.actionsOf(0), /drop/);
  assert.deepEqual(datapath.released, ['consumed']);
});

test('an answer for one packet only is not installed', () => {
  const { datapath, handler, counters, state } = build(buildTunnels([vxlan('1.1.2.92')], { isResolved: false }));
  datapath.miss(packet({ inPort: 1 }));
  handler.run(0);
  assert.equal(datapath.flows.size, 0);
  assert.equal(counters.notInstalledOnce, 1);
  assert.equal(state.neighbors.takeQuestions().length, 1);
});

test('what was learned since changes the actions of a flow', () => {
  const { datapath, handler, revalidator, counters } = build(twoPorts());
  datapath.miss(ab);
  handler.run(0);
  assert.equal(datapath.actionsOf(0), '100,2');
  datapath.miss(ba);
  handler.run(0);
  revalidator.run(10);
  assert.equal(datapath.actionsOf(0), '2');
  assert.equal(counters.modified, 1);
  assert.equal(datapath.flows.size, 2);
});

test('a flow whose match would have to be wider is deleted', () => {
  const state = twoPorts();
  const { datapath, handler, revalidator, counters } = build(state);
  datapath.miss(packet({ inPort: 1, src: A, dst: B, tos: 0x28 }));
  handler.run(0);
  // An inherited TOS is looked at from now on
  const bridge = state.bridges.get('br0')!;
  const tunnel = vxlan('1.1.2.92', { tos: 'inherit' });
  bridge.addPort({ name: 't', kind: 'tunnel', dpPort: 4789, mac: new Uint8Array(6), tunnel });
  revalidator.run(10);
  assert.equal(datapath.flows.size, 0);
  assert.equal(counters.deletedStale, 1);
});

test('an idle flow goes, a busy one stays and keeps its address fresh', () => {
  const state = twoPorts();
  const { datapath, handler, revalidator, counters } = build(state);
  datapath.miss(ab);
  datapath.miss(packet({ inPort: 2, src: '50:54:00:00:00:0c', dst: A }));
  handler.run(0);
  for (let now = SECOND; now <= 400 * SECOND; now += SECOND) {
    datapath.traffic(0, 5, 500, now);
    revalidator.run(now);
    state.bridges.get('br0')!.macs.run(now);
  }
  assert.equal(datapath.flows.size, 1);
  assert.equal(counters.deletedIdle, 1);
  const { macs } = state.bridges.get('br0')!;
  assert.equal(macs.lookup(mac(A), 0, 400 * SECOND), 'p1');
  assert.equal(macs.lookup(mac('50:54:00:00:00:0c'), 0, 400 * SECOND), null);
});

test('packets are credited once: patch ports count what went through', () => {
  const state = buildState(
    {
      name: 'br0',
      local: 100,
      ports: [
        { name: 'p1', dp: 1 },
        { name: 'pa', peer: { bridge: 'br1', port: 'pb' } },
      ],
    },
    { name: 'br1', local: 101, ports: [{ name: 'pb', peer: { bridge: 'br0', port: 'pa' } }] },
  );
  const { datapath, handler, revalidator, traffic } = build(state);
  for (let i = 0; i < 3; i++) datapath.miss(ab);
  handler.run(0);
  datapath.traffic(0, 7, 700, SECOND);
  revalidator.run(SECOND);
  revalidator.run(2 * SECOND);
  datapath.traffic(0, 1, 100, 3 * SECOND);
  revalidator.flush(3 * SECOND);
  assert.equal(datapath.flows.size, 0);
  assert.deepEqual(traffic.of('br0', 2), { rxPackets: 0, rxBytes: 0, txPackets: 11, txBytes: 1100 });
  assert.deepEqual(traffic.of('br1', 1), { rxPackets: 11, rxBytes: 1100, txPackets: 0, txBytes: 0 });
});

test('a pass goes slice by slice, and a flow that somebody else deleted is forgotten', () => {
  const { datapath, handler, revalidator, ukeys } = build(twoPorts(), { revalidationBudget: 10 });
  for (let i = 0; i < 25; i++)
    datapath.miss(packet({ inPort: 1, src: A, dst: `50:54:00:00:01:${(16 + i).toString(16)}` }));
  while (handler.run(0) > 0);
  datapath.flows.delete(3);
  const work: number[] = [];
  for (let n = revalidator.run(SECOND); n > 0; n = revalidator.run(SECOND)) work.push(n);
  // The first one was made before its own address was learned: to translate it again takes the budget of a whole slice
  assert.deepEqual(work, [17, 10, 10, 4]);
  assert.equal(ukeys.size, 24);
  assert.equal(revalidator.wakeAt(), 1.5 * SECOND);
});

test('without flows there is nothing to wake for', () => {
  const { revalidator } = build(twoPorts());
  assert.equal(revalidator.wakeAt(), null);
  assert.equal(revalidator.run(SECOND), 0);
  assert.equal(noEffects.learnMac('br0', { mac: mac(A), vlan: 0, port: 'p1', isGratuitousArp: false }), false);
});
