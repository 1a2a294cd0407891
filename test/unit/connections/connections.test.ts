// Connections without sockets: what each kind hears and may do, limits of what waits, and nothing that breaks them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY, PipelineKey } from '../../../src/flow/key.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { decodeContinuation, encodeContinuation } from '../../../src/ofproto/connections/continuation.ts';
import { PacketScheduler } from '../../../src/ofproto/connections/packet-scheduler.ts';
import type { OfRequestHandler } from '../../../src/ofproto/connections/types.ts';
import { parseActions } from '../../../src/openflow/action/index.ts';
import { segmentMultipart } from '../../../src/openflow/connection/multipart.ts';
import { versionsText } from '../../../src/openflow/connection/session.ts';
import { parseMatch } from '../../../src/openflow/match-text.ts';
import type { OfMessage } from '../../../src/openflow/message/families.ts';
import type { FlowModMessage } from '../../../src/openflow/message/flow-mod.ts';
import { decodeMessage, encodeMessage } from '../../../src/openflow/message/message.ts';
import { ofMessages } from '../../../src/spec/of-messages.ts';
import type { PacketInView } from '../../../src/translate/types.ts';
import { type Peer, TestSwitch } from './support.ts';

const flow = (
  command: FlowModMessage['command'],
  match: string,
  more: Partial<FlowModMessage> = {},
): FlowModMessage => ({
  kind: 'flow_mod',
  command,
  table: 0,
  match: must(parseMatch(match)),
  priority: 7,
  cookie: 0n,
  cookieMask: 0n,
  newCookie: 0n,
  idleTimeout: 0,
  hardTimeout: 0,
  importance: 0,
  buffer: 0xffffffff,
  outPort: 0xffff,
  outGroup: 0xffffffff,
  flags: [],
  actions: [],
  ...more,
});

const packet = (more: Partial<PacketInView> = {}): PacketInView => ({
  reason: 1,
  tableId: 0,
  cookie: 0n,
  controllerId: 0,
  maxLen: 0xffff,
  flow: new PipelineKey().set(KEY.in_port, 1) as PipelineKey,
  frame: new Uint8Array(60),
  userdata: new Uint8Array(0),
  continuation: null,
  ...more,
});

const role = (name: 'primary' | 'secondary' | 'equal', generationId: bigint): OfMessage => ({
  kind: 'role_request',
  role: name,
  generationId,
});

const open = (bundle: number): OfMessage => ({ kind: 'bundle_control', bundle, type: 'open_request', flags: 0 });
const commit = (bundle: number): OfMessage => ({ kind: 'bundle_control', bundle, type: 'commit_request', flags: 0 });

/** Puts a message into a bundle. */
function add(peer: Peer, bundle: number, message: OfMessage, xid = 7): void {
  const inner = encodeMessage(message, peer.version, xid)!;
  peer.receive(encodeMessage({ kind: 'bundle_add', bundle, flags: 0, inner }, peer.version, xid)!);
}

test('primaries hear what their version has by default, services nothing, secondaries of ports only', () => {
  const bed = new TestSwitch();
  const peers = [
    bed.connect(1),
    bed.connect(4),
    bed.connect(5, { kind: 'service' }),
    bed.connect(6),
    bed.connect(5, { asyncMessages: false }),
  ];
  peers[3]!.ask(role('secondary', 1n));
  bed.manager.packetIn(packet(), bed.clock.now());
  bed.manager.packetIn(packet({ reason: 2 }), bed.clock.now());
  bed.manager.packetIn(packet({ reason: 7 }), bed.clock.now());
  bed.bridge.addPort({ name: 'p1', kind: 'device', dpPort: 1, mac: new Uint8Array(6) });
  assert.deepEqual(
    peers.map((peer) => peer.kinds()),
    [
      ['packet_in', 'packet_in', 'port_status'],
      ['packet_in', 'port_status', 'port_status'],
      [],
      ['port_status', 'port_status'],
      [],
    ],
  );
  assert.equal(bed.manager.wantsPacketInOnMiss, true);
  peers[4]!.ask({ kind: 'set_async', masks: { packet_in: { primary: 4, secondary: 0 } } });
  bed.manager.packetIn(packet({ reason: 2 }), bed.clock.now());
  assert.deepEqual(peers[4]!.kinds(), ['packet_in']);
});

