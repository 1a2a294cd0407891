// Builds the addon for real packet I/O: build/weft-native.<platform>-<arch>.node. Without cargo it says so and succeeds:
// everything but AF_XDP, TAP and AF_PACKET works without it.
// usage: node bin/build-native.mjs [--if-stale]
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const crate = join(root, 'backends', 'native');
const out = join(root, 'build', `weft-native.${process.platform}-${process.arch}.node`);
const say = (text) => process.stderr.write(`weft: ${text}\n`);

if (process.platform !== 'linux') process.exit(0);
const sources = globSync(['src/*.rs', 'Cargo.*', 'build.rs'], { cwd: crate });
const newest = Math.max(...sources.map((file) => statSync(join(crate, file)).mtimeMs));
if (process.argv.includes('--if-stale') && existsSync(out) && statSync(out).mtimeMs >= newest) process.exit(0);
if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status !== 0) {
  say('cargo is not there, so AF_XDP, TAP and AF_PACKET are not built; memory and pcap work without');
  process.exit(0);
}

say(`building ${out.slice(root.length + 1)} …`);
const target = join(crate, 'target');
const args = ['build', '--release', '--locked', '--quiet', '--target-dir', target];
const result = spawnSync('cargo', args, { cwd: crate, stdio: 'inherit' });
if (result.status !== 0) {
  say('the addon for AF_XDP, TAP and AF_PACKET could not be built; memory and pcap work without');
  process.exit(process.env.CI === 'true' ? (result.status ?? 1) : 0);
}
mkdirSync(dirname(out), { recursive: true });
// a running process may have the old file mapped: it is replaced, not overwritten
copyFileSync(join(target, 'release', 'libweft_native.so'), `${out}.new`);
renameSync(`${out}.new`, out);
