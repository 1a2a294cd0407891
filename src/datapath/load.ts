/** Finds and compiles the built datapath module. A compiled module is immutable: one serves any number of datapaths. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, type Result } from '../lib/result.ts';

export interface ModuleChoice {
  /** `release` when left out; `debug` keeps names and checks. */
  readonly build?: 'release' | 'debug';
  /** For a memory that several threads share; the module must match the memory. */
  readonly isShared?: boolean;
}

const compiled = new Map<string, WebAssembly.Module>();

const fileName = ({ build = 'release', isShared = false }: ModuleChoice): string =>
  `weft${isShared ? '.shared' : ''}${build === 'debug' ? '.debug' : ''}.wasm`;

/** The build folder lies beside src in a checkout, and beside dist in an installed package. */
function findModule(name: string): string | null {
  for (const up of [
    ['..', '..'],
    ['..', '..', '..'],
  ]) {
    const path = join(import.meta.dirname, ...up, 'build', name);
    if (existsSync(path)) return path;
  }
  return null;
}

export function loadModule(choice: ModuleChoice = {}): Result<WebAssembly.Module> {
  const name = fileName(choice);
  const path = findModule(name);
  if (!path) return fail(`build/${name} is not there: run "npm run build:wasm"`);
  const known = compiled.get(path);
  if (known) return ok(known);
  try {
    const module = new WebAssembly.Module(readFileSync(path));
    compiled.set(path, module);
    return ok(module);
  } catch (error) {
    return fail(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