test('a port-mod is told to its sender from OpenFlow 1.5 on', () => {
  const bed = new TestSwitch();
  bed.bridge.addPort({ name: 'p1', kind: 'device', dpPort: 1, mac: new Uint8Array(6) });
  const [old, young] = [bed.connect(5), bed.connect(6)];
  bed.bridge.setPortConfig('p1', 1, 1, old.connection);
  // The change of the bit, and then of the link
  const twice = ['port_status', 'port_status'];
  assert.deepEqual([old.kinds(), young.kinds()], [[], twice]);
  bed.bridge.setPortConfig('p1', 0, 1, young.connection);
  assert.deepEqual([old.kinds(), young.kinds()], [twice, twice]);
});

test('packet-ins go to the controller with the id, and no more of them wait than may', () => {
  const bed = new TestSwitch();
  const [plain, third] = [bed.connect(4), bed.connect(4, { queueSize: 3 })];
  third.ask({ kind: 'set_controller_id', value: 3 });
  for (let i = 0; i < 5; i++) bed.manager.packetIn(packet({ controllerId: 3 }), bed.clock.now());
  assert.deepEqual(plain.kinds(), []);
  assert.equal(third.kinds().length, 3);
  assert.equal(third.connection.counters.packetInsDropped, 2);
});

test('the rate of packet-ins: a burst goes, then so many a second, ports in turn; the longest queue loses', () => {
  const bed = new TestSwitch();
  const peer = bed.connect(4, { rateLimit: 10, burstLimit: 4 });
  const send = (port: number): void =>
    bed.manager.packetIn(
      packet({ flow: new PipelineKey().set(KEY.in_port, port) as PipelineKey, cookie: BigInt(port) }),
      bed.clock.now(),
    );
  for (let i = 0; i < 10; i++) send(1);
  send(2);
  assert.equal(peer.kinds().length, 4);
  const { action, miss } = peer.connection.schedulers!;
  assert.deepEqual(action.counters, { backlog: 4, bypassed: 4, queued: 7, dropped: 3 });
  assert.deepEqual(miss.counters, { backlog: 0, bypassed: 0, queued: 0, dropped: 0 });
  assert.equal(bed.manager.wakeAt()! - bed.clock.now(), 100_000);
  const cookies: bigint[] = [];
  for (let turn = 0; turn < 4; turn++) {
    bed.warp(100);
    for (const message of peer.messages()) if (message.kind === 'packet_in') cookies.push(message.cookie!);
  }
  assert.deepEqual(cookies, [1n, 2n, 1n, 1n]);
});

test('a scheduler whose limits shrink drops what is too much', () => {
  const scheduler = new PacketScheduler(10, 8);
  for (let i = 0; i < 16; i++) scheduler.send(1, new Uint8Array(1), 0);
  scheduler.configure(10, 2);
  assert.deepEqual(scheduler.counters, { backlog: 2, bypassed: 8, queued: 8, dropped: 6 });
  assert.equal(scheduler.run(0).length, 0);
  assert.equal(scheduler.run(1_000_000).length, 2);
  assert.equal(scheduler.wakeAt(), null);
});

test('flow-removed: counts, duration and reason; Nicira form when NXM was asked for', () => {
  const bed = new TestSwitch();
  const [one, other] = [bed.connect(1), bed.connect(6)];
  one.ask({ kind: 'set_flow_format', value: 2 });
  assert.deepEqual(one.ask({ kind: 'set_flow_format', value: 1 }), ['OFPBRC_EPERM']);
  const flags = ['send_flow_rem'] as const;
  other.send(flow('add', 'in_port=1', { table: 3, hardTimeout: 2, newCookie: 9n, flags }));
  bed.warp(2500);
  const removed = [one, other].flatMap((peer) => peer.messages());
  for (const message of removed) {
    assert.ok(message.kind === 'flow_removed');
    const { reason, table, cookie, seconds, nanoseconds, priority } = message;
    assert.deepEqual([reason, table, cookie, seconds, nanoseconds, priority], [1, 3, 9n, 2, 500_000_000, 7]);
  }
  assert.equal(removed.length, 2);
});

