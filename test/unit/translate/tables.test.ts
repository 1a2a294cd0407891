/** Tables: what is credited, how far a packet may go, and why it is dropped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatActions } from '../../../src/flow/odp/format.ts';
import type { SwitchState } from '../../../src/ofproto/index.ts';
import { noEffects } from '../../../src/translate/effects.ts';
import type { XlateOut } from '../../../src/translate/types.ts';
import { flowMod } from '../../support/flow-mods.ts';
import { buildState, packet, xlate } from './fixture.ts';

function withFlows(...flows: readonly string[]): SwitchState {
  const ports = [1, 2, 3].map((dp) => ({ name: `p${dp}`, dp }));
  const state = buildState({ name: 'br0', local: 100, failMode: 'secure', ports });
  const { tables } = state.bridges.get('br0')!.ofproto;
  for (const flow of flows) assert.ok(tables.execute(flowMod(flow), 0).ok, flow);
  return state;
}

const KEY_OF_PACKET = packet({ inPort: 1, proto: 6, ttl: 64, ipSrc: '10.0.0.1', ipDst: '10.0.0.2' });
const outOf = (...flows: readonly string[]): XlateOut => xlate(withFlows(...flows), KEY_OF_PACKET);

test('every table that is entered is credited, and every rule that is hit', () => {
  const state = withFlows('actions=resubmit(,1),resubmit(,2),2', 'table=1,tcp,cookie=7,actions=3');
  const credits: string[] = [];
  xlate(state, KEY_OF_PACKET, 0, {
    ...noEffects,
    creditTable: (_, table, isMatch) => credits.push(`table ${table} ${isMatch}`),
    creditRule: (_, { tableId, cookie }) => credits.push(`rule ${tableId} ${cookie}`),
  });
  assert.deepEqual(credits, ['table 0 true', 'rule 0 0', 'table 1 true', 'rule 1 7', 'table 2 false']);
});

test('lookups are counted', () => {
  assert.equal(outOf('actions=resubmit(,1),2', 'table=1,actions=3').lookups, 2);
  assert.equal(outOf('actions=drop').lookups, 1);
});

const limits: readonly (readonly [error: string, drop: string, ...flows: string[]])[] = [
  ['recursion', 'recursion', 'actions=2,resubmit(,0)'],
  [
    'resubmits',
    'resubmits',
    ...Array.from({ length: 13 }, (_, i) => `table=${i},actions=resubmit(,${i + 1}),resubmit(,${i + 1})`),
  ],
  [
    'stack_too_deep',
    'action_depth',
    `actions=${'resubmit(,1),'.repeat(60)}2`,
    `table=1,actions=${'push:NXM_NX_XXREG0[],'.repeat(80)}set_queue:1`,
  ],
  ['too_many_mpls_labels', 'action_invalid', `actions=2,${'push_mpls:0x8847,'.repeat(4)}3`],
  ['unsupported_packet_type', 'action_invalid', 'actions=2,decap,decap,3'],
];
for (const [error, drop, ...flows] of limits) {
  test(`a packet that goes too far is dropped, what has been sent included: ${error}`, () => {
    const out = outOf(...flows);
    assert.deepEqual([out.error, out.drop, out.actions.length], [error, drop, 0]);
  });
}

const drops: readonly (readonly [drop: string, actions: string])[] = [
  ['no_output', 'drop'],
  ['own_port_only', 'output:1'],
  ['output_no_port', 'output:9'],
  ['table_miss', 'resubmit(,5)'],
];
for (const [drop, actions] of drops) {
  test(`dropped: ${actions}`, () => assert.equal(outOf(`actions=${actions}`).drop, drop));
}

test('what the datapath cannot do alone goes through userspace', () => {
  assert.equal(outOf('tcp,actions=2').slowPath, 0);
  const arp = packet({ inPort: 1, type: 0x0806, proto: 1, ipSrc: '10.0.0.1', ipDst: '10.0.0.2' });
  const out = xlate(withFlows('arp,actions=set_field:2->arp_op,2'), arp);
  assert.equal(out.slowPath, 1 << 5);
  assert.equal(formatActions(out.actions), 'set(arp(op=2)),2');
});
