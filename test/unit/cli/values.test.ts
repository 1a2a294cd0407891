// Values as users write and read them, options, tables, and JSON that is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareDatum, datumFromText, takeToken } from '../../../src/cli/common/datum-text.ts';
import { type OptionRow, readOptions } from '../../../src/cli/common/getopt.ts';
import { Fatal } from '../../../src/cli/common/io.ts';
import { jsonArgument } from '../../../src/cli/common/json-file.ts';
import { prettyJson } from '../../../src/cli/common/pretty.ts';
import { listStyle, type Table, TablePrinter, type TableStyle } from '../../../src/cli/common/table.ts';
import { Random } from '../../../src/lib/random.ts';
import { sortedDatum } from '../../../src/ovsdb/data.ts';
import { datumText } from '../../../src/ovsdb/text.ts';
import { columnTypeFromJson } from '../../../src/ovsdb/type-json.ts';

const seed = Number(process.env.WEFT_SEED ?? 11);
const ROUNDS = process.env.WEFT_NIGHTLY ? 50_000 : 2000;

const integers = columnTypeFromJson({ key: 'integer', min: 0, max: 'unlimited' });
const strings = columnTypeFromJson({ key: 'string', min: 0, max: 'unlimited' });
const map = columnTypeFromJson({ key: 'string', value: 'string', min: 0, max: 'unlimited' });
const boolean = columnTypeFromJson('boolean');

test(`what is printed reads back (seed ${seed})`, () => {
  const random = new Random(seed);
  const letters = ['a', 'Z', '0', '_', '-', '.', ' ', ',', '=', ':', '"', '\\', '{', ']', '!', 'é', '\n', '𝄞'];
  const word = (): string => Array.from({ length: random.below(6) }, () => random.pick(letters)).join('');
  for (let i = 0; i < ROUNDS; i++) {
    const keys = [...new Set(Array.from({ length: random.below(5) }, word))];
    const set = sortedDatum(keys, null);
    assert.deepEqual(datumFromText(datumText(set, strings), strings), set);
    const pairs = sortedDatum(keys, keys.map(word));
    assert.deepEqual(datumFromText(datumText(pairs, map), map), pairs);
    const numbers = [...new Set(Array.from({ length: random.below(5) }, () => random.below(99) - 50))];
    const some = sortedDatum(numbers, null);
    assert.deepEqual(datumFromText(datumText(some, integers), integers), some);
  }
});

const written: readonly (readonly [string, typeof strings, string])[] = [
  ['1-3,7', integers, '[1, 2, 3, 7]'],
  ['[]', integers, '[]'],
  ['{a=b, "c d"=e}', map, '{a=b, "c d"=e}'],
  ['yes', boolean, 'true'],
  ['"true",x', strings, '["true", x]'],
];

test('sets, maps, ranges and booleans', () => {
  for (const [text, type, printed] of written) assert.equal(datumText(datumFromText(text, type), type), printed);
  assert.equal(bareDatum(datumFromText('a=b,c=d', map), map), 'a=b c=d');
});

const refused: readonly (readonly [string, typeof strings, RegExp])[] = [
  ['1,1', integers, /set contains duplicate value/],
  ['5-1', integers, /Range end cannot be before start/],
  ['0-9999999', integers, /not a valid range/],
  ['[1', integers, /missing "]" at end of data/],
  ['a=b,a=c', map, /map contains duplicate key/],
  ['a:b', map, /syntax error at ":" expecting "="/],
  ['', strings, /use "\[\]" to specify the empty set/],
  ['"a', strings, /quoted string extends past end/],
  ['a\\', strings, /backslash at end of argument/],
  ['maybe', boolean, /not a valid boolean/],
  ['99999999999999999999', integers, /not a valid integer/],
];

test('what is no value is refused in words', () => {
  for (const [text, type, message] of refused) {
    assert.throws(
      () => datumFromText(text, type),
      (error) => error instanceof Fatal && message.test(error.message),
      text,
    );
  }
});

test('a token ends at a delimiter that is not quoted', () => {
  assert.deepEqual(takeToken('a b=c', 0), { token: 'a', end: 1 });
  assert.deepEqual(takeToken('"a b"=c', 0), { token: '"a b"', end: 5 });
  assert.deepEqual(takeToken('a\\=b=c', 0), { token: 'a=b', end: 4 });
});