test('asynchronous messages beyond the limit are dropped and counted, answers are not', () => {
  const bed = new TestSwitch();
  const peer = bed.connect(5);
  const message: OfMessage = { kind: 'echo_request', data: new Uint8Array(60_000) };
  const count = 400;
  let told = 0;
  for (let i = 0; i < count; i++) if (peer.connection.tell(message)) told++;
  assert.equal(told, Math.floor((16 * 1024 * 1024) / 60_008));
  assert.equal(peer.connection.counters.asyncDropped, count - told);
  peer.send({ kind: 'barrier_request' });
  const kinds = peer.kinds();
  assert.deepEqual([kinds.length, kinds.at(-1)], [told + 1, 'barrier_reply']);
});

test('one primary: the other is demoted and told so; an old generation is stale', () => {
  const bed = new TestSwitch();
  const [a, b] = [bed.connect(4), bed.connect(5)];
  assert.deepEqual(a.ask(role('primary', 5n)), ['role_reply']);
  assert.deepEqual(b.ask(role('primary', 4n)), ['OFPRRFC_STALE']);
  assert.deepEqual(b.ask(role('primary', 5n)), ['role_reply']);
  const [told] = a.messages();
  assert.ok(told?.kind === 'role_status' && told.role === 'secondary' && told.generationId === 5n && told.reason === 0);
  assert.deepEqual(a.ask(flow('add', '')), ['OFPBRC_IS_SECONDARY']);
  assert.deepEqual(a.ask({ kind: 'barrier_request' }), ['barrier_reply']);
  assert.deepEqual(a.ask(role('equal', 0n)), ['role_reply']);
  assert.deepEqual(a.ask(flow('add', '')), []);
});

test('a bundle fails as a whole: the message that failed, then the commit', () => {
  const bed = new TestSwitch();
  const peer = bed.connect(5);
  peer.ask(open(1));
  add(peer, 1, flow('add', 'in_port=1'));
  add(peer, 1, flow('add', 'in_port=1', { flags: ['check_overlap'], priority: 7, match: must(parseMatch('tcp')) }), 8);
  assert.deepEqual(peer.kinds(), []);
  peer.send(commit(1));
  const bytes = peer.bytes().map((message) => must(decodeMessage(message)));
  assert.deepEqual(
    bytes.map(({ header, message }) => [header.xid === 8, message.kind === 'error' ? message.error : message.kind]),
    [
      [true, 'OFPFMFC_OVERLAP'],
      [false, 'OFPBFC_MSG_FAILED'],
    ],
  );
  assert.equal(bed.bridge.ofproto.tables.table(0)!.flowCount, 0);
  assert.deepEqual(peer.ask(commit(1)), ['OFPBFC_BAD_ID']);
  peer.ask(open(2));
  add(peer, 2, flow('add', 'in_port=1'));
  assert.deepEqual(peer.ask(commit(2)), ['bundle_control']);
  assert.equal(bed.bridge.ofproto.tables.table(0)!.flowCount, 1);
});

test('bundles that nobody uses end after ten seconds, and there are not more than a limit', () => {
  const bed = new TestSwitch();
  const peer = bed.connect(6);
  peer.ask(open(1));
  bed.warp(9999);
  assert.deepEqual(peer.kinds(), ['echo_request']);
  peer.receive(encodeMessage({ kind: 'echo_reply', data: new Uint8Array(0) }, 6, 0)!);
  bed.warp(1);
  assert.deepEqual(peer.kinds(), ['OFPBFC_TIMEOUT']);
  assert.equal(peer.connection.bundles.count, 0);
  for (let i = 0; i < 1024; i++) assert.deepEqual(peer.ask(open(i)), ['bundle_control']);
  assert.deepEqual(peer.ask(open(5000)), ['OFPBFC_OUT_OF_BUNDLES']);
});

