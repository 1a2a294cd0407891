/** A daemon's control socket: where it is, and one command over it (ovs-appctl(8), "-t"). */
import { readFileSync, statSync } from 'node:fs';
import type { Json } from '../../ovsdb/json.ts';
import { type CliIo, Fatal, logLine, rundirOf } from '../common/io.ts';
import { reasonOf } from '../common/reasons.ts';
import { ConnectionError, noTls, Rpc } from '../common/rpc.ts';

/** True when somebody has a record lock on the file: only a daemon that runs has one on its pidfile. */
function isLocked(file: string): boolean {
  try {
    const locks = readFileSync('/proc/locks', 'latin1');
    return new RegExp(` [0-9a-f]+:[0-9a-f]+:${statSync(file).ino} `).test(locks);
  } catch {
    // Without /proc the pid alone has to do
    return true;
  }
}

/** The pid in a pidfile. @throws Fatal */
function readPid(io: CliIo, file: string): number {
  const wrong = (why: string): Fatal => new Fatal(`cannot read pidfile "${file}" (${why})`);
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    logLine(io, 'daemon_unix', 'WARN', `${file}: open: ${reasonOf(error)}`);
    throw wrong(reasonOf(error));
  }
  const pid = Number.parseInt(text, 10);
  if (!isLocked(file) || !(pid > 0)) throw wrong('No such process');
  return pid;
}

/** The socket of a target: a path, or the name of a program with a pidfile. @throws Fatal */
export function socketOf(io: CliIo, target: string): string {
  if (target.startsWith('/')) return target;
  const base = `${rundirOf(io)}/${target}`;
  return `${base}.${readPid(io, `${base}.pid`)}.ctl`;
}

/**
 * Asks a daemon to run a command.
 * @returns its answer: text, or an error's text
 * @throws Fatal when it cannot be asked
 */
export async function callDaemon(
  io: CliIo,
  target: string,
  command: string,
  args: readonly string[],
): Promise<{ readonly text: string; readonly isError: boolean }> {
  const path = socketOf(io, target);
  let rpc: Rpc;
  try {
    rpc = await Rpc.connect(`unix:${path}`, noTls());
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    logLine(io, 'unixctl', 'WARN', `failed to connect to ${path}`);
    throw new Fatal(`cannot connect to "${path}" (${error.message})`);
  }
  try {
    const { result, error } = await rpc.request(command, args);
    const answer: Json = error ?? result;
    return { text: typeof answer === 'string' ? answer : '', isError: error !== null };
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    throw new Fatal(`${target}: transaction error (${error.message})`);
  } finally {
    rpc.close();
  }
}
