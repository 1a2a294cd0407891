/**
 * Our switch daemon beside the reference's: scenarios of test/differential/vswitchd, answered with the same text. Files whose
 * names begin with "system" run where only ordinary devices are dummies, so that tunnels are tunnels.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { withSecondLook } from './second-look.ts';
import { closePair, compare, type Pair, startPair } from './subject.ts';

const folder = join(import.meta.dirname, 'vswitchd');
const only = process.env.WEFT_SCENARIO;
const files = readdirSync(folder).sort();
const isSystem = (file: string): boolean => file.startsWith('system');

for (const dummies of ['override', 'system'] as const) {
  describe(`dummies: ${dummies}`, () => {
    let pair: Pair | undefined;
    before(async () => {
      pair = await startPair({ dummies });
    });
    after(() => closePair(pair));

    for (const file of files.filter((name) => isSystem(name) === (dummies === 'system'))) {
      const parts = readFileSync(join(folder, file), 'utf8').split(/^== /m).slice(1);
      for (const part of parts) {
        const [title = '', ...lines] = part.split('\n');
        if (only !== undefined && !`${file}: ${title}`.includes(only)) continue;
        test(`${file}: ${title}`, async (t) => {
          assert.deepEqual(await withSecondLook(t, () => compare(pair!, lines.join('\n'))), []);
        });
      }
    }
  });
}