test('flow monitors pause when too much waits, tell of removals of what was known, and catch up', () => {
  const bed = new TestSwitch();
  const [watcher, worker] = [bed.connect(5), bed.connect(5)];
  const monitor = (id: number, command: 'add' | 'delete'): OfMessage => ({
    kind: 'flow_monitor_request',
    monitors: [
      {
        id,
        command,
        flags: ['add', 'delete', 'modify', 'actions'],
        outPort: 0xffff,
        outGroup: 0xffffffff,
        table: 0xff,
        match: must(parseMatch('')),
      },
    ],
  });
  watcher.ask(monitor(1, 'add'));
  const many = 3000;
  for (let i = 0; i < many; i++) worker.send(flow('add', `in_port=${i + 1}`));
  for (const i of [0, many - 1]) worker.send(flow('delete', `in_port=${i + 1}`));
  worker.send(flow('modify', 'in_port=2', { actions: must(parseActions('output:1')) }));
  const events = (): string[] =>
    watcher.messages().flatMap((m) => (m.kind === 'flow_monitor_reply' ? m.updates.map(({ event }) => event) : []));
  const before = events();
  const told = before.indexOf('paused');
  assert.ok(told > 1000 && told < many);
  assert.deepEqual(before.slice(told), ['paused', 'deleted']);
  bed.run();
  const after = events();
  assert.deepEqual(
    [after.filter((e) => e === 'added').length, after.filter((e) => e === 'modified').length, after.at(-1)],
    [many - 1 - told, 1, 'resumed'],
  );
  assert.deepEqual(watcher.ask(monitor(2, 'delete')), ['OFPMOFC_UNKNOWN_MONITOR']);
  watcher.ask(monitor(1, 'delete'));
  worker.send(flow('delete', ''));
  assert.deepEqual(events(), []);
});

test('a continuation comes back as it went', () => {
  const state = {
    bridge: 'br0',
    tableId: 2,
    ruleCookie: 3n,
    inPort: 1,
    pipeline: new Uint8Array(0),
    tunnel: new Uint8Array(0),
    stack: [Uint8Array.of(1, 2), Uint8Array.of(3)],
    isConntracked: true,
    actions: [
      ...must(parseActions('output:2')),
      { type: 'unroll', tableId: 4, ruleCookie: 9n } as const,
      ...must(parseActions('output:3')),
    ],
    actionSet: must(parseActions('output:4')),
    userdata: new Uint8Array(0),
  };
  for (const version of [1, 4, 6] as const) {
    const bytes = encodeContinuation(state, version, 7);
    const { stack, isConntracked, actions, actionSet, bridgeUuid } = must(decodeContinuation(bytes, version));
    assert.deepEqual(
      { stack, isConntracked, actionSet },
      { stack: state.stack, isConntracked: true, actionSet: state.actionSet },
    );
    assert.deepEqual(
      actions.map(({ type }) => type),
      // What comes first is the packet-in's own rule's: table 0, cookie 0
      ['unroll', 'output', 'unroll', 'output'],
    );
    assert.equal(bridgeUuid?.length, 16);
    for (let cut = 1; cut < bytes.length; cut++) decodeContinuation(bytes.subarray(0, cut), version);
  }
});

test('a request in pieces larger than may wait is refused', () => {
  const bed = new TestSwitch();
  const peer = bed.connect(4);
  const request = encodeMessage({ kind: 'table_features_request', tables: [] } as never, 4, 5)!;
  const records = Array.from({ length: 80 }, () => new Uint8Array(64 * 1000));
  const kinds = segmentMultipart(request, records).flatMap((piece) => {
    peer.receive(piece);
    return peer.kinds();
  });
  assert.equal(kinds[0], 'OFPBRC_MULTIPART_BUFFER_OVERFLOW');
});

