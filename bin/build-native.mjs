// Builds the addon for real packet I/O: build/weft-native.<platform>-<arch>.node. Without cargo it says so and succeeds:
// everything but AF_XDP, TAP and AF_PACKET works without it.
// usage: node bin/build-native.mjs [--if-stale] [--target TARGET]
//   TARGET: one of native-targets.mjs, for another machine than this; fails where it cannot be built
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nativeTargets } from './native-targets.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const crate = join(root, 'backends', 'native');
const say = (text) => process.stderr.write(`weft: ${text}\n`);
const { values } = parseArgs({ options: { 'if-stale': { type: 'boolean' }, target: { type: 'string' } } });
const target = nativeTargets.find(({ name }) => name === values.target);
if (values.target && !target) {
  say(`there is no target ${values.target} (there are: ${nativeTargets.map(({ name }) => name).join(', ')})`);
  process.exit(1);
}
const out = join(root, 'build', target?.file ?? `weft-native.${process.platform}-${process.arch}.node`);

if (process.platform !== 'linux') process.exit(0);
const sources = globSync(['src/*.rs', 'Cargo.*', 'build.rs'], { cwd: crate });
const newest = Math.max(...sources.map((file) => statSync(join(crate, file)).mtimeMs));
if (values['if-stale'] && existsSync(out) && statSync(out).mtimeMs >= newest) process.exit(0);
if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status !== 0) {
  say('cargo is not there, so AF_XDP, TAP and AF_PACKET are not built; memory and pcap work without');
  process.exit(target ? 1 : 0);
}

say(`building ${out.slice(root.length + 1)} …`);
const folder = join(crate, 'target');
const args = ['build', '--release', '--locked', '--quiet', '--target-dir', folder];
const result = spawnSync('cargo', target ? [...args, '--target', target.rust] : args, {
  cwd: crate,
  stdio: 'inherit',
  env: { ...target?.env, ...process.env },
});
if (result.status !== 0) {
  say('the addon for AF_XDP, TAP and AF_PACKET could not be built; memory and pcap work without');
  if (target) say(`${target.name} wants: ${target.needs}`);
  process.exit(target || process.env.CI === 'true' ? (result.status ?? 1) : 0);
}
mkdirSync(dirname(out), { recursive: true });
// a running process may have the old file mapped: it is replaced, not overwritten
copyFileSync(join(folder, ...(target ? [target.rust] : []), 'release', 'libweft_native.so'), `${out}.new`);
renameSync(`${out}.new`, out);
