import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalMatches } from '../../../src/flow/match.ts';
import { formatActions, formatFlow, formatMatch } from '../../../src/flow/odp/format.ts';
import { parseActions, parseFlow, parseMatch } from '../../../src/flow/odp/parse.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { randomActions, randomMatch } from './generate.ts';

const seed = Number(process.env.WEFT_SEED ?? 20261123);
const rounds = process.env.WEFT_NIGHTLY ? 100_000 : 1_000;
const taste = { forReference: false };

test('a match that is written is read back as the same match', () => {
  const random = new Random(seed);
  for (let i = 0; i < rounds; i++) {
    const match = randomMatch(random, taste);
    const text = formatMatch(match);
    const read = parseMatch(text);
    assert.ok(read.ok, `seed ${seed} round ${i}: ${text}: ${read.ok ? '' : read.error}`);
    assert.equal(formatMatch(read.value), text, `seed ${seed} round ${i}`);
    assert.ok(equalMatches(read.value, match), `seed ${seed} round ${i}: ${text}`);
  }
});

test('actions that are written are read back as the same actions', () => {
  const random = new Random(seed + 1);
  for (let i = 0; i < rounds; i++) {
    const actions = randomActions(random, taste);
    const text = formatActions(actions);
    const read = parseActions(text);
    assert.ok(read.ok, `seed ${seed} round ${i}: ${text}: ${read.ok ? '' : read.error}`);
    assert.deepEqual(read.value, actions, `seed ${seed} round ${i}: ${text}`);
  }
});

test('whole flows with their statistics', () => {
  const random = new Random(seed + 2);
  for (let i = 0; i < rounds / 4; i++) {
    const flow = {
      match: randomMatch(random, taste),
      actions: randomActions(random, taste),
      stats: {
        packets: random.u32(),
        bytes: random.u32() * 1000,
        idleMs: random.chance(0.3) ? null : random.below(100_000),
        tcpFlags: random.below(0x1000),
      },
    };
    const text = formatFlow(flow);
    const read = must(parseFlow(text));
    assert.deepEqual(read.stats, flow.stats, text);
    assert.deepEqual(read.actions, flow.actions, text);
    assert.ok(equalMatches(read.match, flow.match), text);
  }
});

test('text that was cut or changed is an error value or another flow, and never an exception', () => {
  const random = new Random(seed + 3);
  const letters = '0123456789abcdefx/(),:=+-{}.|% ';
  for (let i = 0; i < rounds; i++) {
    const whole = formatFlow({
      match: randomMatch(random, taste),
      actions: randomActions(random, taste),
      stats: { packets: 1, bytes: 60, idleMs: 5, tcpFlags: 2 },
    });
    const at = random.below(whole.length);
    const cut = whole.slice(0, at);
    const changed = `${cut}${letters[random.below(letters.length)]}${whole.slice(at + 1)}`;
    for (const text of [cut, changed]) {
      for (const result of [parseFlow(text), parseMatch(text), parseActions(text)]) {
        if (!result.ok) assert.match(result.error, /(at character \d+|at the end)/, text);
      }
    }
  }
});