test('requests wait while a hundred answers do, and go on when they have gone', () => {
  const bed = new TestSwitch();
  const peer = bed.connect(4);
  for (let i = 0; i < 500; i++) peer.send({ kind: 'barrier_request' });
  assert.equal(peer.connection.waiting('reply').messages, 100);
  assert.equal(peer.connection.wantsInput, false);
  let count = 0;
  for (let turn = 0; turn < 6; turn++) count += peer.kinds().length;
  assert.equal(count, 500);
  assert.equal(peer.connection.wantsInput, true);
});

test('a table that is nearly full is told to who wants it', () => {
  const bed = new TestSwitch();
  const peer = bed.connect(5);
  const desc = {
    table: 1,
    eviction: false,
    evictionFlags: null,
    vacancy: { down: 10, up: 20, now: 5 },
    miss: 'default',
  } as const;
  bed.manager.tableStatus('vacancy_down', desc);
  assert.deepEqual(peer.kinds(), []);
  peer.ask({ kind: 'set_async', masks: { table_status: { primary: 8, secondary: 0 } } });
  bed.manager.tableStatus('vacancy_down', desc);
  bed.manager.tableStatus('vacancy_up', desc);
  assert.deepEqual(peer.kinds(), ['table_status']);
});

test('sets of versions in words', () => {
  assert.deepEqual([0, 0x10, 0x1e, 0x12, 0x7e].map(versionsText), [
    'no versions',
    'version 0x04',
    'version 0x04 and earlier',
    'versions 0x01, 0x04',
    'version 0x06 and earlier',
  ]);
});

test('whatever comes in, connections answer or end, and never throw', () => {
  const seed = Number(process.env.WEFT_SEED ?? 7);
  const random = new Random(seed);
  const quiet: OfRequestHandler = { handle: () => undefined, checkBundled: () => null, commitBundle: () => null };
  const rounds = process.env.WEFT_NIGHTLY ? 200_000 : 4000;
  let bed = new TestSwitch(quiet);
  let peers = ([1, 2, 3, 4, 5, 6] as const).map((version) => bed.connect(version));
  for (let round = 0; round < rounds; round++) {
    const peer = peers[random.below(peers.length)]!;
    const spec = ofMessages[random.below(ofMessages.length)]!;
    const size = spec.least + (spec.step === 0 ? 0 : spec.step * random.below(8));
    const body = Uint8Array.from(
      { length: Math.max(0, size + (random.below(10) === 0 ? random.below(5) - 2 : 0)) },
      () => (random.below(3) === 0 ? random.below(256) : random.below(4)),
    );
    const number = spec.experimenter === 0 ? spec.number : 0xffff;
    const head: number[] = [];
    if (spec.direction)
      head.push(number >> 8, number & 0xff, 0, random.below(2), ...(peer.version > 1 ? [0, 0, 0, 0] : []));
    if (spec.experimenter !== 0)
      for (const word of [spec.experimenter, spec.number])
        head.push((word >>> 24) & 0xff, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff);
    const type = spec.direction ? (peer.version === 1 ? 16 : 18) : spec.experimenter ? 4 : spec.number;
    const length = 8 + head.length + body.length;
    const bytes = [peer.version, type, length >> 8, length & 0xff, 0, 0, 0, random.below(8), ...head, ...body];
    try {
      peer.receive(Uint8Array.from(bytes));
      peer.bytes();
      if (random.below(50) === 0) bed.warp(random.below(3000));
    } catch (error) {
      throw new Error(`seed ${seed}, round ${round}, ${spec.raw}: ${Buffer.from(bytes).toString('hex')}`, {
        cause: error,
      });
    }
    if (round % 500 === 499) {
      bed = new TestSwitch(quiet);
      peers = ([1, 2, 3, 4, 5, 6] as const).map((version) => bed.connect(version));
    }
  }
});
