// The message codec without the reference: what is encoded decodes to the same bytes, malformed input is an error value,
// and the tables of messages and errors are consistent.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, putU16, toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { errorName, errorNumber } from '../../../src/openflow/error.ts';
import { FrameSplitter } from '../../../src/openflow/framing.ts';
import { formatBytes } from '../../../src/openflow/message/format.ts';
import { decodeMessage, encodeError, encodeMessage } from '../../../src/openflow/message/message.ts';
import type { OfVersion } from '../../../src/openflow/version.ts';
import { ofErrorRows } from '../../../src/spec/of-errors.ts';
import { ofMessages } from '../../../src/spec/of-messages.ts';

const corpus = readFileSync(new URL('../../golden/openflow/messages.hex', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => fromHex(line)!);

test('161 messages, 198 errors, each error found again by its number', () => {
  assert.equal(ofMessages.length, 161);
  assert.equal(ofErrorRows.length, 198);
  for (const [name] of ofErrorRows) {
    for (let version = 1; version <= 6; version++) {
      const number = errorNumber(version, name);
      if (!number) continue;
      const found = errorName(version, number);
      assert.ok(found !== null, `${name} in version ${version}`);
      assert.deepEqual(errorNumber(version, found), number);
    }
  }
});

test('what an encoder writes, its decoder reads as the same message, in every version that can say it', () => {
  let count = 0;
  for (const bytes of corpus) {
    const first = decodeMessage(bytes);
    if (!first.ok) continue;
    const { message, header } = first.value;
    if (message.kind === 'bundle_add' || message.kind === 'requestforward') continue;
    for (let version = 1; version <= 6; version++) {
      // Up to OpenFlow 1.1 a field that cannot be matched looks like one that can be left out
      if (message.kind === 'table_stats_reply' && version !== header.version) continue;
      const written = encodeMessage(message, version as OfVersion, header.xid);
      if (written === null) continue;
      const again = decodeMessage(written);
      // A message may say what another version refuses; what it reads must be stable from then on
      if (!again.ok) continue;
      const third = encodeMessage(again.value.message, version as OfVersion, header.xid);
      assert.equal(toHex(third!), toHex(written), `${header.spec.raw} in version ${version}: ${toHex(bytes)}`);
      count++;
    }
  }
  assert.ok(count > 1000, `${count} messages`);
});

test('mutated messages never throw, and an error can always be answered', () => {
  const seed = Number(process.env.WEFT_SEED ?? 5);
  const random = new Random(seed);
  const rounds = process.env.WEFT_NIGHTLY ? 4000 : 8;
  for (let round = 0; round < rounds; round++) {
    for (const message of corpus) {
      const out = message.slice(0, random.chance(0.2) ? 8 + random.below(message.length - 7) : message.length);
      for (let i = random.below(4); i >= 0 && out.length > 8; i--)
        out[8 + random.below(out.length - 8)] = random.below(256);
      if (random.chance(0.1)) out[random.below(2)] = random.below(40);
      putU16(out, 2, out.length);
      const decoded = decodeMessage(out);
      formatBytes(out);
      if (decoded.ok) continue;
      const answer = decodeMessage(encodeError(decoded.error, out, 4));
      assert.ok(answer.ok && answer.value.message.kind === 'error', `${toHex(out)}; seed ${seed}`);
      assert.equal(toHex(answer.value.message.data), toHex(out.subarray(0, 64)));
    }
  }
});

test('a stream is cut into messages wherever it is torn, and a header that lies ends it', () => {
  const splitter = new FrameSplitter();
  const found = [0x01, 0x02, 0x00, 0x08, 0, 0, 0, 1, 0x01, 0x03, 0x00, 0x09, 0, 0, 0, 2, 7].flatMap((byte) =>
    splitter.push(Uint8Array.of(byte)),
  );
  assert.deepEqual(found.map(toHex), ['0102000800000001', '010300090000000207']);
  assert.equal(splitter.pending, 0);
  splitter.push(Uint8Array.of(1, 2, 0, 7, 0, 0, 0, 0));
  assert.equal(splitter.isBroken, true);
});
