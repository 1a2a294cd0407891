/** The classifier against its linear twin, and the law of un-wildcarding: flip a wildcarded bit, and the rule stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Classifier, type PrefixField, type RuleId } from '../../../src/flow/classifier/index.ts';
import { FlowKey, PIPELINE, PipelineKey } from '../../../src/flow/key.ts';
import { Random } from '../../../src/lib/random.ts';
import { LinearClassifier, type TwinRule } from '../../twin/classifier.ts';
import { randomConjunctions, randomFlow, randomMatch } from './random-rules.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);
const rounds = process.env.WEFT_NIGHTLY ? 400 : 25;

interface Tables {
  readonly classifier: Classifier<number>;
  readonly twin: LinearClassifier<number>;
  readonly ids: Map<number, RuleId>;
}

const prefixChoices: readonly (readonly PrefixField[])[] = [
  [],
  ['ipv4_dst', 'ipv4_src'],
  ['ipv4_src', 'ipv6_dst', 'ipv6_src'],
];

function makeTables(random: Random, ruleCount: number, softShare: number): Tables {
  const tables: Tables = {
    classifier: new Classifier<number>(random.pick(prefixChoices)),
    twin: new LinearClassifier(),
    ids: new Map(),
  };
  for (let value = 0; value < ruleCount; value++) addRandom(random, tables, value, 0, softShare);
  return tables;
}

function addRandom(
  random: Random,
  { classifier, twin, ids }: Tables,
  value: number,
  version: number,
  soft: number,
): void {
  const match = randomMatch(random);
  const priority = random.below(12);
  if (classifier.find(match, priority, version) >= 0) return;
  const conjunctions = random.chance(soft) ? randomConjunctions(random) : [];
  ids.set(value, classifier.insert({ match, priority, value, version, conjunctions }));
  twin.rules.push({ match, priority, value, conjunctions, added: version, removed: Number.POSITIVE_INFINITY });
}

const valuesOf = (rules: readonly TwinRule<number>[]): number[] => rules.map(({ value }) => value);

function checkAnswer({ classifier, twin }: Tables, version: number, flow: PipelineKey, hint: string): number | null {
  const expected = valuesOf(twin.lookup(version, flow));
  const wildcards = new PipelineKey();
  const found = classifier.lookup(version, flow, wildcards);
  assert.equal(classifier.lookup(version, flow, null), found, `${hint}: with and without wildcards`);
  if (found === null) assert.deepEqual(expected, [], hint);
  else assert.ok(expected.includes(found), `${hint}: rule ${found} is none of ${expected}`);
  return found;
}

/** Every flow that differs in one wildcarded bit, and some that differ in many, gets the same rule. */
function checkLaw(random: Random, { classifier }: Tables, version: number, flow: PipelineKey, hint: string): void {
  const wildcards = new PipelineKey();
  const found = classifier.lookup(version, flow, wildcards);
  const conjIdAt = PIPELINE.conj_id.offset;
  for (let bit = 0; bit < 8 * flow.bytes.length; bit++) {
    const at = bit >> 3;
    if ((wildcards.bytes[at]! >> (bit & 7)) & 1 || (at >= conjIdAt && at < conjIdAt + 4)) continue;
    flow.bytes[at]! ^= 1 << (bit & 7);
    assert.equal(classifier.lookup(version, flow, null), found, `${hint}: bit ${bit & 7} of byte ${at}`);
    flow.bytes[at]! ^= 1 << (bit & 7);
  }
  for (let i = 0; i < 20; i++) {
    const other = randomFlow(random);
    for (let at = 0; at < flow.bytes.length; at++)
      other.bytes[at] = (flow.bytes[at]! & wildcards.bytes[at]!) | (other.bytes[at]! & ~wildcards.bytes[at]!);
    assert.equal(classifier.lookup(version, other, null), found, `${hint}: a random flow with the same bits`);
  }
}

for (const [name, softShare] of [
  ['hard rules only', 0],
  ['with conjunctive matches', 0.4],
] as const) {
  test(`the same rule as the twin, and the law holds: ${name}`, () => {
    const random = new Random(seed);
    for (let round = 0; round < rounds; round++) {
      const tables = makeTables(random, 5 + random.below(120), softShare);
      for (let i = 0; i < 30; i++) {
        const flow = randomFlow(random);
        const hint = `seed ${seed} round ${round} flow ${i}`;
        checkAnswer(tables, 0, flow, hint);
        if (i % 3 === 0) checkLaw(random, tables, 0, flow, hint);
      }
    }
  });
}

test('while rules come, are hidden, come back and go, each version has its own answer', () => {
  const random = new Random(seed + 1);
  for (let round = 0; round < rounds; round++) {
    const tables = makeTables(random, 40, 0.2);
    const { classifier, twin, ids } = tables;
    for (let version = 1; version < 12; version++) {
      for (let i = 0; i < 8; i++) {
        const rule = twin.rules.length > 0 ? random.pick(twin.rules) : null;
        if (!rule || random.chance(0.4)) addRandom(random, tables, version * 1000 + i, version, 0.2);
        else if (random.chance(0.5) && rule.removed > version && rule.added < version) {
          classifier.hide(ids.get(rule.value)!, version);
          rule.removed = version;
        } else if (rule.removed < version - 2 || rule.removed > version) {
          classifier.remove(ids.get(rule.value)!);
          twin.rules.splice(twin.rules.indexOf(rule), 1);
        }
      }
      if (version === 6) classifier.setPrefixes(['ipv4_dst', 'ipv6_src']);
      assert.equal(classifier.size, twin.rules.length);
      for (let i = 0; i < 10; i++) {
        const hint = `seed ${seed} round ${round} version ${version} flow ${i}`;
        const flow = randomFlow(random);
        for (const seen of [version - 1, version]) checkAnswer(tables, seen, flow, hint);
        checkLaw(random, tables, version, flow, hint);
      }
    }
    for (const rule of twin.rules) classifier.remove(ids.get(rule.value)!);
    assert.equal(classifier.size, 0);
    assert.equal(classifier.subtableCount, 0);
    assert.equal(classifier.lookup(20, randomFlow(random), new FlowKey()), null);
  }
});
