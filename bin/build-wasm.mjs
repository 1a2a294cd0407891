// Builds the datapath: release and debug, for plain and for shared memory, from one source.
// usage: node bin/build-wasm.mjs [--if-stale] [--only release|debug]
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const asc = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined;

const variants = [
  { name: 'weft', target: 'release', shared: false },
  { name: 'weft.shared', target: 'release', shared: true },
  { name: 'weft.debug', target: 'debug', shared: false },
  { name: 'weft.shared.debug', target: 'debug', shared: true },
  { name: 'kernels', target: 'release', shared: false, entry: 'assembly/kernels.ts' },
];

const sources = ['assembly/**/*.ts', 'src/gen/*.ts', 'asconfig.json', 'bin/asc-inline.mjs'].flatMap((glob) =>
  globSync(glob, { cwd: root }),
);
const newest = Math.max(...sources.map((file) => statSync(join(root, file)).mtimeMs));

mkdirSync(join(root, 'build'), { recursive: true });
for (const { name, target, shared, entry = 'assembly/index.ts' } of variants) {
  if (only && only !== target) continue;
  const out = join('build', `${name}.wasm`);
  const path = join(root, out);
  if (process.argv.includes('--if-stale') && existsSync(path) && statSync(path).mtimeMs >= newest) continue;
  process.stderr.write(`weft: building ${out} …\n`);
  const args = [
    asc,
    entry,
    '--config',
    'asconfig.json',
    '--target',
    target,
    '--transform',
    './bin/asc-inline.mjs',
    '--outFile',
    out,
  ];
  if (target === 'release') args.push('--textFile', out.replace('.wasm', '.wat'));
  if (shared) args.push('--sharedMemory');
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  // Binaryen says so when another round of optimisation would have changed the size: of no use to anybody here
  process.stderr.write(result.stderr.replace(/^Last converge was suboptimal\.\n/gm, ''));
  if (result.status !== 0) process.exit(result.status ?? 1);
}
