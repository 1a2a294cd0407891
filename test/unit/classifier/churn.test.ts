/** What a classifier keeps for speed (stages that masks share, what all rules of a mask have alike) follows rules that come and go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Classifier, type RuleId } from '../../../src/flow/classifier/index.ts';
import { KEY, type Match, PipelineKey } from '../../../src/flow/key.ts';
import { toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);
const rounds = process.env.WEFT_NIGHTLY ? 400 : 30;
const STEPS = 60;
const networks = [0x0a000000, 0x0a010000, 0xc0a80000, 0xc0a80100];
const ethTypes = [0x0800, 0x0800, 0x0800, 0x0806];

function randomKey(random: Random): PipelineKey {
  const key = new PipelineKey();
  key.set(KEY.eth_type, random.pick(ethTypes)).set(KEY.nw_proto, random.pick([6, 17]));
  key.set(KEY.ipv4_src, random.pick(networks) + random.below(4)).set(KEY.ipv4_dst, random.pick(networks));
  return key.set(KEY.tp_src, random.below(3)).set(KEY.tp_dst, random.below(3)) as PipelineKey;
}

/** Masks that begin alike: an Ethernet type, and then prefixes and ports of some lengths. */
function randomMatch(random: Random): Match {
  const key = randomKey(random);
  const mask = new PipelineKey().setAllOnes(KEY.eth_type) as PipelineKey;
  const prefix = (): number => random.pick([0, 0xff000000, 0xffff0000, 0xffffff00, 0xffffffff]);
  mask.set(KEY.ipv4_src, prefix()).set(KEY.ipv4_dst, prefix());
  if (random.chance(0.5)) mask.setAllOnes(KEY.nw_proto).setAllOnes(random.pick([KEY.tp_src, KEY.tp_dst]));
  for (let i = 0; i < key.words.length; i++) key.words[i]! &= mask.words[i]!;
  return { key, mask };
}

interface Kept {
  readonly match: Match;
  readonly priority: number;
  readonly id: RuleId;
}

function answerOf(classifier: Classifier<number>, flow: PipelineKey): string {
  const wildcards = new PipelineKey();
  const found = classifier.lookup(0, flow, wildcards);
  return `${found} ${toHex(wildcards.bytes)}`;
}

test('after any changes, lookups answer and un-wildcard as in a classifier of the same rules that is new', () => {
  for (let round = 0; round < rounds; round++) {
    const random = new Random(seed + round);
    const classifier = new Classifier<number>();
    const rules: Kept[] = [];
    for (let step = 0; step < STEPS; step++) {
      if (rules.length > 0 && random.chance(0.4)) {
        const [gone] = rules.splice(random.below(rules.length), 1);
        classifier.remove(gone!.id);
      } else {
        // Each priority once, so that the order of masks is known
        const [match, priority] = [randomMatch(random), round * STEPS + step];
        rules.push({ match, priority, id: classifier.insert({ match, priority, value: priority }) });
      }
      const fresh = new Classifier<number>();
      for (const { match, priority } of rules) fresh.insert({ match, priority, value: priority });
      for (let i = 0; i < 4; i++) {
        const flow = randomKey(random);
        assert.equal(answerOf(classifier, flow), answerOf(fresh, flow), `seed ${seed + round}, step ${step}`);
      }
    }
  }
});

test('a match that was sought is found and put in', () => {
  const random = new Random(seed);
  const classifier = new Classifier<number>();
  for (let value = 0; value < 200; value++) {
    const match = randomMatch(random);
    classifier.seek(match);
    const found = classifier.findSought(5, 0);
    assert.equal(found, classifier.find(match, 5, 0));
    if (found >= 0) continue;
    classifier.seek(match);
    const id = classifier.insertSought({ priority: 5, value });
    assert.equal(classifier.find(match, 5, 0), id);
    assert.equal(toHex(classifier.match(id).key.bytes), toHex(match.key.bytes));
    if (value % 3 === 0) classifier.remove(id);
  }
});
