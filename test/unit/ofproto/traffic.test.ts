import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { SECOND } from '../../../src/lib/clock.ts';
import { encodeContinuation } from '../../../src/ofproto/connections/continuation.ts';
import type { OfMessage } from '../../../src/openflow/message/families.ts';
import { inPortMatch } from '../../../src/openflow/message/packet-out.ts';
import type { PacketInView } from '../../../src/translate/types.ts';
import { actions, type Bed, flowMod, flows, makeBed } from './peer.ts';

/** TCP from 10.0.0.1 to 10.0.0.2, from host `from` to host `to`. */
const frame = (from: number, to: number, sourcePort = 1): Uint8Array =>
  Uint8Array.from(
    Buffer.from(
      `5054000000${hex(to)}5054000000${hex(from)}0800450000280000000040060000` +
        `0a0000010a000002${hex(sourcePort, 4)}00020000000000000000500000000000000000000000`,
      'hex',
    ),
  );
const hex = (value: number, digits = 2): string => value.toString(16).padStart(digits, '0');

let bed: Bed;
beforeEach(() => {
  bed = makeBed();
});

test('counts are those of the moment at which they are asked', () => {
  bed.ask(flowMod('in_port=1', 'output:2'));
  for (let i = 1; i <= 5; i++) {
    bed.inject(1, frame(1, 2));
    assert.deepEqual(flows(bed), [`0/100 n=${i} output:2`]);
  }
  bed.ask(flowMod('in_port=1', 'output:3'));
  assert.deepEqual(flows(bed), ['0/100 n=5 output:3'], 'a replaced rule hands its counts on');
  bed.inject(1, frame(1, 2));
  assert.deepEqual([bed.sent(2).length, bed.sent(3).length], [5, 1], 'the next packet sees the change');
  assert.deepEqual(flows(bed), ['0/100 n=6 output:3']);
  const table = bed.sw.ofproto('br0').state.tables.table(0)!;
  assert.deepEqual([table.lookups, table.matches], [6, 6]);
});

test('a removed rule is told with its last counts', () => {
  const told: string[] = [];
  bed.listen({
    flowsChanged: (changes) => told.push(...changes.map(({ kind, rule }) => `${kind} n=${rule.packets}`)),
  });
  bed.ask(flowMod('in_port=1', 'output:2', { idleTimeout: 3 }));
  for (let i = 0; i < 3; i++) bed.inject(1, frame(1, 2));
  bed.warp(2 * SECOND);
  bed.inject(1, frame(1, 2));
  bed.warp(2 * SECOND);
  assert.deepEqual(told, ['added n=0'], 'a packet keeps it alive');
  bed.warp(1.5 * SECOND);
  assert.deepEqual(told, ['added n=0', 'removed n=4']);
});

test('the wheel wakes for time-outs', () => {
  bed.ask(flowMod('in_port=1', 'output:2', { hardTimeout: 7 }));
  bed.warp(0);
  assert.ok(bed.sw.nextWake(bed.now)! <= bed.now + 7 * SECOND + 1);
  bed.warp(7 * SECOND);
  assert.equal(flows(bed).length, 1);
  bed.warp(1);
  assert.equal(flows(bed).length, 0);
});

test('learned flows come, stay while they are used, and go with the one that made them', () => {
  const learn = 'learn(table=1,delete_learned,cookie=0x99,idle_timeout=5,eth_type=0x800,nw_proto=6,NXM_OF_TCP_SRC[])';
  assert.deepEqual(bed.ask(flowMod('tcp', `${learn},output:3`)), []);
  for (const port of [1, 2, 2]) bed.inject(1, frame(1, 2, port));
  assert.equal(flows(bed).length, 3);
  bed.warp(4 * SECOND);
  bed.inject(1, frame(1, 2, 2));
  bed.ask(flowMod('tcp', '', { command: 'delete_strict' }));
  assert.deepEqual(flows(bed), []);
});

test('a limit keeps learned flows out', () => {
  bed.ask(flowMod('tcp', 'learn(table=1,limit=2,cookie=7,eth_type=0x800,nw_proto=6,NXM_OF_TCP_SRC[]),output:3'));
  for (let port = 1; port <= 4; port++) bed.inject(1, frame(1, 2, port));
  assert.equal(flows(bed).length, 3);
});

test('standalone forwards by NORMAL, with a rule that can be seen and deleted', () => {
  bed = makeBed('standalone');
  assert.deepEqual(flows(bed), ['0/0 n=0 output:65530']);
  bed.inject(1, frame(1, 2));
  assert.deepEqual([bed.sent(2).length, bed.sent(3).length], [1, 1]);
  bed.ask(flowMod('', '', { command: 'delete' }));
  bed.inject(1, frame(1, 2));
  assert.deepEqual([bed.sent(2).length, bed.sent(3).length], [0, 0]);
});

const packetOut = (text: string, settings: object = {}): OfMessage => ({
  kind: 'packet_out',
  buffer: 0xffffffff,
  metadata: inPortMatch(1),
  actions: actions(text),
  data: frame(1, 2),
  ...settings,
});

