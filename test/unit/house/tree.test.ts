/** The tree itself, checked: bans with what to use instead, unused names of the spec, and what the documents claim. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dropReasons, workerCounters } from '../../../src/gen/tables.ts';
import { weft } from '../sim/weft.ts';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const sources = (...globs: string[]): string[] =>
  globs
    .flatMap((glob) => globSync(glob, { cwd: root }))
    .filter((file) => !file.includes('node_modules') && !file.includes('/target/'));

interface Ban {
  readonly pattern: RegExp;
  readonly where: readonly string[];
  readonly except: readonly RegExp[];
  readonly instead: string;
}

const bans: readonly Ban[] = [
  {
    pattern: /\bMath\.random\(|\bDate\.now\(|\bperformance\.now\(|\bnew Date\(\)|\bprocess\.hrtime/,
    where: ['src/**/*.ts', 'backends/**/*.ts'],
    except: [/^src\/main\//, /^src\/vswitchd\//],
    instead: 'time and randomness are arguments: src/lib/clock.ts, src/lib/random.ts',
  },
  {
    pattern: /\b(TODO|FIXME|XXX|HACK)\b|not implemented|unimplemented/i,
    where: ['src/**/*.ts', 'assembly/**/*.ts', 'backends/**/*.ts', 'bench/**/*.ts', 'bench/native/src/**/*.rs'],
    except: [],
    instead: 'finish it, or say in docs what is not done',
  },
  {
    pattern: /\b(test|it|describe)\.(skip|only|todo)\b|\bskip: true\b/,
    where: ['test/**/*.ts'],
    except: [/^test\/unit\/house\//],
    instead: 'a test that cannot run here calls t.skip(reason)',
  },
  {
    pattern: /\/work\/|\/tmp\/n\//,
    where: ['**/*.ts', '**/*.mjs', '**/*.md', '**/*.json', 'bench/native/src/**/*.rs'],
    except: [/^test\/unit\/house\//, /^build\//, /^dist\//, /^\.toolchain\//],
    instead: 'paths relative to the repository',
  },
  {
    pattern: /\bnew [A-Z]\w*\(|`|\bclass\b|\bStaticArray\b/,
    where: ['assembly/**/*.ts'],
    except: [],
    instead: 'the datapath allocates nothing and knows no strings: load and store on addresses',
  },
];

/** Source without comments, so that prose may say what code may not. */
const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');

for (const ban of bans) {
  test(`nowhere ${ban.pattern.source.slice(0, 60)}: ${ban.instead}`, () => {
    const found = sources(...ban.where)
      .filter((file) => !ban.except.some((pattern) => pattern.test(file)))
      .filter((file) => ban.pattern.test(/\.(ts|rs|mjs)$/.test(file) ? code(read(file)) : read(file)));
    assert.deepEqual(found, []);
  });
}

test('every drop reason and every counter of the spec is used', () => {
  const text = sources('src/**/*.ts', 'assembly/**/*.ts', 'backends/**/*.ts')
    .filter((file) => !/^src\/(gen|spec)\//.test(file))
    .map(read)
    .join('\n');
  const unusedReasons = dropReasons
    .slice(1)
    .filter(
      ({ name }) =>
        !text.includes(`DROP_${name.toUpperCase()}`) &&
        !text.includes(`'${name}'`) &&
        !new RegExp(`DROP\\.${name}\\b`).test(text),
    );
  const unusedCounters = workerCounters.filter(({ name }) => !text.includes(`COUNTER_${name.toUpperCase()}`));
  assert.deepEqual(
    { reasons: unusedReasons.map((r) => r.name), counters: unusedCounters.map((c) => c.name) },
    { reasons: [], counters: [] },
  );
});

test('every folder that ARCHITECTURE.md names is there', () => {
  const rooms = [...read('ARCHITECTURE.md').matchAll(/^ {4}( {0,2})([a-z]+)\/(?=\s)/gm)];
  let parent = '';
  for (const [, indent, name] of rooms) {
    if (indent === '') parent = name!;
    assert.ok(existsSync(join(root, indent === '' ? name! : join(parent, name!))), `${parent}/${name}`);
  }
});

test('every file that the documents name is there', () => {
  for (const document of ['README.md', 'ARCHITECTURE.md', ...sources('docs/**/*.md')])
    for (const [, path] of read(document).matchAll(
      /`((?:src|docs|assembly|backends|test|bench|bin|examples)\/[\w./-]+\.(?:ts|md|mjs|rs))`/g,
    ))
      assert.ok(existsSync(join(root, path!)), `${document} names ${path}`);
});

test('files stay rooms: none over 700 lines', () => {
  const long = sources(
    'src/**/*.ts',
    'assembly/**/*.ts',
    'backends/**/*.ts',
    'test/**/*.ts',
    'bench/**/*.ts',
    'bench/native/src/**/*.rs',
  )
    .filter((file) => !file.startsWith('src/gen/'))
    .filter((file) => read(file).split('\n').length > 700);
  assert.deepEqual(long, []);
});

test('what the README shows of npm start is what it prints', async () => {
  const run = await weft('demo');
  assert.equal(run.status, 0, run.stderr);
  const actual = run.stdout.split('\n');
  const shown = /<!-- demo -->\n([\s\S]*?)<!-- end: demo -->/.exec(read('README.md'))![1]!.split('\n');
  let at = 0;
  for (const line of shown.map((l) => l.replace(/^ {4}/, '')).filter((l) => l.trim() !== '' && l.trim() !== '…')) {
    const found = actual.indexOf(line, at);
    assert.ok(found >= 0, `not printed, or not in this order: ${line}`);
    at = found + 1;
  }
});