const rows: readonly OptionRow<string[]>[] = [
  { long: 'alpha', short: 'a', argument: 'none', apply: (draft) => void draft.push('alpha') },
  { long: 'beta', short: 'b', argument: 'required', apply: (draft, value) => void draft.push(`beta ${value}`) },
  { long: 'betty', short: 'y', argument: 'optional', apply: (draft, value) => void draft.push(`betty ${value}`) },
];

function read(words: readonly string[], order: 'anywhere' | 'first'): [string[], string[]] {
  const draft: string[] = [];
  const rest = readOptions(rows, words, draft, order);
  return [draft, rest];
}

test('options are read as getopt_long reads them', () => {
  assert.deepEqual(read(['-ab1', 'x', '--beta', '2', '--bett=3'], 'anywhere'), [
    ['alpha', 'beta 1', 'beta 2', 'betty 3'],
    ['x'],
  ]);
  assert.deepEqual(read(['--al', 'x', '-a'], 'first'), [['alpha'], ['x', '-a']]);
  assert.deepEqual(read(['--', '-a'], 'anywhere'), [[], ['-a']]);
  for (const [words, message] of [
    [['--bet'], "option '--bet' is ambiguous; possibilities: '--beta' '--betty'"],
    [['--alpha=1'], "option '--alpha' doesn't allow an argument"],
    [['--beta'], "option '--beta' requires an argument"],
    [['-b'], "option requires an argument -- 'b'"],
    [['-z'], "invalid option -- 'z'"],
    [['--gamma=1'], "unrecognized option '--gamma=1'"],
  ] as const) {
    assert.throws(() => read(words, 'anywhere'), { message });
  }
});

const table: Table = {
  headings: ['name', 'tags'],
  rows: [
    ['a', { datum: datumFromText('1,2', integers), type: integers }],
    [null, { datum: datumFromText('[]', integers), type: integers }],
  ],
};

function printed(style: Partial<TableStyle>): string {
  let text = '';
  const printer = new TablePrinter({ ...listStyle(), ...style }, (part) => {
    text += part;
  });
  printer.print(table);
  return text;
}

test('tables in every form', () => {
  assert.equal(printed({ format: 'table' }), 'name tags\n---- ------\na    [1, 2]\n     []\n');
  assert.equal(printed({ format: 'csv' }), 'name,tags\na,"[1, 2]"\n,[]\n');
  assert.equal(printed({ format: 'list', cells: 'bare', hasHeadings: false }), 'a\n1 2\n\n\n\n');
  assert.equal(
    printed({ format: 'json' }),
    '{"data":[["a",["set",[1,2]]],[null,["set",[]]]],"headings":["name","tags"]}\n',
  );
  assert.match(printed({ format: 'html' }), /^<table border=1>\n {2}<tr>\n {4}<th>name<\/th>/);
});

test('JSON on several lines', () => {
  assert.equal(prettyJson({ b: [], a: [1, { c: 'x' }] }), '{\n  "a": [\n    1,\n    {\n      "c": "x"}],\n  "b": []}');
});

const mistakes: readonly (readonly [string, string])[] = [
  ['xx', "line 0, column 2, byte 2: invalid keyword 'xx'"],
  ['5', 'line 0, column 1, byte 1: syntax error at beginning of input'],
  ['{"name":', 'line 0, column 8, byte 8: unexpected end of input'],
  ['OVSDB', "line 0, column 0, byte 0: invalid character 'O'"],
  ['[1\n,]', 'line 1, column 1, byte 4: syntax error expecting value'],
  ['{"a" 1}', "line 0, column 6, byte 6: syntax error parsing object expecting ':'"],
  ['{1}', 'line 0, column 2, byte 2: syntax error parsing object expecting string'],
  ['[1 2]', "line 0, column 4, byte 4: syntax error expecting ']' or ','"],
  ['[] x', "line 0, column 4, byte 4: invalid keyword 'x'"],
];

test('mistakes in JSON have a place', () => {
  for (const [text, mistake] of mistakes) assert.throws(() => jsonArgument(text), { message: `"${text}": ${mistake}` });
  assert.deepEqual(jsonArgument('[{"a": [true, null, -1.5e3, "x\\"y"]}]'), [{ a: [true, null, -1500, 'x"y'] }]);
});
