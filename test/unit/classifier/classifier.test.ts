import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Classifier } from '../../../src/flow/classifier/index.ts';
import { PrefixTrie } from '../../../src/flow/classifier/trie.ts';
import { KEY, type Match, PipelineKey } from '../../../src/flow/key.ts';
import { equalMatches } from '../../../src/flow/match.ts';
import { Random } from '../../../src/lib/random.ts';
import { randomMatch } from './random-rules.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);

function onPort(port: number): Match {
  const [key, mask] = [new PipelineKey(), new PipelineKey()];
  key.set(KEY.in_port, port);
  mask.setAllOnes(KEY.in_port);
  return { key, mask };
}
const everything: Match = { key: new PipelineKey(), mask: new PipelineKey() };
const flow = (port: number): PipelineKey => new PipelineKey().set(KEY.in_port, port) as PipelineKey;

test('a rule is found again by match, priority and version, and only by these', () => {
  const classifier = new Classifier<string>();
  const id = classifier.insert({ match: onPort(1), priority: 5, value: 'a', version: 3 });
  assert.equal(classifier.find(onPort(1), 5, 3), id);
  assert.equal(classifier.find(onPort(1), 5, 2), -1);
  assert.equal(classifier.find(onPort(1), 6, 3), -1);
  assert.equal(classifier.find(onPort(2), 5, 3), -1);
  assert.equal(classifier.find(everything, 5, 3), -1);
  assert.deepEqual([classifier.value(id), classifier.priority(id)], ['a', 5]);
  assert.ok(equalMatches(classifier.match(id), onPort(1)));
  classifier.remove(id);
  assert.throws(() => classifier.remove(id), /no rule/);
  assert.throws(() => classifier.value(99), /no rule/);
});

test('the match of a rule comes back as it was put in', () => {
  const random = new Random(seed);
  const classifier = new Classifier<number>();
  for (let i = 0; i < 300; i++) {
    const match = randomMatch(random);
    const id = classifier.insert({ match, priority: i, value: i });
    assert.ok(equalMatches(classifier.match(id), match), `seed ${seed} round ${i}`);
  }
});

test('overlaps and subsets are those of the matches themselves', () => {
  const random = new Random(seed);
  for (let round = 0; round < 20; round++) {
    const classifier = new Classifier<number>();
    const matches = Array.from({ length: 40 }, () => randomMatch(random));
    matches.forEach((match, i) => {
      classifier.insert({ match, priority: i % 3, value: i });
    });
    const probe = randomMatch(random);
    const overlapping = matches.some((match, i) => i % 3 === 1 && shareFlow(match, probe));
    assert.equal(classifier.findOverlapping(probe, 1, 0) >= 0, overlapping, `seed ${seed} round ${round}`);
    const within: number[] = [];
    classifier.forEach(0, probe, (_, value) => within.push(value));
    const expected = matches.flatMap((match, i) => (isWithin(match, probe) ? [i] : []));
    assert.deepEqual(
      within.sort((a, b) => a - b),
      expected,
      `seed ${seed} round ${round}`,
    );
  }
});

const shareFlow = (a: Match, b: Match): boolean =>
  a.key.bytes.every((byte, i) => ((byte ^ b.key.bytes[i]!) & a.mask.bytes[i]! & b.mask.bytes[i]!) === 0);
const isWithin = (inner: Match, outer: Match): boolean =>
  inner.key.bytes.every((byte, i) => {
    const need = outer.mask.bytes[i]!;
    return (need & ~inner.mask.bytes[i]!) === 0 && ((byte ^ outer.key.bytes[i]!) & need) === 0;
  });

test('what is put in while publication is deferred is seen by later lookups only', () => {
  const classifier = new Classifier<string>();
  classifier.insert({ match: everything, priority: 1, value: 'all' });
  assert.equal(classifier.lookup(0, flow(1), null), 'all');
  classifier.defer();
  classifier.insert({ match: onPort(1), priority: 2, value: 'port' });
  assert.equal(classifier.lookup(0, flow(1), null), 'all');
  classifier.publish();
  assert.equal(classifier.lookup(0, flow(1), null), 'port');
});

test('a hidden rule makes way for the next one of its match', () => {
  const classifier = new Classifier<string>();
  classifier.insert({ match: onPort(1), priority: 1, value: 'low' });
  const high = classifier.insert({ match: onPort(1), priority: 2, value: 'high' });
  classifier.hide(high, 5);
  assert.deepEqual(
    [4, 5].map((version) => classifier.lookup(version, flow(1), null)),
    ['high', 'low'],
  );
  classifier.restore(high);
  assert.equal(classifier.lookup(5, flow(1), null), 'high');
});

test('tries: prefix lengths and deciding bits against a plain list; removing what is not there', () => {
  const random = new Random(seed);
  for (let round = 0; round < 40; round++) {
    const trie = new PrefixTrie();
    const prefixes: { value: number; length: number }[] = [];
    for (let i = 0; i < 60; i++) {
      if (prefixes.length > 0 && random.chance(0.35)) {
        const [gone] = prefixes.splice(random.below(prefixes.length), 1);
        trie.remove(Int32Array.of(gone!.value, 0), gone!.length);
      } else {
        const prefix = {
          value: random.pick([0x0a000000, 0x0a010000, 0x0a0100ff, 0xc0000000]) | 0,
          length: 1 + random.below(32),
        };
        prefixes.push(prefix);
        trie.insert(Int32Array.of(prefix.value, 0), prefix.length);
      }
      const value = (random.pick([0x0a000000, 0x0a010000, 0xc0000000]) ^ random.below(512)) | 0;
      const bits = trie.lookup(Int32Array.of(value, 0), 32);
      const common = (p: { value: number }): number => Math.clz32(p.value ^ value);
      for (let length = 1; length <= 32; length++) {
        const has = prefixes.some((p) => p.length === length && common(p) >= length);
        assert.equal(trie.hasLength(length), has, `seed ${seed} round ${round} length ${length}`);
      }
      // Any value with the same deciding bits has the same prefixes
      const longest = Math.max(0, ...prefixes.map((p) => Math.min(common(p), p.length)));
      assert.ok(bits >= longest && bits <= longest + 1, `seed ${seed} round ${round}: ${bits} for ${longest}`);
    }
    for (const { value, length } of prefixes) trie.remove(Int32Array.of(value, 0), length);
    assert.ok(trie.isEmpty);
    assert.throws(() => trie.remove(Int32Array.of(1, 0), 8), /not in the trie/);
  }
});
