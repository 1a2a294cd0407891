// Lays the built addons out as packages, one a kind of machine, as napi-rs does: OUT/<platform>-<arch>-<abi>/ with a
// package.json that npm chooses by (os, cpu, libc) and the addon. `npm pack OUT/linux-x64-gnu` makes it a file to publish.
// usage: node bin/pack-native.mjs [--out DIR] [--build]      DIR: out/npm when left out
//   --build  builds every target first that can be built here; else what is in build/ is taken
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nativeTargets } from './native-targets.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { out: { type: 'string' }, build: { type: 'boolean' } } });
const out = values.out ?? join(root, 'out', 'npm');
const { version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

for (const { name, arch, abi, file } of nativeTargets) {
  if (values.build) {
    const builder = join(root, 'bin', 'build-native.mjs');
    spawnSync(process.execPath, [builder, '--if-stale', '--target', name], { stdio: 'inherit' });
  }
  const built = join(root, 'build', file);
  if (!existsSync(built)) {
    process.stderr.write(`weft: ${name}: build/${file} is not there\n`);
    continue;
  }
  const folder = join(out, name);
  const addon = `weft-native.${name}.node`;
  mkdirSync(folder, { recursive: true });
  copyFileSync(built, join(folder, addon));
  const manifest = {
    name: `@weft/native-${name}`,
    version,
    description: `Packet I/O for weft on ${name}: AF_XDP, TAP, AF_PACKET`,
    license,
    os: ['linux'],
    cpu: [arch],
    libc: [abi === 'gnu' ? 'glibc' : 'musl'],
    main: addon,
    files: [addon],
    engines: { node: '>=24.11' },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  process.stdout.write(`${folder}\n`);
}
