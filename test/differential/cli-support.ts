/** A client of the reference and ours, each on a database of its own, given the same command lines. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { CliIo } from '../../src/cli/common/io.ts';
import type { DatabaseServer } from './ovsdb-support.ts';

export interface Outcome {
  readonly out: string;
  readonly err: string;
  readonly status: number | null;
}

/** The status of a program that an alarm clock ended. */
const ALARM = 142;

/** Runs a program of the reference. */
export function reference(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  stdin: string | null = null,
  cwd?: string,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, cwd, stdio: [stdin === null ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ out, err, status: signal === 'SIGALRM' ? ALARM : status }));
    child.stdin?.end(stdin);
  });
}

/** Runs one of our clients in this process. */
export async function ours(
  run: (args: readonly string[], io: CliIo) => Promise<number>,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  stdin = '',
  signal?: AbortSignal,
): Promise<Outcome> {
  let [out, err] = ['', ''];
  const status = await run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    stdin: () => stdin,
    env,
    now: () => performance.now(),
    date: () => Date.now(),
    uuid: () => randomUUID(),
    ...(signal ? { signal } : {}),
  });
  return { out, err, status };
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** Text without what differs from run to run. */
export function mask(text: string, dir: string): string {
  return text
    .replaceAll(dir, 'DIR')
    .replaceAll(UUID, (uuid) => (/^[0-]+\d?$/.test(uuid) ? uuid : '<uuid>'))
    .replaceAll(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\|\d+\|/gm, '<log>|')
    .replaceAll(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?/g, '<time>');
}

/** The whole of a database, as far as two databases can be the same. */
export async function content(server: DatabaseServer): Promise<string> {
  const dump = await server.run('ovsdb-client', ['--timeout=10', '-f', 'list', 'dump', server.socket, 'Open_vSwitch']);
  return sortLines(mask(dump, server.dir));
}

/** Rows come in the order of a hash table: where that shows, lines are compared as sets. */
export const sortLines = (text: string): string => text.split('\n').sort().join('\n');

/** Scenarios of a file: `=== name` begins one, lines that begin with # are comments. */
export function scenariosOf(text: string): { readonly name: string; readonly lines: readonly string[] }[] {
  const parts = text.split(/^=== /m).slice(1);
  return parts.map((part) => {
    const [name, ...lines] = part.split('\n').filter((line) => !line.startsWith('#'));
    return { name: name!, lines: lines.slice(0, lines.findLastIndex((line) => line !== '') + 1) };
  });
}
