import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../src/lib/random.ts';
import { formatReal, type Json, JsonStream, parseJson, stringify } from '../../../src/ovsdb/json.ts';

const seed = Number(process.env.WEFT_SEED ?? 3);
const COUNT = process.env.WEFT_NIGHTLY ? 100_000 : 3000;

test('integers are exact to 64 bits, however they are written', () => {
  const cases: readonly [string, Json][] = [
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
    ['9007199254740993', 9007199254740993n],
    ['9007199254740991', 9007199254740991],
    ['1e3', 1000],
    ['1.0', 1],
    ['12.50', 12.5],
    ['1e18', 1000000000000000000n],
    ['-0', 0],
    ['1.5e-3', 0.0015],
  ];
  for (const [text, value] of cases) assert.strictEqual(parseJson(`[${text}]`)![0 as never], value, text);
  assert.equal(
    stringify(parseJson('[9223372036854775807,9223372036854775808]')),
    '[9223372036854775807,9.22337203685478e+18]',
  );
});

test('reals are printed as printf("%.15g") does', () => {
  const cases: readonly [number, string][] = [
    [0.1, '0.1'],
    [1 / 3, '0.333333333333333'],
    [1e15, '1e+15'],
    [123456789012345, '123456789012345'],
    [1e-5, '1e-05'],
    [0.0001, '0.0001'],
    [-2.5e-7, '-2.5e-07'],
    [1.7976931348623157e308, '1.79769313486232e+308'],
    [-0, '-0'],
  ];
  for (const [value, text] of cases) assert.equal(formatReal(value), text);
});

test('text that is not JSON, or not of this protocol, is refused', () => {
  for (const text of ['{', '[1,]', '{"a":1,}', '[01]', '"\\u0000"', '["\\ud800"]', '[1e999]', 'nul']) {
    assert.throws(() => parseJson(text), SyntaxError, text);
  }
});

test('names of objects are data: no prototype is reached through them', () => {
  const json = parseJson('{"__proto__":{"a":1},"constructor":2}') as Record<string, Json>;
  assert.deepEqual(Object.keys(json), ['__proto__', 'constructor']);
  assert.equal(({} as Record<string, unknown>).a, undefined);
});

test(`a stream is cut at the same places however its bytes come (seed ${seed})`, () => {
  const random = new Random(seed);
  const messages: Json[] = [{ a: '}{"\\' }, [], ['é', [[]], { b: [1.5, null, true] }], {}, { c: '𝄞' }];
  const bytes = Buffer.from(messages.map((message) => stringify(message)).join(' \n'));
  for (let round = 0; round < 200; round++) {
    const stream = new JsonStream();
    const got: Json[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + random.below(9);
      got.push(...stream.feed(bytes.subarray(at, at + size)));
      at += size;
    }
    assert.deepEqual(got, messages);
    assert.equal(stream.pending, 0);
  }
});

test('a stream has limits', () => {
  assert.throws(() => [...new JsonStream().feed(Buffer.from('['.repeat(1001)))], /nesting depth/);
  assert.throws(() => [...new JsonStream(10).feed(Buffer.from('["0123456789"]'))], /more than 10 bytes/);
  assert.throws(() => [...new JsonStream().feed(Buffer.from('hello'))], /beginning of input/);
  assert.throws(() => [...new JsonStream().feed(Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]))], TypeError);
});

test(`what is printed is read back the same (seed ${seed})`, () => {
  const random = new Random(seed);
  const make = (depth: number): Json => {
    const kind = random.below(depth > 3 ? 5 : 7);
    if (kind === 0) return random.pick([null, true, false]);
    if (kind === 1) return random.below(1000) - 500;
    if (kind === 2) return (BigInt(random.u32()) << 30n) + 2n ** 60n;
    if (kind === 3) return Math.round((random.fraction() - 0.5) * 1e6) / 1e3;
    if (kind === 4)
      return String.fromCodePoint(...Array.from({ length: random.below(5) }, () => 1 + random.below(0xd000)));
    if (kind === 5) return Array.from({ length: random.below(4) }, () => make(depth + 1));
    return Object.fromEntries(Array.from({ length: random.below(4) }, (_, i) => [`k${i}`, make(depth + 1)]));
  };
  for (let i = 0; i < COUNT; i++) {
    const json = [make(0)];
    assert.deepEqual(parseJson(stringify(json)), json);
  }
});
