import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeActions, encodeActions } from '../../../src/datapath/actions.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import { toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { randomActions } from '../../twin/random-actions.ts';

const seed = Number(process.env.WEFT_SEED ?? 3);
const rounds = process.env.WEFT_NIGHTLY ? 200_000 : 3000;

/** The fields of a set in any order say the same. */
function normal(actions: readonly DpAction[]): unknown {
  return JSON.parse(
    JSON.stringify(actions, (_key, value: unknown) => {
      if (value instanceof Uint8Array) return toHex(value);
      if (Array.isArray(value) && value[0]?.field) return value.toSorted((a, b) => (a.field < b.field ? -1 : 1));
      return value;
    }),
  );
}

test('what is encoded is decoded the same', () => {
  const random = new Random(seed);
  for (let round = 0; round < rounds; round++) {
    const actions = randomActions(random, { isAnything: true });
    const bytes = encodeActions(actions);
    assert.equal(bytes.length % 4, 0);
    const decoded = decodeActions(bytes);
    assert.deepEqual(normal(decoded), normal(actions), `seed ${seed} round ${round}`);
    assert.equal(toHex(encodeActions(decoded)), toHex(bytes), `seed ${seed} round ${round}`);
  }
});

test('ct keeps its text', () => {
  const actions: DpAction[] = [
    { type: 'ct', commit: true, zone: 7, text: 'commit,zone=7,nat(src)' },
    { type: 'ct_clear' },
  ];
  assert.deepEqual(decodeActions(encodeActions(actions)), actions);
});

test('a value outside its mask is not encoded', () => {
  const set = (value: number): DpAction => ({
    type: 'set',
    target: 'ipv4',
    fields: [{ field: 'nw_tos', value: Uint8Array.of(value), mask: Uint8Array.of(0xfc) }],
  });
  assert.equal(toHex(encodeActions([set(0xff)])), toHex(encodeActions([set(0xfc)])));
});

test('a field of another header is a bug of the caller', () => {
  const value = new Uint8Array(16);
  const fields = [{ field: 'ipv6_src', value, mask: null }] as const;
  assert.throws(() => encodeActions([{ type: 'set', target: 'ipv4', fields }]), /no field ipv6_src/);
});

test('bytes that are no action list are refused', () => {
  const good = encodeActions([{ type: 'output', port: 1 }]);
  assert.throws(() => decodeActions(good.subarray(0, 6)), /no action/);
  assert.throws(() => decodeActions(good.subarray(0, 3)), /cut short/);
  const unknown = good.slice();
  unknown[0] = 200;
  assert.throws(() => decodeActions(unknown), /no action/);
  const reason = encodeActions([{ type: 'drop', reason: 'meter' }]);
  reason[4] = 250;
  assert.throws(() => decodeActions(reason), /250 is not one of/);
});

test('an action that does not fit in a record is refused', () => {
  const long = Array.from({ length: 9000 }, (): DpAction => ({ type: 'output', port: 1 }));
  assert.throws(() => encodeActions([{ type: 'clone', actions: long }]), /do not fit/);
});
