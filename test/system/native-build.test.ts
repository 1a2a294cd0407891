/** The addon as packages, one a kind of machine, and how it is found: a file, a package, or one line that says what to do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadNative } from '../../backends/native/index.ts';

const root = join(import.meta.dirname, '..', '..');
const kind = `${process.platform}-${process.arch}`;
const whyNot = (): string | null => {
  const addon = loadNative();
  return addon.ok ? null : addon.error;
};

/** Runs a program of this folder's root. */
function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 120_000 });
}

/** What the loader of a tree says: the interface lo, or an error. */
function ask(tree: string): string {
  const script = `const { loadNative } = await import(${JSON.stringify(join(tree, 'backends/native/index.ts'))});
    const addon = loadNative();
    console.log(addon.ok ? JSON.stringify(addon.value.linkInfo('lo').index) : addon.error);`;
  const { stdout, stderr } = run('--input-type=module', '--eval', script);
  assert.equal(stderr, '');
  return stdout.trimEnd();
}

test('packages are laid out for npm to choose from, and the loader finds file, package, or words', (t) => {
  const why = whyNot();
  if (why) return t.skip(why);
  const temporary = mkdtempSync(join(tmpdir(), 'weft-native-'));
  try {
    const packed = run('bin/pack-native.mjs', '--out', join(temporary, 'npm'));
    assert.equal(packed.status, 0, packed.stderr);
    const folder = packed.stdout.split('\n').find((line) => line.includes(`${kind}-`))!;
    const name = folder.slice(folder.lastIndexOf('/') + 1);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    assert.deepEqual(
      [manifest.name, manifest.os, manifest.cpu, manifest.libc, manifest.main],
      [`@weft/native-${name}`, ['linux'], [process.arch], ['glibc'], `weft-native.${name}.node`],
    );
    assert.equal(manifest.version, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);

    const tree = join(temporary, 'tree');
    for (const file of ['backends/native/index.ts', 'src/lib/result.ts']) cpSync(join(root, file), join(tree, file));
    writeFileSync(join(tree, 'package.json'), '{ "type": "module" }');
    const nothing = ask(tree);
    assert.match(nothing, new RegExp(`^build/weft-native.${kind}.node is not there, nor is @weft/native-${kind}-`));
    assert.ok(!nothing.includes('\n'));

    const modules = join(tree, 'node_modules', '@weft');
    mkdirSync(modules, { recursive: true });
    renameSync(folder, join(modules, `native-${name}`));
    assert.equal(ask(tree), '1', 'by the package');

    // a file comes first, also one that is no addon: it says so, in one line
    mkdirSync(join(tree, 'build'));
    const file = join(tree, 'build', `weft-native.${kind}.node`);
    writeFileSync(file, 'no library');
    const broken = ask(tree);
    assert.match(broken, /weft-native.*(too short|invalid|header)/i);
    assert.ok(!broken.includes('\n'));
    cpSync(join(root, 'build', `weft-native.${kind}.node`), file);
    assert.equal(ask(tree), '1', 'by the file');
  } finally {
    rmSync(temporary, { recursive: true });
  }
});

test('a target that is not known is refused', () => {
  const { status, stderr } = run('bin/build-native.mjs', '--target', 'plan9-mips');
  assert.equal(status, 1);
  assert.match(stderr, /there is no target plan9-mips \(there are: linux-x64-gnu, linux-x64-musl, linux-arm64-gnu/);
});
