// Messages as text: the corpus of every form must read as the reference reads it; mutated messages must find the same
// verdict (readable or not), and, but for a few, the same error and text.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { concatBytes, fromHex, putU16, toHex } from '../../src/lib/bytes.ts';
import { Random } from '../../src/lib/random.ts';
import { frame } from '../../src/openflow/framing.ts';
import { families } from '../../src/openflow/message/families.ts';
import { formatBytes } from '../../src/openflow/message/format.ts';
import { identify } from '../../src/openflow/message/header.ts';

const corpus = readFileSync(new URL('../golden/openflow/messages.hex', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => fromHex(line)!);
const decoded = new Set(families.flatMap((family) => Object.keys(family.decode)));
const SEPARATOR = 0x77000000;

/** The reference prints a file of messages; a barrier with a number of its own stands between two. */
function reference(messages: readonly Uint8Array[]): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'weft-ofp-'));
  try {
    const file = join(dir, 'messages');
    const nothing = new Uint8Array(0);
    writeFileSync(file, concatBytes(...messages.flatMap((m, i) => [m, frame(1, 18, SEPARATOR + i, nothing)])));
    const { stdout } = spawnSync('ovs-ofctl', ['ofp-parse', file], { maxBuffer: 1 << 30, encoding: 'latin1' });
    return stdout.split(/OFPT_BARRIER_REQUEST \(xid=0x77[0-9a-f]{6}\):\n/).slice(0, -1);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Of a message that cannot be read the reference prints also what it read before: only the error and the bytes count. */
const verdict = (text: string): string => {
  const at = text.lastIndexOf('***decode error:');
  return at < 0 ? text : text.slice(at);
};

test('every message of the corpus reads as the reference reads it', () => {
  const texts = reference(corpus);
  assert.equal(texts.length, corpus.length);
  corpus.forEach((message, i) => {
    assert.equal(verdict(formatBytes(message)), verdict(texts[i]!), toHex(message));
  });
});

function mutate(random: Random, message: Uint8Array): Uint8Array {
  const out = message.slice();
  if (out.length <= 8) return out;
  const at = 8 + random.below(out.length - 8);
  out[at] = random.pick([random.below(256), out[at]! ^ (1 << random.below(8)), 0xff, random.below(4)]);
  putU16(out, 2, out.length);
  return out;
}

const SHARE = 0.95;

test('mutated messages', () => {
  const seed = Number(process.env.WEFT_SEED ?? 4);
  const random = new Random(seed);
  const rounds = process.env.WEFT_NIGHTLY ? 100 : 2;
  const messages = Array.from({ length: rounds }, () => corpus.map((m) => mutate(random, m)))
    .flat()
    .filter((m) => {
      const header = identify(m);
      return !header.ok || decoded.has(header.value.spec.raw);
    });
  const texts = reference(messages);
  assert.equal(texts.length, messages.length);
  const same = messages.filter((m, i) => verdict(formatBytes(m)) === verdict(texts[i]!)).length;
  assert.ok(same / messages.length >= SHARE, `${same} of ${messages.length} agree; seed ${seed}`);
});
