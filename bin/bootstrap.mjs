// The two doors of a bare clone: `npm start` and `npm test`. Plain JavaScript that any Node >= 18 can run.
// It brings the pinned Node from the npm registry, installs the packages, builds what is missing, and goes on.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const toolchain = join(root, '.toolchain');
const wanted = manifest.engines.node.replace('>=', '').split('.').map(Number);

const say = (text) => process.stderr.write(`weft: ${text}\n`);

function isNodeRecentEnough() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > wanted[0] || (major === wanted[0] && minor >= (wanted[1] ?? 0));
}

/** Runs a command with the terminal; ends this process with its status when it fails. */
function run(command, args, env, quiet = false) {
  const result = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: quiet ? ['ignore', 'ignore', 'inherit'] : 'inherit',
  });
  if (result.error) {
    say(`${command}: ${result.error.message}`);
    process.exit(1);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** The folder to put first in PATH so that `node` is the pinned one; null when the running one will do. */
function bringNode() {
  if (isNodeRecentEnough()) return null;
  const name = `node-${process.platform}-${process.arch}`;
  const version = manifest.optionalDependencies[name];
  if (!version) {
    say(
      `needs Node ${manifest.engines.node}, and this is ${process.version}; no pinned Node is packaged for ${process.platform}-${process.arch}: install one and try again`,
    );
    process.exit(1);
  }
  const bin = join(toolchain, 'node_modules', '.bin');
  const stamp = join(toolchain, `${name}@${version}`);
  if (!existsSync(stamp)) {
    say(`bringing Node ${version} (this is ${process.version}) …`);
    mkdirSync(toolchain, { recursive: true });
    run(
      'npm',
      [
        'install',
        '--prefix',
        toolchain,
        '--no-save',
        '--no-package-lock',
        '--no-audit',
        '--no-fund',
        '--loglevel=error',
        `${name}@${version}`,
      ],
      process.env,
      true,
    );
    writeFileSync(stamp, '');
  }
  return bin;
}

function digest(...files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** Not npm ci: it fails where a registry lacks the optional packages of other platforms. The lock file decides all the same. */
function installPackages(env) {
  const stamp = join(root, 'node_modules', '.weft-installed');
  const now = digest('package-lock.json');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return;
  say('installing packages …');
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], env, true);
  writeFileSync(stamp, now);
}

const [door = 'start', ...rest] = process.argv.slice(2);
const nodeBin = bringNode();
const env = { ...process.env };
if (nodeBin) env.PATH = `${nodeBin}${delimiter}${env.PATH ?? ''}`;
installPackages(env);
run('node', ['bin/build-wasm.mjs', '--if-stale'], env);
run('node', ['bin/build-native.mjs', '--if-stale'], env);
if (door === 'start') run('node', ['bin/weft.mjs', 'demo', ...rest], env);
else if (door === 'test') run('node', ['bin/test.mjs', ...rest], env);
else {
  say(`no such door: ${door} (start or test)`);
  process.exit(2);
}
