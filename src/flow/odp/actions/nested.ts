/** clone, sample, check_pkt_len: actions that hold lists of actions. */
import type { DpAction } from '../action.ts';
import type { Scanner } from '../scanner.ts';
import { type ActionForm, type ActionOf, form, type ParseContext } from './form.ts';

const PROBABILITY_MAX = 0xffffffff;

function inner(s: Scanner, word: string, { list }: ParseContext): DpAction[] {
  s.expect(`${word}(`);
  const actions = list(s);
  s.expect(')');
  return actions;
}

function parseSample(s: Scanner, context: ParseContext): ActionOf<'sample'> {
  s.expect('(sample=');
  const start = s.at;
  const percent = s.match(/[0-9]+(\.[0-9]+)?%/y);
  const fraction = Number.parseFloat(percent) / 100;
  if (percent === '' || !(fraction <= 1)) s.fail('expected a percentage up to 100%', start);
  s.expect(',');
  const actions = inner(s, 'actions', context);
  s.expect(')');
  return { type: 'sample', probability: Math.floor(fraction * PROBABILITY_MAX + 0.5), actions };
}

function parseCheckLength(s: Scanner, context: ParseContext): ActionOf<'check_pkt_len'> {
  s.expect('(size=');
  const maxLen = s.u32();
  s.expect(',');
  const greater = inner(s, 'gt', context);
  s.expect(',');
  const lessEqual = inner(s, 'le', context);
  s.expect(')');
  return { type: 'check_pkt_len', maxLen, greater, lessEqual };
}

export const nestedForms: readonly ActionForm[] = [
  form({
    type: 'clone',
    parse: (s, context) => ({ type: 'clone', actions: inner(s, '', context) }),
    format: ({ actions }, { list }) => `clone(${list(actions)})`,
  }),
  form({
    type: 'sample',
    parse: parseSample,
    format: ({ probability, actions }, { list }) =>
      `sample(sample=${((probability / PROBABILITY_MAX) * 100).toFixed(1)}%,actions(${list(actions)}))`,
  }),
  form({
    type: 'check_pkt_len',
    parse: parseCheckLength,
    format: ({ maxLen, greater, lessEqual }, { list }) =>
      `check_pkt_len(size=${maxLen},gt(${list(greater)}),le(${list(lessEqual)}))`,
  }),
];