test('packet-outs go where they are sent; wrong ones nowhere', () => {
  assert.deepEqual(bed.ask(packetOut('output:2,output:3')), []);
  assert.deepEqual([bed.sent(1).length, bed.sent(2).length, bed.sent(3).length], [0, 1, 1]);
  bed.ask(packetOut('all', { metadata: inPortMatch(0xfffd) }));
  assert.deepEqual([bed.sent(1).length, bed.sent(2).length, bed.sent(3).length], [1, 1, 1]);
  bed.ask(flowMod('in_port=1', 'output:3'));
  bed.ask(packetOut('resubmit(,0)'));
  assert.deepEqual([bed.sent(2).length, bed.sent(3).length], [0, 1]);
  assert.deepEqual(flows(bed), ['0/100 n=1 output:3']);
  assert.deepEqual(bed.ask(packetOut('group:9')), ['OFPBAC_BAD_OUT_GROUP']);
  assert.deepEqual(bed.ask(packetOut('output:2', { buffer: 5, data: new Uint8Array(0) })), ['OFPBRC_BUFFER_UNKNOWN']);
  assert.deepEqual(bed.ask(packetOut('pop_mpls:0x0800')), ['OFPBAC_MATCH_INCONSISTENT']);
  assert.equal(bed.sw.audit().difference, 0);
});

test('packets for controllers reach them', () => {
  const seen: PacketInView[] = [];
  bed.listen({ packetIn: (packet) => seen.push(packet) });
  bed.ask(flowMod('in_port=1', 'controller(userdata=01.02),output:2', { newCookie: 5n }));
  bed.inject(1, frame(1, 2));
  bed.inject(1, frame(1, 2));
  assert.equal(seen.length, 2);
  assert.deepEqual([seen[0]!.cookie, seen[0]!.reason, seen[0]!.frame.length], [5n, 1, frame(1, 2).length]);
  assert.deepEqual([...seen[1]!.userdata], [1, 2]);
});

const resume = (continuation: Uint8Array): OfMessage => ({
  kind: 'resume',
  format: 'nxt_packet_in2',
  buffer: 0xffffffff,
  totalLength: 58,
  reason: 1,
  table: 0,
  cookie: 0n,
  metadata: inPortMatch(1),
  userdata: new Uint8Array(0),
  continuation,
  data: frame(1, 2),
});

test('a paused packet goes on when it comes back', () => {
  let continuation: Uint8Array | null = null;
  bed.listen({
    packetIn: ({ continuation: state }) => {
      continuation = state && encodeContinuation(state, 4);
    },
  });
  bed.ask(flowMod('in_port=1', 'controller(pause),resubmit(,4),output:2'));
  bed.ask(flowMod('', 'output:3', { table: 4 }));
  bed.inject(1, frame(1, 2));
  assert.ok(continuation, 'a controller has it');
  assert.deepEqual([bed.sent(2).length, bed.sent(3).length], [0, 0]);
  assert.deepEqual(bed.ask(resume(continuation)), []);
  assert.deepEqual([bed.sent(2).length, bed.sent(3).length], [1, 1]);
});

test('a continuation that is no bridge’s is stale', () => {
  assert.deepEqual(bed.ask(resume(new Uint8Array(0))), ['NXR_STALE']);
});

test('meters drop what is too much, and count', () => {
  const meter = { id: 1, flags: 2, bands: [{ type: 'drop', rate: 2, burst: 0, precedence: 0 }] } as const;
  assert.deepEqual(bed.ask({ kind: 'meter_mod', command: 'add', meter }), []);
  bed.ask(flowMod('in_port=1', 'meter:1,output:2'));
  for (let i = 0; i < 5; i++) bed.inject(1, frame(1, 2));
  assert.equal(bed.sent(2).length, 2);
  const [answer] = bed.ask({ kind: 'meter_stats_request', id: 1 });
  assert.ok(typeof answer === 'object' && answer.kind === 'meter_stats_reply');
  const [stats] = answer.stats;
  assert.deepEqual([stats!.flowCount, stats!.packets, stats!.bands[0]!.packets], [1, 5n, 3n]);
});

const group = (id: number, text: string): OfMessage => {
  const none = { id: null, weight: 0, watchPort: 0xffff, watchGroup: 0xffffffff };
  const buckets = [{ ...none, actions: actions(text) }];
  return { kind: 'group_mod', command: 'add', group: { id, type: 'all', buckets, selection: null }, commandBucket: 0 };
};

test('a bundle happens whole or not at all', () => {
  bed.ask(flowMod('in_port=3', 'output:1'));
  const good = [group(1, 'output:2'), flowMod('in_port=1', 'group:1'), packetOut('output:3')];
  assert.equal(bed.bundle(good), null);
  assert.deepEqual(flows(bed).length, 2);
  assert.equal(bed.sent(3).length, 1);
  const { state } = bed.sw.ofproto('br0');
  const before = [flows(bed), state.groups.groups.length];
  const remove = { ...group(1, 'drop'), command: 'delete' } as OfMessage;
  const failures: readonly (readonly [OfMessage[], string])[] = [
    [[flowMod('', '', { command: 'delete' }), flowMod('in_port=2', 'group:7')], 'OFPBAC_BAD_OUT_GROUP'],
    [[remove, flowMod('in_port=2', 'group:1')], 'OFPBAC_BAD_OUT_GROUP'],
    [[group(2, 'output:1'), group(2, 'output:1')], 'OFPGMFC_GROUP_EXISTS'],
    [[packetOut('output:3'), flowMod('', 'drop', { table: 254 })], 'OFPBRC_EPERM'],
    [[flowMod('in_port=2', 'drop'), packetOut('group:8')], 'OFPBAC_BAD_OUT_GROUP'],
  ];
  for (const [messages, error] of failures) {
    assert.equal(bed.bundle(messages), error);
    assert.deepEqual([flows(bed), state.groups.groups.length], before, error);
  }
  assert.equal(bed.sent(3).length, 0, 'no packet of a refused bundle goes out');
  assert.equal(bed.bundle([remove]), null);
  assert.deepEqual(flows(bed), ['0/100 n=0 output:1'], 'the group’s flow went with it');
});
