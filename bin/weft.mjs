#!/usr/bin/env node
// The weft command. From an installed package it runs the compiled files, from a checkout the sources. Plain JavaScript that
// any Node >= 18 can run: where that is too old, the pinned Node that came with the packages takes over.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 24 || (major === 24 && minor >= 11)) {
  const source = new URL('../src/main/weft.ts', import.meta.url);
  const compiled = new URL('../dist/src/main/weft.js', import.meta.url);
  await import(existsSync(fileURLToPath(source)) ? source.href : compiled.href);
} else {
  const name = `node-${process.platform}-${process.arch}`;
  const places = [join(root, 'node_modules'), join(root, '..'), join(root, '.toolchain', 'node_modules')];
  const node = places.map((place) => join(place, name, 'bin', 'node')).find((file) => existsSync(file));
  if (!node) {
    process.stderr.write(`weft: needs Node 24.11 or later, and this is ${process.version}\n`);
    process.exit(2);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (status, signal) => process.exit(status ?? 128 + constants.signals[signal]));
}
