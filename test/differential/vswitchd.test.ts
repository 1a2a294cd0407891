/** Our switch daemon beside the reference's: scenarios of test/differential/vswitchd, answered with the same text. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { closePair, compare, type Pair, startPair } from './subject.ts';

const folder = join(import.meta.dirname, 'vswitchd');
const only = process.env.WEFT_SCENARIO;
let pair: Pair;

before(async () => {
  pair = await startPair();
});

after(() => closePair(pair));

for (const file of readdirSync(folder).sort()) {
  const parts = readFileSync(join(folder, file), 'utf8').split(/^== /m).slice(1);
  for (const part of parts) {
    const [title = '', ...lines] = part.split('\n');
    if (only !== undefined && !`${file}: ${title}`.includes(only)) continue;
    test(`${file}: ${title}`, () => {
      assert.deepEqual(compare(pair, lines.join('\n')), []);
    });
  }
}
