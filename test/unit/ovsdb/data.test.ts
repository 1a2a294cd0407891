import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../src/lib/random.ts';
import {
  applyDifference,
  compareAtoms,
  datumFromJson,
  datumToJson,
  difference,
  equalData,
  excludesAll,
  findKey,
  includesAll,
  sortedDatum,
  subtract,
  union,
} from '../../../src/ovsdb/data.ts';
import { columnTypeFromJson, columnTypeToJson } from '../../../src/ovsdb/type-json.ts';
import type { ColumnType, Datum } from '../../../src/ovsdb/types.ts';

const seed = Number(process.env.WEFT_SEED ?? 5);
const COUNT = process.env.WEFT_NIGHTLY ? 100_000 : 3000;

const set = columnTypeFromJson({ key: 'integer', min: 0, max: 'unlimited' });
const map = columnTypeFromJson({ key: 'string', value: 'integer', min: 0, max: 'unlimited' });
const optional = columnTypeFromJson({ key: 'string', min: 0, max: 1 });

function datum(random: Random, type: ColumnType): Datum {
  const size = random.below(type.max === 1 ? 2 : 7);
  const numbers = new Set(Array.from({ length: size }, () => random.below(12)));
  const keys = [...numbers].map((n) => (type.key.type === 'integer' ? n : `k${n}`));
  return sortedDatum(keys, type.value ? keys.map(() => random.below(3)) : null);
}

/** The slow, obvious twin: a datum as a Map. */
const asMap = ({ keys, values }: Datum): Map<unknown, unknown> => new Map(keys.map((key, i) => [key, values?.[i]]));

test(`set operations agree with their twins on maps (seed ${seed})`, () => {
  const random = new Random(seed);
  for (let i = 0; i < COUNT; i++) {
    const type = random.pick([set, map, optional]);
    const [a, b] = [datum(random, type), datum(random, type)];
    const [x, y] = [asMap(a), asMap(b)];
    assert.deepEqual(applyDifference(a, difference(a, b, type), type), b);
    assert.deepEqual(asMap(union(a, b)).size, new Map([...y, ...x]).size);
    for (const [key, value] of asMap(union(a, b))) assert.equal(value, x.has(key) ? x.get(key) : y.get(key));
    const left = [...x].filter(([key, value]) => !(y.has(key) && y.get(key) === value));
    assert.deepEqual([...asMap(subtract(a, b))], left);
    const shared = [...x].filter(([key, value]) => y.has(key) && y.get(key) === value).length;
    assert.equal(includesAll(a, b), shared === x.size);
    assert.equal(excludesAll(a, b), shared === 0);
    assert.equal(equalData(a, b), x.size === y.size && shared === x.size);
    for (const key of a.keys) assert.equal(a.keys[findKey(a, key)], key);
    assert.deepEqual(datumFromJson(type, datumToJson(a, type), null), a);
  }
});

test('strings are in the order of their UTF-8', () => {
  const words = ['', 'a', 'b', 'é', 'ﬀ', '𝄞', '\ue000', 'a𝄞', 'aﬀ', '𝄞a', '\ud7ff'];
  for (const a of words)
    for (const b of words) {
      assert.equal(Math.sign(compareAtoms(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)), `${a} ${b}`);
    }
});

test('types are printed as short as they can be', () => {
  const same = [
    'string',
    { key: { type: 'integer', minInteger: 1, maxInteger: 5 }, min: 0 },
    { key: { type: 'uuid', refTable: 'T', refType: 'weak' }, min: 0, max: 'unlimited' },
    { key: { type: 'string', enum: ['set', ['a', 'b']] } },
    { key: 'string', value: { type: 'string', minLength: 1, maxLength: 2 }, min: 0, max: 3 },
    { key: { type: 'real', minReal: -1.5 } },
  ];
  for (const json of same) assert.deepEqual(columnTypeToJson(columnTypeFromJson(json)), json);
  assert.equal(columnTypeToJson(columnTypeFromJson({ key: { type: 'boolean' }, min: 1, max: 1 })), 'boolean');
});

test('types that make no sense are refused', () => {
  for (const [json, message] of [
    ['text', /"text" is not an atomic-type/],
    [5, /ovsdb type expected/],
    [{ key: 'string', min: 2 }, /fails constraint checks/],
    [{ key: 'string', max: 0 }, /fails constraint checks/],
    [{ key: 'string', min: 0, max: -1 }, /bad min or max/],
    [{ key: { type: 'integer', minInteger: 2, maxInteger: 1 } }, /minInteger exceeds maxInteger/],
    [{ key: { type: 'string', minLength: 2, maxLength: 1 } }, /minLength exceeds maxLength/],
    [{ key: { type: 'string', minLength: -1 } }, /minLength out of valid range/],
    [{ key: { type: 'uuid', refTable: 'T', refType: 'firm' } }, /must be "strong" or "weak"/],
    [{ key: { type: 'string', minInteger: 1 } }, /present but not allowed/],
  ] as const) {
    assert.throws(() => columnTypeFromJson(json), message);
  }
});
