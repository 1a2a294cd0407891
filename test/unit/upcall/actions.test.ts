/** Frames that actions send up, and the recirculation ids that megaflows hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY } from '../../../src/flow/key.ts';
import { encodeCookie } from '../../../src/flow/odp/actions/cookie.ts';
import { SECOND } from '../../../src/lib/clock.ts';
import type { SwitchState } from '../../../src/ofproto/index.ts';
import { noEffects } from '../../../src/translate/effects.ts';
import type { PacketInView } from '../../../src/translate/types.ts';
import {
  type Credit,
  newUpcallCounters,
  Revalidator,
  UkeyTable,
  UpcallHandler,
  type UpcallOptions,
  upcallDefaults,
} from '../../../src/upcall/index.ts';
import { packet } from '../translate/fixture.ts';
import { addFlow, addGroup, bridge, tcp } from '../translate-ext/fixture.ts';
import { FakeDatapath } from './fake.ts';

function build(state: SwitchState, options: Partial<UpcallOptions> = {}) {
  const datapath = new FakeDatapath();
  const packetIns: PacketInView[] = [];
  const credits: Credit[] = [];
  const source = {
    picture: () => state.picture(),
    effects(credit: Credit) {
      credits.push(credit);
      return { ...noEffects, isDry: false, packetIn: (_: string, view: PacketInView) => void packetIns.push(view) };
    },
  };
  const counters = newUpcallCounters();
  const ukeys = new UkeyTable();
  const parts = { datapath, source, ukeys, options: { ...upcallDefaults, ...options }, counters };
  const [handler, revalidator] = [new UpcallHandler(parts), new Revalidator(parts)];
  return { state, datapath, packetIns, credits, counters, ukeys, handler, revalidator };
}

const userdataOf = (text: string): Uint8Array<ArrayBuffer> => {
  const number = (name: string): bigint => BigInt(new RegExp(`${name}=(0x[0-9a-f]+|\\d+)`).exec(text)?.[1] ?? 0);
  const names = ['reason', 'dont_send', 'continuation', 'recirc_id', 'rule_cookie', 'controller_id', 'max_len'];
  const values = Object.fromEntries(names.map((name) => [name, number(name)]));
  return Uint8Array.from(encodeCookie({ name: 'controller', values }));
};

test('a frame for controllers arrives with the pipeline’s metadata', () => {
  const state = bridge();
  addFlow(
    state,
    'ip',
    'set_field:7->reg3,controller(id=5,max_len=64,reason=invalid_ttl,userdata=01.02),output:2',
    0xabn,
  );
  const { datapath, handler, packetIns, counters } = build(state);
  datapath.miss(packet(tcp));
  handler.run(0);
  const { actions } = datapath.executed[0]!;
  datapath.miss(packet(tcp), 90, 'controller', userdataOf(actions));
  handler.run(0);
  assert.deepEqual(datapath.released, ['consumed']);
  const [view] = packetIns;
  assert.equal(packetIns.length, 1);
  assert.equal(view!.reason, 2);
  assert.equal(view!.cookie, 0xabn);
  assert.equal(view!.controllerId, 5);
  assert.equal(view!.maxLen, 64);
  assert.equal(view!.frame.length, 90);
  assert.deepEqual([...view!.userdata], [1, 2]);
  assert.equal(view!.continuation, null);
  assert.equal(view!.flow.get(KEY.in_port), 1);
  assert.equal(view!.flow.bytes.at(604 + 3), 7);
  assert.equal(counters.packetIns, 1);
});

test('a paused frame carries what it goes on with', () => {
  const state = bridge();
  addFlow(state, 'ip', 'controller(pause),output:2');
  const { datapath, handler, packetIns } = build(state);
  datapath.miss(packet(tcp));
  handler.run(0);
  datapath.miss(packet(tcp), 90, 'controller', userdataOf(datapath.executed[0]!.actions));
  handler.run(0);
  assert.deepEqual(
    packetIns[0]!.continuation!.actions.map(({ type }) => type),
    ['unroll', 'output'],
  );
});

test('frames for controllers without a state, or with data of somebody else, are lost and counted', () => {
  const { datapath, handler, packetIns, counters } = build(bridge());
  datapath.miss(packet(tcp), 90, 'controller', userdataOf('recirc_id=99'));
  datapath.miss(packet(tcp), 90, 'controller', Uint8Array.of(9, 9));
  datapath.miss(packet(tcp), 90, 'controller', userdataOf('recirc_id=99,dont_send=1'));
  datapath.miss(packet(tcp), 90, 'sample', Uint8Array.of(3));
  handler.run(0);
  assert.deepEqual(packetIns, []);
  assert.equal(counters.lostPacketIns, 2);
  assert.equal(counters.samples, 1);
  assert.equal(datapath.released.length, 4);
});

test('the slow path: the megaflow sends every frame up, and each is done by hand, without being counted twice', () => {
  const state = bridge();
  addFlow(state, 'ip', 'output:2');
  const { datapath, handler, credits, counters } = build(state);
  datapath.miss(packet(tcp));
  handler.run(0);
  const before = credits.length;
  datapath.miss(packet(tcp), 90, 'slow_path');
  handler.run(0);
  assert.equal(datapath.executed[1]!.actions, '2');
  assert.equal(datapath.executed[1]!.flowId, undefined);
  assert.equal(credits.length, before);
  assert.equal(counters.slowPath, 1);
});

const idOf = (actions: string): number => Number(/recirc\((0x[0-9a-f]+)\)/.exec(actions)![1]);

test('megaflows hold the ids that they name and the one that they match, and let go of them', () => {
  const state = bridge();
  addGroup(state, 1, 'select', [{ actions: 'output:2' }, { actions: 'output:3' }]);
  addFlow(state, 'ip', 'group:1');
  const { datapath, handler, revalidator, ukeys } = build(state, { maxIdle: 10 * SECOND });
  datapath.miss(packet(tcp));
  handler.run(0);
  const id = idOf(datapath.executed[0]!.actions);
  datapath.miss(packet(tcp).set(KEY.recirc_id, id).set(KEY.dp_hash, 5));
  handler.run(0);
  assert.equal(ukeys.size, 2);
  const [first, second] = [...datapath.flows.keys()];
  // The flow that names the id idles out first
  datapath.traffic(second!, 1, 100, 9 * SECOND);
  revalidator.run(11 * SECOND);
  assert.deepEqual([datapath.flows.has(first!), datapath.flows.has(second!)], [false, true]);
  assert.notEqual(state.recircs.get(id), null);
  revalidator.run(30 * SECOND);
  assert.equal(ukeys.size, 0);
  assert.equal(state.recircs.get(id), null);
});

test('a megaflow that changes holds what it names now', () => {
  const state = bridge();
  addFlow(state, 'ip', 'ct(table=1)');
  const { datapath, handler, revalidator } = build(state);
  datapath.miss(packet(tcp));
  handler.run(0);
  const old = idOf(datapath.executed[0]!.actions);
  addFlow(state, 'ip', 'ct(table=2)');
  revalidator.run(SECOND);
  const now = idOf(datapath.actionsOf(0));
  assert.notEqual(now, old);
  assert.equal(state.recircs.get(old), null);
  assert.equal(state.recircs.get(now)?.tableId, 2);
  revalidator.flush(2 * SECOND);
  assert.equal(state.recircs.get(now), null);
});

test('ids of a frame without a megaflow are on loan for a while', () => {
  const state = bridge();
  addFlow(state, 'ip', 'ct(table=1)');
  const { datapath, handler } = build(state, { flowLimit: 0 });
  datapath.miss(packet(tcp));
  handler.run(10 * SECOND);
  const id = idOf(datapath.executed[0]!.actions);
  handler.run(10.5 * SECOND);
  assert.notEqual(state.recircs.get(id), null);
  handler.run(11 * SECOND);
  handler.run(12 * SECOND);
  assert.equal(state.recircs.get(id), null);
});
