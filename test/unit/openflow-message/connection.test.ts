// One connection without I/O: versions, echo, silence, waits between attempts, multipart messages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../../../src/lib/clock.ts';
import { MultipartReassembler, segmentMultipart } from '../../../src/openflow/connection/multipart.ts';
import { Reconnect } from '../../../src/openflow/connection/reconnect.ts';
import { Session } from '../../../src/openflow/connection/session.ts';
import { messageSpec, writeMessage } from '../../../src/openflow/message/header.ts';
import { decodeMessage } from '../../../src/openflow/message/message.ts';

const all = { versions: 0x7e, probeInterval: 5 * SECOND };

function connect(a: Session, b: Session): void {
  for (const bytes of a.takeOutput()) b.receive(bytes, 0);
  for (const bytes of b.takeOutput()) a.receive(bytes, 0);
}

test('both sides agree on the highest version they share', () => {
  const a = new Session(0, all);
  const b = new Session(0, { ...all, versions: 0x1a });
  connect(a, b);
  assert.equal(a.version, 4);
  assert.equal(b.version, 4);
});

test('no version in common is an error to the peer and the end', () => {
  const a = new Session(0, { ...all, versions: 0x02 });
  const b = new Session(0, { ...all, versions: 0x10 });
  connect(a, b);
  assert.ok(b.isClosed);
});

test('silence is probed, an answer keeps the connection, none ends it', () => {
  const a = new Session(0, all);
  const b = new Session(0, all);
  connect(a, b);
  a.run(5 * SECOND);
  const [probe] = a.takeOutput();
  b.receive(probe!, 5 * SECOND);
  for (const bytes of b.takeOutput()) assert.deepEqual(a.receive(bytes, 6 * SECOND), []);
  assert.equal(a.wakeAt(), 11 * SECOND);
  a.run(11 * SECOND);
  assert.equal(a.run(16 * SECOND)[0]?.kind, 'closed');
});

test('a malformed message is answered and does not end the connection', () => {
  const a = new Session(0, all);
  const b = new Session(0, all);
  connect(a, b);
  assert.deepEqual(a.receive(Uint8Array.of(6, 99, 0, 8, 0, 0, 0, 9), 0), []);
  const answer = decodeMessage(a.takeOutput()[0]!);
  assert.ok(answer.ok && answer.value.message.kind === 'error' && answer.value.message.error === 'OFPBRC_BAD_TYPE');
  assert.equal(a.isClosed, false);
});

test('waits double up to the limit and begin anew after a connection that held', () => {
  const reconnect = new Reconnect(0);
  let now = 0;
  const waits: number[] = [];
  for (let i = 0; i < 6; i++) {
    assert.ok(reconnect.run(now));
    reconnect.disconnected(now);
    waits.push((reconnect.wakeAt()! - now) / SECOND);
    now = reconnect.wakeAt()!;
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 8, 8]);
  assert.ok(reconnect.run(now));
  reconnect.connected(now);
  reconnect.disconnected(now + 60 * SECOND);
  assert.equal(reconnect.wakeAt(), now + 61 * SECOND);
});

test('a multipart message of many records is cut between them and put together again, interleaved with another', () => {
  const spec = messageSpec('OFPST13_PORT_REPLY');
  const records = Array.from({ length: 1500 }, (_, i) => new Uint8Array(112).fill(i & 0xff));
  const one = segmentMultipart(writeMessage(4, spec, 1, new Uint8Array(0)), records);
  const two = segmentMultipart(writeMessage(4, spec, 2, new Uint8Array(0)), records.slice(0, 900));
  assert.equal(one.length, 3);
  const reassembler = new MultipartReassembler();
  const whole: number[] = [];
  for (let i = 0; i < 3; i++) {
    for (const piece of [one[i], two[i]]) {
      const result = piece && reassembler.push(piece);
      if (result && result.kind === 'whole') whole.push(result.body.length);
    }
  }
  assert.deepEqual(whole, [900 * 112, 1500 * 112]);
  assert.equal(reassembler.pendingBytes, 0);
});
