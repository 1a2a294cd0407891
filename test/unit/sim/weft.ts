/** Runs the weft command as a user does. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runWeft } from '../../../src/main/program.ts';

const program = fileURLToPath(new URL('../../../bin/weft.mjs', import.meta.url));

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** In a process of its own. */
export function spawnWeft(...args: readonly string[]): Run {
  const env = { ...process.env, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

/** In this process: much faster, and the same but for the terminal. */
export async function weft(...args: readonly string[]): Promise<Run> {
  let [stdout, stderr] = ['', ''];
  const status = await runWeft(args, {
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    paint: (_style, text) => text,
  });
  return { status, stdout, stderr };
}

/** A folder that is gone when the test is done. */
export function scratch(t: { after(fn: () => void): void }): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}
