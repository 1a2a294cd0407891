/** Flow keys beside an obvious twin: a DataView, and loops over bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowKey, KEY, keyFieldList, keyMapOf, maskedMatch, matches, PipelineKey } from '../../../src/flow/key.ts';
import { KEY_SIZE } from '../../../src/gen/layout.ts';
import { Random } from '../../../src/lib/random.ts';
import { clearConnection, clearTunnel } from '../../../src/translate/protocols.ts';

const SEED = Number(process.env.WEFT_SEED ?? 3);

const randomKey = (random: Random): FlowKey => {
  const key = new FlowKey();
  for (let i = 0; i < 60; i++) key.bytes[random.below(KEY_SIZE)] = random.below(256);
  return key;
};

test('numbers are read and written as a DataView does', () => {
  const random = new Random(SEED);
  for (let n = 0; n < 50; n++) {
    const key = randomKey(random);
    const view = new DataView(key.bytes.buffer);
    for (const field of keyFieldList) {
      const { offset, size } = field;
      const isLittle = field.order === 'le';
      const value = random.u32();
      if (size === 8) {
        assert.equal(key.getU64(field), view.getBigUint64(offset, isLittle), field.name);
        assert.equal(key.setU64(field, BigInt(value) << 32n).getU64(field), BigInt(value) << 32n, field.name);
      }
      if (size > 4) {
        assert.throws(() => key.get(field), /does not fit/);
        assert.throws(() => key.set(field, 1), /does not fit/);
        continue;
      }
      const read = (): number => {
        if (size === 1) return view.getUint8(offset);
        return size === 2 ? view.getUint16(offset, isLittle) : view.getUint32(offset, isLittle);
      };
      assert.equal(key.get(field), read(), field.name);
      key.set(field, value);
      assert.equal(read(), size === 4 ? value : value & (2 ** (8 * size) - 1), field.name);
    }
  }
});

test('fields are copied, compared and filled, and their neighbours are left alone', () => {
  const random = new Random(SEED);
  for (const field of keyFieldList) {
    const [a, b] = [randomKey(random), randomKey(random)];
    const before = a.clone();
    assert.equal(a.copyField(b, field).sameField(b, field), true);
    assert.deepEqual(a.at(field), b.at(field));
    assert.equal(a.setAllOnes(field).isAllOnes(field), true);
    assert.equal(a.setZero(field).isZero(field), true);
    assert.equal(a.isAllOnes(field), false);
    a.setBytes(field, before.at(field));
    assert.ok(a.equals(before), field.name);
    assert.deepEqual(a.setBytes(field, Uint8Array.of(7)).at(field)[0], 7);
    assert.throws(() => a.setBytes(field, new Uint8Array(field.size + 1)), /do not fit/);
  }
});

test('whole keys: maps, masks and matches by words say what bytes say', () => {
  const random = new Random(SEED);
  for (let n = 0; n < 200; n++) {
    const [key, mask] = [randomKey(random), randomKey(random)];
    const match = maskedMatch(key, mask);
    assert.deepEqual(
      match.key.bytes,
      key.bytes.map((byte, i) => byte & mask.bytes[i]!),
    );
    assert.ok(matches(match, key));
    const other = key.clone();
    const at = random.below(KEY_SIZE);
    other.bytes[at]! ^= 1 << random.below(8);
    assert.equal(matches(match, other), ((other.bytes[at]! ^ key.bytes[at]!) & mask.bytes[at]!) === 0);
    assert.equal(other.equals(key), false);
    let map = 0n;
    for (const [i, byte] of key.bytes.entries()) if (byte !== 0) map |= 1n << BigInt(i >> 4);
    assert.equal(keyMapOf(key), map);
  }
});

test('a key may look at memory of others, and a pipeline key holds one', () => {
  const memory = new Uint8Array(64 + KEY_SIZE);
  const key = new FlowKey(memory.subarray(64));
  key.set(KEY.in_port, 0x01020304);
  assert.deepEqual([...memory.subarray(64, 68)], [4, 3, 2, 1]);
  const flow = PipelineKey.of(key);
  flow.packet.set(KEY.in_port, 9);
  assert.equal(flow.get(KEY.in_port), 9);
  assert.equal(flow.clone().clear().get(KEY.in_port), 0);
  assert.equal(key.get(KEY.in_port), 0x01020304);
  assert.throws(() => new FlowKey(new Uint8Array(3)), /has 576 bytes/);
});

test('runs of words that are cleared together hold the fields that they are for, and no others', () => {
  const runs = [
    ['tun_', clearTunnel],
    ['ct_', clearConnection],
  ] as const;
  for (const [prefix, clear] of runs) {
    const key = new FlowKey();
    key.bytes.fill(0xff);
    clear(key);
    for (const field of keyFieldList) {
      const isMeant = field.name.startsWith(prefix);
      assert.ok(isMeant ? key.isZero(field) : key.isAllOnes(field), `${prefix}: ${field.name}`);
    }
  }
});
