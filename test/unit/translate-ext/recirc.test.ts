import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY, PipelineKey } from '../../../src/flow/key.ts';
import { formatActions } from '../../../src/flow/odp/format.ts';
import { RecircTable } from '../../../src/ofproto/recircs.ts';
import { askingEffects, noEffects } from '../../../src/translate/effects.ts';
import type { FrozenState } from '../../../src/translate/recirc.ts';
import type { Effects, LearnedFlow } from '../../../src/translate/types.ts';
import { parseCtNext } from '../../../src/vswitchd/trace-recirc.ts';
import { packet } from '../translate/fixture.ts';
import { addFlow, bridge, run, tcp } from './fixture.ts';

const back = (id: number): ReturnType<typeof packet> => packet(tcp).set(KEY.recirc_id, id);

test('a packet whose state nobody remembers is dropped', () => {
  const state = bridge();
  addFlow(state, '', 'output:2');
  const out = run(state, tcp, noEffects, { key: back(77) });
  assert.equal(out.error, 'no_recirculation_context');
  assert.deepEqual(out.actions, []);
  assert.ok(out.texts.includes('Recirculation context not found for ID 4d'));
  assert.ok(out.wildcards.isAllOnes(KEY.recirc_id));
});

test('registers, the stack and the action set come back with the packet; the connection does not', () => {
  const state = bridge();
  addFlow(state, 'ip', 'set_field:7->reg3,push:NXM_NX_REG3[],write_actions(output:4),goto_table:1');
  addFlow(state, 'table=1,ip', 'ct(table=2),output:3');
  addFlow(state, 'table=2,ct_state=+trk,reg3=7', 'pop:NXM_NX_REG4[],resubmit(,3)');
  addFlow(state, 'table=3,reg4=7', 'output:2');
  const first = run(state);
  const [id] = first.recircIds;
  assert.equal(formatActions(first.actions), `ct,recirc(0x${id!.toString(16)}),3,4`);
  state.recircs.hold(id!);
  const key = back(id!).set(KEY.ct_state, 0x21);
  assert.equal(formatActions(run(state, tcp, noEffects, { key }).actions), '2,4');
  state.recircs.release(id!);
  assert.equal(run(state, tcp, noEffects, { key }).error, 'no_recirculation_context');
});

test('a state whose bridge is gone drops the packet', () => {
  const state = bridge();
  addFlow(state, 'ip', 'ct(table=2)');
  const [id] = run(state).recircIds;
  const { recircs } = state;
  const frozen = recircs.get(id!)!;
  const gone = recircs.intern({ ...frozen, bridge: 'br9' });
  const out = run(state, tcp, noEffects, { key: back(gone) });
  assert.deepEqual(out.actions, []);
  assert.ok(out.texts.includes('Frozen bridge no longer exists.'));
});

