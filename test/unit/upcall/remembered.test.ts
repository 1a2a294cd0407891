/** What is remembered of megaflows: packed keys, shared lists, and actions that the datapath can take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeActions } from '../../../src/datapath/actions.ts';
import { FlowKey, KEY } from '../../../src/flow/key.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import { ACTIONS_SIZE_MAX } from '../../../src/gen/limits.ts';
import { Random } from '../../../src/lib/random.ts';
import { encodeInstalled, namesPort } from '../../../src/upcall/installed.ts';
import { Interner } from '../../../src/upcall/interner.ts';
import { coversMask, isPackedFrom, packKey, unpackKey } from '../../../src/upcall/packed-key.ts';

const SEED = Number(process.env.WEFT_SEED ?? 5);

test('a packed key is the key', () => {
  const random = new Random(SEED);
  const into = new FlowKey();
  for (let n = 0; n < 300; n++) {
    const key = new FlowKey();
    for (let i = random.below(8); i > 0; i--) key.bytes[random.below(key.bytes.length)] = random.below(256);
    const packed = packKey(key);
    assert.ok(unpackKey(packed, into).equals(key), `seed ${SEED}, key ${n}`);
    assert.ok(isPackedFrom(packed, key) && coversMask(packed, key));
    const at = random.below(key.bytes.length);
    const bit = 1 << random.below(8);
    const more = key.clone();
    more.bytes[at]! ^= bit;
    assert.equal(isPackedFrom(packed, more), false);
    assert.equal(coversMask(packed, more), (key.bytes[at]! & bit) !== 0);
  }
  assert.equal(packKey(new FlowKey().set(KEY.in_port, 1)).length, 6);
});

test('equal lists become one object', () => {
  const interner = new Interner<Uint8Array>();
  const first = interner.intern(Uint8Array.of(1, 2));
  assert.equal(interner.intern(Uint8Array.of(1, 2)), first);
  assert.notEqual(interner.intern(Uint8Array.of(2, 1)), first);
  for (let i = 0; i < 5000; i++) interner.intern(Uint8Array.of(3, i >> 8, i & 0xff));
  assert.deepEqual(interner.intern(Uint8Array.of(1, 2)), first, 'it began anew in between');
});

test('a list that the datapath would refuse is a drop that says so', () => {
  const outputs = (count: number): DpAction[] =>
    Array.from({ length: count }, (_, port) => ({ type: 'output', port }) as const);
  const most = ACTIONS_SIZE_MAX / 8;
  assert.equal(encodeInstalled({ actions: outputs(most), drop: 'none', slowPath: 0 }).length, ACTIONS_SIZE_MAX);
  for (const actions of [outputs(most + 1), [{ type: 'clone', actions: outputs(10 * most) } as const]])
    assert.deepEqual(decodeActions(encodeInstalled({ actions, drop: 'none', slowPath: 0 })), [
      { type: 'drop', reason: 'actions_too_long' },
    ]);
  assert.deepEqual(decodeActions(encodeInstalled({ actions: [], drop: 'table_miss', slowPath: 0 })), [
    { type: 'drop', reason: 'table_miss' },
  ]);
});

test('ports are found wherever they stand in actions', () => {
  const output: DpAction = { type: 'output', port: 7 };
  const header = { type: 'vxlan', bytes: new Uint8Array(50), l3Offset: 14 } as const;
  const userspace = { type: 'userspace', reason: 'action', pid: 0, userdata: new Uint8Array(0) } as const;
  const named: readonly DpAction[] = [
    output,
    { type: 'tnl_pop', port: 7 },
    { type: 'tnl_push', tunnelPort: 7, outPort: 1, header },
    { type: 'tnl_push', tunnelPort: 1, outPort: 7, header },
    { type: 'clone', actions: [{ type: 'sample', probability: 1, actions: [output] }] },
    { type: 'check_pkt_len', maxLen: 1, greater: [], lessEqual: [output] },
    { ...userspace, tunnelOutPort: 7, withActions: false },
  ];
  for (const action of named) {
    assert.ok(namesPort([{ type: 'pop_vlan' }, action], 7), action.type);
    assert.equal(namesPort([action], 8), false, action.type);
  }
});
