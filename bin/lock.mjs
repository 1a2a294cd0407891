// `npm run lock`: writes package-lock.json anew, without the addresses that packages came from: any registry serves them.
// (npm's own omit-lockfile-registry-resolved loses the versions of optional packages.)
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'weft-lock-'));
cpSync(join(root, 'package.json'), join(folder, 'package.json'));
execFileSync('npm', ['install', '--package-lock-only', '--no-omit-lockfile-registry-resolved', '--loglevel=error'], {
  cwd: folder,
  stdio: 'inherit',
});
const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
rmSync(folder, { recursive: true });
for (const entry of Object.values(lock.packages)) delete entry.resolved;
writeFileSync(join(root, 'package-lock.json'), `${JSON.stringify(lock, null, 2)}\n`);
