/** Matches that are read as bytes, and lists of actions that are read once, beside the way that needs neither. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineKey } from '../../../src/flow/key.ts';
import { toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { decodeInstructions, encodeInstructions } from '../../../src/openflow/instruction/index.ts';
import { encodedInstructions, knownActions, knownInstructions } from '../../../src/openflow/instruction/memo.ts';
import { plainEntry } from '../../../src/openflow/oxm/plain.ts';
import { decodeTlvs, type TlvOptions, tlvBytes } from '../../../src/openflow/oxm/tlv.ts';
import { ofFields } from '../../../src/spec/of-fields.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);
const RUNS = process.env.WEFT_NIGHTLY ? 200_000 : 4_000;

/** Fields that others need, with values that let them in. */
const openers = ['80000a020800', '80000a0286dd', '80000a020806', '8000140106', '8000140111', '800014013a'];

/** An entry: right, or wrong in some way. */
function entry(random: Random): string {
  if (random.below(3) === 0) return random.pick(openers);
  const field = random.pick(ofFields);
  const header = random.pick(field.headers);
  if (!header || header.class === 0xffff || field.name.startsWith('tun_metadata')) return random.pick(openers);
  const hasMask = random.below(2) === 0;
  const size = random.below(20) === 0 ? random.below(9) : field.size;
  const mask = Array.from({ length: size }, () => random.pick([0, 0xff, 0xff, random.below(256)]));
  const isClean = random.below(8) > 0;
  const value = mask.map((bits) => random.below(256) & (hasMask && isClean ? bits : 0xff));
  const bytes = Uint8Array.from([
    header.class >>> 8,
    header.class & 0xff,
    (header.number << 1) | Number(hasMask),
    hasMask ? 2 * size : size,
    ...value,
    ...(hasMask ? mask : []),
  ]);
  return toHex(bytes);
}

/** What a reader of entries says, as text. */
function read(bytes: Uint8Array, options: TlvOptions = {}): string {
  const result = decodeTlvs(bytes, options);
  if (!result.ok) return result.error.name;
  const { key, mask } = result.value.match;
  return `${toHex(key.bytes)} ${toHex(mask.bytes)}`;
}

test('entries read as bytes are what they are one bit after the other', () => {
  const random = new Random(seed);
  let plain = 0;
  let good = 0;
  const scratch = { key: new PipelineKey(), mask: new PipelineKey() };
  for (let run = 0; run < RUNS; run++) {
    const entries = Array.from({ length: 1 + random.below(5) }, () => entry(random));
    const bytes = Uint8Array.from(Buffer.from(entries.join(''), 'hex'));
    const isPlain = entries.map((text) => plainEntry(Number.parseInt(text.slice(0, 8), 16)) !== undefined);
    plain += isPlain.filter((is) => is).length;
    const expected = read(bytes, { isSlow: true });
    assert.equal(read(bytes), expected, `seed ${seed}: ${entries.join(' ')}`);
    assert.equal(read(bytes, { scratch }), expected, `seed ${seed}, in used keys: ${entries.join(' ')}`);
    const match = decodeTlvs(bytes, { isSlow: true });
    if (!match.ok) continue;
    good++;
    // Of other fields not all versions can say all values
    if (!isPlain.every((is) => is)) continue;
    const written = tlvBytes(match.value.match, 1);
    assert.equal(read(written, { isSlow: true }), expected, `seed ${seed}, written: ${entries.join(' ')}`);
  }
  assert.ok(plain > RUNS / 2 && good > RUNS / 20, `${plain} plain entries, ${good} good matches`);
});

const output = (port: number): Uint8Array => {
  const bytes = new Uint8Array(24);
  bytes.set([0, 4, 0, 24, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, port]);
  return bytes;
};

test('equal lists of instructions are one list, and no more are kept than there is room for', () => {
  const first = knownInstructions(5, output(1), 0);
  assert.ok(first.ok);
  const behind = Uint8Array.from([9, 9, 9, ...output(1)]);
  const second = knownInstructions(5, behind, 3);
  assert.ok(second.ok && second.value === first.value);
  assert.deepEqual(first, decodeInstructions(5, output(1)));
  const other = knownInstructions(4, output(1), 0);
  assert.ok(other.ok && other.value !== first.value, 'versions have lists of their own');
  for (let i = 0; i < 5000; i++) {
    const bytes = output(i & 0xff);
    bytes[14] = i >>> 8;
    assert.deepEqual(knownInstructions(5, bytes, 0), decodeInstructions(5, bytes));
  }
  assert.deepEqual(knownInstructions(5, output(1), 0), decodeInstructions(5, output(1)));
  assert.equal(encodedInstructions(5, first.value), encodedInstructions(5, first.value));
  assert.deepEqual(encodedInstructions(5, first.value), encodeInstructions(5, first.value));
});

test('what is wrong stays wrong, and an empty list is one', () => {
  const wrong = output(1);
  wrong[1] = 99;
  for (let i = 0; i < 2; i++) {
    const read = knownInstructions(5, wrong, 0);
    assert.ok(!read.ok && read.error.name === 'OFPBIC_UNKNOWN_INST');
  }
  assert.deepEqual(knownActions(1, new Uint8Array(3), 3), { ok: true, value: [] });
});
