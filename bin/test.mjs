// `npm test`: sets up what the tests need, then runs everything. Ends with one line: N passed, N failed.
// usage: npm test [-- --only unit|differential|system|checks]
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined;
const isCi = process.env.CI === 'true';
const say = (text) => process.stderr.write(`weft: ${text}\n`);

/** Programs that the differential and system tests drive, and the Debian packages that have them. */
const programs = {
  'ovs-vsctl': 'openvswitch-switch',
  tshark: 'tshark',
  tcpdump: 'tcpdump',
  ip: 'iproute2',
};

const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;

function installPrograms() {
  const missing = Object.entries(programs).filter(([program]) => !has(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, pkg]) => pkg))];
  if (process.getuid?.() !== 0 || !has('apt-get')) {
    say(
      `not installed, and no root or apt-get to bring them: ${packages.join(' ')}; the tests that need them will skip`,
    );
    return;
  }
  say(`installing ${packages.join(' ')} …`);
  // RUNLEVEL=1: the packages' services are not started; the tests start their own, in their own directories.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...packages],
  ]) {
    const result = spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    if (result.status !== 0) say(`apt-get ${args[0]} failed with status ${result.status}`);
  }
}

let passed = 0;
let failed = 0;
let skipped = 0;

function check(name, command, args) {
  say(`check: ${name}`);
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (result.status === 0) passed++;
  else {
    failed++;
    say(`check failed: ${name}`);
  }
}

function suite(name, glob, concurrency) {
  if (only && only !== name) return;
  const files = globSync(glob, { cwd: root }).sort();
  if (files.length === 0) return;
  say(`tests: ${name}, ${files.length} files`);
  const folder = mkdtempSync(join(tmpdir(), 'weft-tally-'));
  const tallyFile = join(folder, 'tally.json');
  const result = spawnSync(
    process.execPath,
    [
      '--test',
      `--test-concurrency=${concurrency}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      `--test-reporter=${join(root, 'bin', 'tally-reporter.mjs')}`,
      `--test-reporter-destination=${tallyFile}`,
      ...files,
    ],
    { cwd: root, stdio: 'inherit' },
  );
  let tally = { passed: 0, failed: 1, skipped: 0 };
  try {
    tally = JSON.parse(readFileSync(tallyFile, 'utf8'));
  } catch (error) {
    say(`${name}: no tally (${error.message})`);
  }
  rmSync(folder, { recursive: true, force: true });
  passed += tally.passed;
  failed += tally.failed;
  skipped += tally.skipped;
  if (result.status !== 0 && tally.failed === 0) failed++;
}

if (!only || only === 'differential' || only === 'system') installPrograms();
if (!only || only === 'checks') {
  const bin = (name) => join(root, 'node_modules', '.bin', name);
  check('generated files are fresh', process.execPath, ['src/spec/generate.ts', '--check']);
  check('types', bin('tsc'), ['--noEmit']);
  check('format and lint', bin('biome'), ['check', '.']);
  check('layers', bin('depcruise'), ['--config', '.dependency-cruiser.cjs', 'src', 'backends', 'assembly']);
  check('dead code', bin('knip'), []);
  if (has('cargo'))
    check('native twin', 'cargo', ['test', '--quiet', '--release', '--manifest-path', 'bench/native/Cargo.toml']);
}
suite('unit', 'test/unit/**/*.test.ts', 2);
suite('differential', 'test/differential/**/*.test.ts', 2);
suite('system', 'test/system/**/*.test.ts', 1);

if (isCi && skipped > 0) {
  say(`${skipped} tests skipped, and here nothing may skip`);
  failed += skipped;
}
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exit(failed > 0 ? 1 : 0);
