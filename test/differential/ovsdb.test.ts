/** The same scripts on the reference's database server and on ours: what every client prints has to be the same. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compare } from './ovsdb-support.ts';

const scenario = (name: string): string => readFileSync(join(import.meta.dirname, 'ovsdb', name), 'utf8');

test('transactions and their errors, on the schema of Open vSwitch', async () => {
  const lines = scenario('transact-vswitch.txt').split('\n');
  const text = ['vsctl init', ...lines.map((line) => (/^[[{]/.test(line) ? `transact ${line}` : ''))].join('\n');
  for (const { line, reference, ours } of await compare(text)) assert.equal(ours, reference, line);
});

for (const name of ['vsctl', 'client']) {
  test(`scenario ${name}`, async () => {
    for (const { line, reference, ours } of await compare(scenario(`${name}.txt`))) assert.equal(ours, reference, line);
  });
}