test('a paused packet goes on behind the action that paused it', () => {
  const state = bridge();
  addFlow(state, 'ip', 'set_field:7->reg3,controller(pause,userdata=0102),output:2,resubmit(,1)', 0xabcn);
  addFlow(state, 'table=1,reg3=7', 'output:3');
  const out = run(state, tcp, { ...noEffects, isDry: false });
  assert.match(
    formatActions(out.actions),
    /^userspace\(pid=0,controller\(reason=1,dont_send=0,continuation=1,.*rule_cookie=0xabc/,
  );
  const resume = state.recircs.get(out.recircIds[0]!)!;
  assert.deepEqual([...resume.userdata], [1, 2]);
  assert.equal(formatActions(run(state, tcp, noEffects, { resume }).actions), '2,3');
  // In a trace nobody is asked
  assert.deepEqual(run(state).actions, []);
});

test('a packet that was paused at the very end goes nowhere, and is not looked up again', () => {
  const state = bridge();
  addFlow(state, 'ip', 'output:2,controller(pause)');
  const out = run(state, tcp, { ...noEffects, isDry: false });
  const resume = state.recircs.get(out.recircIds[0]!)!;
  assert.deepEqual(run(state, tcp, noEffects, { resume }).actions, []);
});

test('what is learned comes from the packet; a limit that says no is told to the packet', () => {
  const state = bridge();
  addFlow(
    state,
    'ip',
    'learn(table=5,limit=1,result_dst=NXM_NX_REG0[0],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),resubmit(,1)',
  );
  addFlow(state, 'table=1,reg0=1', 'output:2');
  addFlow(state, 'table=1,reg0=0', 'output:3');
  const learned: LearnedFlow[] = [];
  const effects = (isTaken: boolean): Effects => ({
    ...noEffects,
    isDry: false,
    learnFlow(_, flow) {
      learned.push(flow);
      return isTaken;
    },
  });
  assert.equal(formatActions(run(state, tcp, effects(true)).actions), '2');
  assert.equal(formatActions(run(state, tcp, effects(false)).actions), '3');
  assert.equal(learned.length, 2);
  assert.equal(learned[0]!.tableId, 5);
  assert.deepEqual(learned[0]!.actions, [{ type: 'output', port: 1, maxLen: 0 }]);
  // A trace learns nothing
  run(state);
  assert.equal(learned.length, 2);
});

/** Effects that learn for good. */
const learning = (state: ReturnType<typeof bridge>): Effects => ({
  ...noEffects,
  isDry: false,
  learnFlow: (name, flow) => state.bridges.get(name)!.ofproto.learn(flow, 0),
});

test('a packet does not see what it has learned itself; the next one does', () => {
  const state = bridge();
  const learn = 'learn(table=1,priority=10,NXM_OF_ETH_SRC[],load:1->NXM_NX_REG0[])';
  addFlow(state, '', `${learn},resubmit(,1),${learn},resubmit(,2)`);
  addFlow(state, 'table=1,priority=1', 'load:2->NXM_NX_REG0[]');
  addFlow(state, 'table=2,reg0=1', 'output:2');
  addFlow(state, 'table=2,reg0=2', 'output:3');
  assert.equal(formatActions(run(state, tcp, learning(state)).actions), '3');
  assert.equal(formatActions(run(state, tcp, learning(state)).actions), '2');
});

test('a rule that a packet replaces by learning is still there for that packet', () => {
  const state = bridge();
  const learn = (port: number, priority: number): string =>
    `learn(table=1,priority=${priority},NXM_OF_ETH_SRC[],load:${port}->NXM_NX_REG0[])`;
  addFlow(state, 'table=0', `${learn(2, 10)},${learn(3, 10)},${learn(4, 10)},resubmit(,1),output:NXM_NX_REG0[]`);
  addFlow(state, 'table=1,priority=1', 'load:1->NXM_NX_REG0[]');
  assert.equal(formatActions(run(state, tcp, learning(state)).actions), 'drop');
  assert.equal(formatActions(run(state, tcp, learning(state)).actions), '4');
});

test('learned ports match all bits of the port', () => {
  const state = bridge();
  addFlow(state, '', 'learn(table=1,NXM_OF_IN_PORT[]),output:2');
  run(state, tcp, learning(state));
  const { tables } = state.bridges.get('br0')!.ofproto;
  const [rule] = tables.select(1, { match: { key: new PipelineKey(), mask: new PipelineKey() } });
  const { key, mask } = tables.matchOf(rule!);
  assert.equal(key.get(KEY.in_port), 1);
  assert.ok(mask.isAllOnes(KEY.in_port));
});

test('whether there is room for a learned flow can be asked without learning', () => {
  const state = bridge();
  const action = 'learn(table=5,limit=1,result_dst=NXM_NX_REG0[0],NXM_OF_ETH_SRC[])';
  addFlow(state, '', `${action},resubmit(,1)`);
  addFlow(state, 'table=1,reg0=1', 'output:2');
  addFlow(state, 'table=1,reg0=0', 'output:3');
  const asked = (): string => formatActions(run(state, tcp, askingEffects(state.picture())).actions);
  assert.equal(asked(), '2');
  const other = { ...tcp, src: '00:00:00:00:00:77' };
  run(state, other, learning(state));
  assert.equal(asked(), '3');
  assert.equal(formatActions(run(state, other, askingEffects(state.picture())).actions), '2');
});

test('a packet out of NSH has addresses of its own', () => {
  const state = bridge();
  addFlow(state, 'dl_type=0x894f', 'decap(),decap(),output:2');
  const nsh = packet({ inPort: 1, type: 0x894f }).set(KEY.nsh_np, 3).set(KEY.nsh_mdtype, 1);
  const out = run(state, tcp, noEffects, { key: nsh });
  assert.match(formatActions(out.actions), /^pop_eth,pop_nsh\(\),recirc\(0x[0-9a-f]+\)$/);
});

test('what labels hide is not asked for', () => {
  const state = bridge();
  addFlow(state, 'ip', 'push_mpls:0x8847,output:2');
  assert.ok(run(state).match.mask.isZero(KEY.nw_proto));
});

const frozen: FrozenState = {
  bridge: 'br0',
  tableId: 0,
  ruleCookie: 0n,
  inPort: 1,
  pipeline: new Uint8Array(8),
  tunnel: new Uint8Array(0),
  stack: [],
  isConntracked: false,
  actions: [],
  actionSet: [],
  userdata: new Uint8Array(0),
};

test('equal states share an id; an id lives as long as somebody holds it', () => {
  const table = new RecircTable();
  const id = table.intern(frozen);
  assert.equal(table.intern({ ...frozen, pipeline: new Uint8Array(8) }), id);
  assert.notEqual(table.intern({ ...frozen, tableId: 1 }), id);
  assert.notEqual(table.intern({ ...frozen, userdata: Uint8Array.of(1) }), id);
  table.hold(id);
  table.hold(id);
  table.release(id);
  assert.deepEqual(table.get(id), frozen);
  table.release(id);
  assert.equal(table.get(id), null);
  table.release(id);
  assert.notEqual(table.intern(frozen), id);
});

test('--ct-next takes states that a connection can be in', () => {
  const read = (text: string): number | string => {
    const result = parseCtNext(text);
    return result.ok ? result.value : result.error;
  };
  assert.equal(read('trk,new'), 0x21);
  assert.equal(read('trk,est,rpl'), 0x2a);
  assert.equal(read('bogus'), 'bogus: unknown connection tracking state flag');
  assert.equal(read('new'), 'new: invalid connection state: If "trk" is unset, no other flags are set');
  assert.equal(read('trk,new,est'), 'new|est|trk: invalid connection state: "new" and "est" are mutually exclusive');
  assert.equal(
    read('trk,inv,new'),
    'new|inv|trk: invalid connection state: when "inv" is set, only "trk" may also be set',
  );
});
