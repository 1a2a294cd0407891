/** Files for `weft run` and `weft apply`, read on this machine. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { readDesired } from '../../vswitchd/desired/read.ts';
import type { DesiredState } from '../../vswitchd/desired/types.ts';
import { checkFlow } from './flows.ts';

function fileText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function netnsOf(process: string): string {
  try {
    return readlinkSync(`/proc/${process}/ns/net`);
  } catch {
    return '';
  }
}

/** What tells this machine, or this network namespace on it, from others. */
function machineName(): string {
  const own = netnsOf('self');
  return [hostname(), fileText('/etc/machine-id').trim(), own === netnsOf('1') ? '' : own].join(' ');
}

/** @throws Error with one line a mistake */
export function readStateFile(path: string): DesiredState {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`);
  }
  const state = readDesired(source, machineName(), checkFlow);
  if (state.ok) return state.value;
  throw new Error(state.error.map((line) => `${path}: ${line}`).join('\n'));
}

/** What a file's rows are marked with. */
export const ownerOf = (file: string): string => basename(file);
