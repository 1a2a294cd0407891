import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatFlow } from '../../../src/flow/odp/format.ts';
import { parseFlow } from '../../../src/flow/odp/parse.ts';
import { formatFlowText, formatOfPort, parseFlowText } from '../../../src/flow/text.ts';
import { must } from '../../../src/lib/result.ts';

const linesOf = (name: string): string[] =>
  readFileSync(new URL(`../../golden/flowtext/${name}`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

test('datapath flows', () => {
  let variants: string[] = [];
  for (const line of linesOf('odp-flows.txt')) {
    variants.push(line.replace(/^< /, ''));
    if (line.startsWith('< ')) continue;
    for (const text of variants) assert.equal(formatFlow(must(parseFlow(text))), line, text);
    variants = [];
  }
});

test('OpenFlow flow text', () => {
  for (const line of linesOf('openflow.txt')) {
    const [read, written] = line.split(' => ');
    const { match, inPort } = must(parseFlowText(read!));
    assert.equal(formatFlowText(match, inPort === null ? null : formatOfPort(inPort)), written);
    const again = must(parseFlowText(written!));
    assert.equal(formatFlowText(again.match, inPort === null ? null : formatOfPort(inPort)), written);
  }
});
