import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY } from '../../../src/flow/key.ts';
import { formatActions } from '../../../src/flow/odp/format.ts';
import { RecircTable } from '../../../src/ofproto/recircs.ts';
import { noEffects } from '../../../src/translate/effects.ts';
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
