import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY } from '../../../src/flow/key.ts';
import { formatActions } from '../../../src/flow/odp/format.ts';
import { noEffects } from '../../../src/translate/effects.ts';
import type { Effects } from '../../../src/translate/types.ts';
import { packet } from '../translate/fixture.ts';
import { addFlow, addGroup, bridge, run, type TestBucket, tcp } from './fixture.ts';

const outputs: readonly TestBucket[] = [{ actions: 'output:2' }, { actions: 'output:3' }];

test('a group that is not there ends the list', () => {
  const state = bridge();
  addFlow(state, '', 'output:2,group:9,output:3');
  const out = run(state);
  assert.equal(formatActions(out.actions), '2');
  assert.ok(out.texts.includes('output to nonexistent group 9'));
  assert.equal(out.error, 'none');
});

test('a group that leads to itself ends at the depth limit, and nothing goes out', () => {
  const state = bridge();
  addGroup(state, 1, 'all', [{ actions: 'output:2' }, { actions: 'group:1' }]);
  addFlow(state, '', 'group:1');
  const out = run(state);
  assert.equal(out.error, 'recursion');
  assert.deepEqual(out.actions, []);
  assert.equal(out.drop, 'recursion');
});

test('groups that multiply end at the limit of buckets', () => {
  const state = bridge();
  for (let id = 1; id <= 30; id++) {
    const actions = id === 30 ? 'output:2' : `group:${id + 1}`;
    addGroup(state, id, 'all', [{ actions }, { actions }]);
  }
  addFlow(state, '', 'group:1');
  assert.equal(run(state).error, 'resubmits');
});

test('groups and buckets are credited, each once', () => {
  const state = bridge();
  addGroup(state, 1, 'all', outputs);
  addGroup(state, 2, 'fast_failover', [
    { watchPort: 9, actions: 'output:2' },
    { watchPort: 3, actions: 'group:1' },
  ]);
  addFlow(state, '', 'group:2');
  const credits: string[] = [];
  const effects: Effects = { ...noEffects, creditGroup: (b, id, bucket) => credits.push(`${b} ${id} ${bucket}`) };
  assert.equal(formatActions(run(state, tcp, effects).actions), '2,3');
  assert.deepEqual(credits.sort(), ['br0 1 0', 'br0 1 1', 'br0 1 null', 'br0 2 1', 'br0 2 null']);
});

test('a bucket leaves nothing of its changes behind, and the next one starts afresh', () => {
  const state = bridge();
  addGroup(state, 1, 'all', [{ actions: 'set_field:5->reg0,mod_nw_tos:4,output:2' }, { actions: 'resubmit(,1)' }]);
  addFlow(state, 'ip', 'group:1,output:4');
  addFlow(state, 'table=1,reg0=0', 'output:3');
  assert.equal(formatActions(run(state).actions), 'set(ipv4(tos=0x4/0xfc)),2,set(ipv4(tos=0/0xfc)),3,4');
});

test('groups that watch each other in a circle are dead', () => {
  const state = bridge();
  addGroup(state, 1, 'fast_failover', [{ watchGroup: 2, actions: 'output:2' }]);
  addGroup(state, 2, 'fast_failover', [{ watchGroup: 1, actions: 'output:3' }]);
  addFlow(state, '', 'group:1');
  const out = run(state);
  assert.deepEqual(out.actions, []);
  assert.ok(out.texts.includes('no live bucket'));
});

test('a select group fetches a hash, and then looks at no more of it than it needs', () => {
  const state = bridge();
  addGroup(state, 1, 'select', outputs);
  addFlow(state, '', 'group:1,output:4', 7n);
  const first = run(state);
  const [id] = first.recircIds;
  assert.equal(formatActions(first.actions), `hash(sym_l4(0)),recirc(0x${id!.toString(16)})`);
  state.recircs.hold(id!);
  const chosen = new Set<string>();
  for (let hash = 1; hash <= 16; hash++) {
    const key = packet(tcp)
      .set(KEY.recirc_id, id!)
      .set(KEY.dp_hash, hash + 32);
    const out = run(state, tcp, noEffects, { key });
    assert.equal(out.wildcards.get(KEY.dp_hash), 15);
    chosen.add(formatActions(out.actions));
  }
  assert.deepEqual([...chosen].sort(), ['2,4', '3,4']);
});
