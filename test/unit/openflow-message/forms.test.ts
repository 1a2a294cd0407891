// Flows in Nicira's form, and replies that are longer than a message.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noNames, parseFlowMod } from '../../../src/cli/ofctl/flow-text.ts';
import { encodeNxm } from '../../../src/openflow/match.ts';
import type { OfFlowStats } from '../../../src/openflow/message/flow-stats.ts';
import { decodeMessage, encodeMessage } from '../../../src/openflow/message/message.ts';
import { encodeMultipart } from '../../../src/openflow/message/multipart.ts';

const nxm = { isNxm: true, hasTableId: true };

function modOf(text: string) {
  const read = parseFlowMod(text, null, noNames);
  assert.ok(read.ok, text);
  return read.value.value;
}

test('a flow-mod in NXM keeps table, cookie mask and what the standard form cannot match', () => {
  const mod = modOf('delete table=7,cookie=0x12/0xff,reg0=5,out_port=3');
  const bytes = encodeMessage(mod, 1, 9, 0, nxm)!;
  const again = decodeMessage(bytes, { hasTableId: true });
  assert.ok(again.ok && again.value.message.kind === 'flow_mod');
  const { message, header } = again.value;
  assert.equal(header.spec.raw, 'NXT_FLOW_MOD');
  assert.deepEqual([message.table, message.cookie, message.cookieMask], [7, 0x12n, 0xffn]);
  assert.deepEqual(encodeNxm(message.match), encodeNxm(mod.match));
  assert.deepEqual([message.outPort, message.command], [3, 'delete']);
});

test('without a table in the command its high byte is no command', () => {
  const bytes = encodeMessage(modOf('table=7,actions=drop'), 1, 9, 0, { isNxm: false, hasTableId: true })!;
  const read = decodeMessage(bytes);
  assert.equal(read.ok, false);
  assert.equal(!read.ok && read.error.name, 'OFPFMFC_BAD_COMMAND');
});

function flowNumber(i: number): OfFlowStats {
  const { match, actions } = modOf(`priority=${i % 65536},in_port=${1 + (i % 1000)},actions=output:2`);
  return {
    table: 0,
    match,
    actions,
    priority: i % 65536,
    cookie: BigInt(i),
    seconds: 1,
    nanoseconds: 0,
    idleTimeout: 0,
    hardTimeout: 0,
    idleAge: null,
    hardAge: null,
    importance: 0,
    flags: [],
    packets: 0n,
    bytes: 0n,
  };
}

test('a long reply is cut between its flows, in every version and form', () => {
  const flows = Array.from({ length: 1500 }, (_, i) => flowNumber(i));
  for (const [version, form] of [
    [1, nxm],
    [1, undefined],
    [3, undefined],
    [6, undefined],
  ] as const) {
    const messages = encodeMultipart({ kind: 'flow_stats_reply', flows }, version, 5, form);
    assert.ok(messages.length > 1);
    const cookies = messages.flatMap((bytes, i) => {
      const read = decodeMessage(bytes);
      assert.ok(read.ok && read.value.message.kind === 'flow_stats_reply');
      assert.equal(read.value.header.flags, i < messages.length - 1 ? 1 : 0);
      return read.value.message.flows.map((flow) => Number(flow.cookie));
    });
    assert.deepEqual(
      cookies,
      flows.map((_, i) => i),
    );
  }
});

test('a reply of nothing is one message; a version without the kind has none', () => {
  assert.equal(encodeMultipart({ kind: 'flow_stats_reply', flows: [] }, 4, 1).length, 1);
  assert.equal(encodeMultipart({ kind: 'table_desc_reply', tables: [] }, 1, 1).length, 0);
});
