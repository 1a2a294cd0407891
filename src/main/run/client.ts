/** Asking a running `weft run`: where its control socket is, and one question on it. */
import { readdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { UsageError } from '../failure.ts';

const ANSWER_SIZE_MAX = 64 << 20;
const TIMEOUT_MS = 5000;

/** Where processes have their state folders that go with them, by number. */
export const runFolder = (env: NodeJS.ProcessEnv): string => env.WEFT_RUNDIR ?? '/var/run/weft';

/** The state folder of a switch that a database configures. */
export const stateFolder = (env: NodeJS.ProcessEnv): string => env.WEFT_STATEDIR ?? '/var/lib/weft';

/** One command on a control socket. @throws Error with the answer's error, or why there was none */
export function askControl(path: string, method: string, params: readonly string[] = []): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = createConnection(path);
  let text = '';
  socket.setEncoding('utf8');
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`${path}: no answer`)));
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`${path}: closed before the answer`)));
  socket.on('connect', () => socket.write(JSON.stringify({ id: 0, method, params })));
  socket.on('data', (part: string) => {
    text += part;
    if (text.length > ANSWER_SIZE_MAX) socket.destroy(new Error(`${path}: too long an answer`));
    if (!text.endsWith('}')) return;
    let answer: { readonly result: string | null; readonly error: string | null };
    try {
      answer = JSON.parse(text);
    } catch {
      // there is more to come
      return;
    }
    if (answer.error === null) resolve(answer.result ?? '');
    else reject(new Error(answer.error.trimEnd()));
    socket.destroy();
  });
  return promise;
}

const list = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

/** The control socket of the one `weft run` there is. @throws UsageError when there is none, or more than one */
export async function findControl(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = runFolder(env);
  const own = list(folder).filter((name) => /^\d+$/.test(name));
  const folders = new Set([
    ...own.map((name) => join(folder, name, 'run')),
    join(stateFolder(env), 'run'),
    ...(env.OVS_RUNDIR ? [env.OVS_RUNDIR] : []),
  ]);
  const paths = [...folders].flatMap((one) =>
    list(one)
      .filter((name) => /^ovs-vswitchd\.\d+\.ctl$/.test(name))
      .map((name) => join(one, name)),
  );
  // a process that was killed leaves its socket behind
  const answers = await Promise.allSettled(paths.map((path) => askControl(path, 'version')));
  const alive = paths.filter((_, i) => answers[i]!.status === 'fulfilled');
  if (alive.length === 1) return alive[0]!;
  if (alive.length === 0)
    throw new UsageError(`no "weft run" was found in ${folder}: name its control socket with --ctl`);
  throw new UsageError(`more than one "weft run": name its control socket with --ctl (${alive.join(', ')})`);
}
