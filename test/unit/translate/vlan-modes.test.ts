/**
 * The matrix of VLAN modes, one table a packet: what comes in by port 1 in each mode, and what the others are given.
 * `a` is an access port of VLAN 10, `t` a trunk, `n` native-tagged 10, `u` native-untagged 10, `q` dot1q-tunnel 10.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VlanConfig } from '../../../src/translate/types.ts';
import { actionsOf, buildState, type TestPacket } from './fixture.ts';

const receivers = [
  { name: 'a', dp: 11, vlan: { mode: 'access', tag: 10 } },
  { name: 't', dp: 12, vlan: { mode: 'trunk' } },
  { name: 'n', dp: 13, vlan: { mode: 'native-tagged', tag: 10 } },
  { name: 'u', dp: 14, vlan: { mode: 'native-untagged', tag: 10 } },
  { name: 'q', dp: 15, vlan: { mode: 'dot1q-tunnel', tag: 10 } },
] as const;

function actions(ingress: Partial<VlanConfig>, tags: TestPacket['tags']): string {
  const ports = [{ name: 'in', dp: 1, vlan: ingress }, ...receivers];
  // The local port is an access port of a VLAN that nobody else is in: it stays out of the table
  const state = buildState({ name: 'br0', local: 100, ports });
  state.bridges.get('br0')!.setVlan('br0', { mode: 'access', tag: 4000 });
  return actionsOf(state, { inPort: 1, ...(tags ? { tags } : {}) });
}

interface Row {
  readonly ingress: Partial<VlanConfig>;
  readonly tags: TestPacket['tags'];
  readonly expect: string;
}

const access = { mode: 'access', tag: 10 } as const;
const trunk = { mode: 'trunk' } as const;
const trunk20 = { mode: 'trunk', trunks: new Set([20]) } as const;
const nativeTagged = { mode: 'native-tagged', tag: 10 } as const;
const nativeUntagged = { mode: 'native-untagged', tag: 10 } as const;
const tunnel = { mode: 'dot1q-tunnel', tag: 10, cvlans: new Set([5]) } as const;
const PUSH10 = 'push_vlan(vid=10,pcp=0)';

const rows: readonly Row[] = [
  { ingress: access, tags: [], expect: `11,${PUSH10},12,13,pop_vlan,14,15` },
  { ingress: access, tags: [[0x8100, 0, 5]], expect: 'pop_vlan,11,push_vlan(vid=10,pcp=5),12,13,pop_vlan,14,15' },
  { ingress: access, tags: [10], expect: 'drop' },
  { ingress: trunk, tags: [], expect: '12' },
  { ingress: trunk, tags: [10], expect: `pop_vlan,11,${PUSH10},12,13,pop_vlan,14,15` },
  { ingress: trunk, tags: [20], expect: '12,13,14' },
  { ingress: trunk20, tags: [20], expect: '12,13,14' },
  { ingress: trunk20, tags: [10], expect: 'drop' },
  { ingress: trunk20, tags: [], expect: 'drop' },
  { ingress: nativeTagged, tags: [], expect: `11,${PUSH10},12,13,pop_vlan,14,15` },
  { ingress: nativeUntagged, tags: [], expect: `11,${PUSH10},12,13,pop_vlan,14,15` },
  { ingress: nativeUntagged, tags: [20], expect: '12,13,14' },
  {
    ingress: tunnel,
    tags: [5],
    expect: 'push_vlan(tpid=0x88a8,vid=10,pcp=0),12,13,pop_vlan,14,15',
  },
  { ingress: tunnel, tags: [6], expect: 'drop' },
  { ingress: tunnel, tags: [], expect: 'drop' },
  // An access port takes no packet with a second tag
  { ingress: trunk, tags: [[0x88a8, 10, 0], 5], expect: '12,13,pop_vlan,14,15' },
];

for (const { ingress, tags, expect } of rows) {
  test(`${ingress.mode} port, tags ${JSON.stringify(tags)} → ${expect}`, () => {
    assert.equal(actions(ingress, tags), expect);
  });
}

test('a native VLAN is carried though the trunks leave it out, and VLAN 0 is not', () => {
  const ports = [
    { name: 'in', dp: 1, vlan: { mode: 'native-untagged', tag: 10, trunks: new Set([0, 20]) } },
    { name: 'u', dp: 2, vlan: { mode: 'trunk' } },
  ] as const;
  const state = buildState({ name: 'br0', local: 100, ports });
  assert.equal(actionsOf(state, { inPort: 2, tags: [10] }), '100,pop_vlan,1');
  assert.equal(actionsOf(state, { inPort: 2, tags: [] }), '100');
});

test('priority tags: never, if not zero, always', () => {
  const build = (priorityTags: VlanConfig['priorityTags']) =>
    buildState({
      name: 'br0',
      local: 100,
      ports: [
        { name: 'in', dp: 1 },
        { name: 'a', dp: 2, vlan: { mode: 'access', tag: 10, priorityTags } },
      ],
    });
  const sent = (mode: VlanConfig['priorityTags'], pcp: number): string =>
    actionsOf(build(mode), { inPort: 1, tags: [[0x8100, 10, pcp]] });
  assert.equal(sent('never', 5), '100,pop_vlan,2');
  assert.equal(sent('if-nonzero', 5), '100,pop_vlan,push_vlan(vid=0,pcp=5),2');
  assert.equal(sent('if-nonzero', 0), '100,pop_vlan,2');
  assert.equal(sent('always', 5), '100,pop_vlan,push_vlan(vid=0,pcp=5),2');
});
