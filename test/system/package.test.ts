/** The package as npm would install it: packed, installed in an empty folder, run and imported. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const PROGRAM = `
import { Network, SECOND } from 'weft';
const net = new Network({ seed: 1 });
const one = net.addSwitch('s1');
const [a, b] = ['a', 'b'].map((name, i) => {
  const host = net.addHost(name, { ipv4: '10.0.0.' + (i + 1) + '/24' });
  net.link(host, one.addPort(name));
  return host;
});
const ping = a.ping('10.0.0.2', { count: 3 });
net.run(10 * SECOND);
console.log('received ' + ping.received);
`;

test('npm pack makes a package that installs, runs its demo, and can be imported with its types', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-package-'));
  const npm = (cwd: string, ...args: string[]): string =>
    execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const packed = npm(root, 'pack', '--loglevel=error', '--pack-destination', folder).trim().split('\n').pop()!;
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    npm(folder, 'install', '--no-audit', '--no-fund', '--omit=optional', '--loglevel=error', `./${packed}`);
    const demo = spawnSync(process.execPath, ['node_modules/weft/bin/weft.mjs', 'demo'], {
      cwd: folder,
      encoding: 'utf8',
    });
    assert.equal(demo.status, 0, demo.stderr);
    assert.match(demo.stdout, /reachable: 12\/12\nisolated: 8\/8\n$/);
    writeFileSync(join(folder, 'program.ts'), PROGRAM);
    const run = spawnSync(process.execPath, ['program.ts'], { cwd: folder, encoding: 'utf8' });
    assert.equal(run.stdout, 'received 3\n', run.stderr);
    const tsc = join(root, 'node_modules/typescript-native/bin/tsc');
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2024',
      '--types',
      'node',
      '--typeRoots',
      join(root, 'node_modules/@types'),
    ];
    const types = spawnSync(process.execPath, [tsc, ...options, 'program.ts'], { cwd: folder, encoding: 'utf8' });
    assert.equal(types.status, 0, types.stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
