/** Packets through the tables of a running daemon: scenarios of test/differential/packets, with the same answers as the reference's. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Bed, readScenarios } from './packets-bed.ts';
import { withSecondLook } from './second-look.ts';

const folder = join(import.meta.dirname, 'packets');
const only = process.env.WEFT_SCENARIO;
const isTunnel = (file: string): boolean => file.startsWith('tunnel');
let bed: Bed;
/** Where tunnels are tunnels. */
let tunnels: Bed;

before(async () => {
  bed = await Bed.start();
  tunnels = await Bed.start('system');
});

after(() => {
  bed.close();
  tunnels.close();
});

for (const file of readdirSync(folder).sort()) {
  for (const { title, text } of readScenarios(join(folder, file))) {
    const name = `${file}: ${title}`;
    if (only !== undefined && !name.includes(only)) continue;
    test(name, async (t) => {
      assert.deepEqual(await withSecondLook(t, () => (isTunnel(file) ? tunnels : bed).compare(text)), []);
    });
  }
}
