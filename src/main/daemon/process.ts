/**
 * What makes a process a daemon: record locks, a pidfile, going to the background, and being watched there.
 *
 * Open vSwitch's programs believe a pidfile, and keep off a database, only when a POSIX record lock is on the file, held by the
 * process itself. Node has no call for that, but SQLite takes exactly such locks when a transaction is exclusive, and it comes
 * with Node; an empty file is an empty database to it, and it writes nothing into it.
 */
import { spawn } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

/** Set in the environment of the process that the one on the terminal has started. */
const DETACHED = 'WEFT_DETACHED';
/** Set in the environment of the process that another one watches. */
const WATCHED = 'WEFT_WATCHED';
const READY_FD = 3;
/** Milliseconds. */
const RESTART_INTERVAL = 10_000;

/** A file that this process has under a record lock. The lock ends with close(), or with the process. */
export class LockedFile {
  readonly path: string;
  readonly #fd: number;
  readonly #database: DatabaseSync;

  private constructor(path: string, fd: number, database: DatabaseSync) {
    this.path = path;
    this.#fd = fd;
    this.#database = database;
  }

  /**
   * Locks a file, which is emptied or made.
   * @returns null when another process has it locked
   * @throws Error of node:fs when it cannot be opened
   */
  static lock(path: string, mode: number): LockedFile | null {
    // Closing any descriptor of a file drops the process's locks on it: this one stays open as long as the lock
    const fd = openSync(path, 'a+', mode);
    const isLockedByOther = isLocked(path);
    if (isLockedByOther) {
      closeSync(fd);
      return null;
    }
    ftruncateSync(fd);
    try {
      const database = new DatabaseSync(path);
      database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
      return new LockedFile(path, fd, database);
    } catch {
      closeSync(fd);
      return null;
    }
  }

  write(text: string): void {
    writeSync(this.#fd, text);
  }

  /** Removes the file, while the lock is still there. */
  remove(): void {
    rmSync(this.path, { force: true });
    this.close();
  }

  close(): void {
    this.#database.close();
    closeSync(this.#fd);
  }
}

/** Whether some other process has a lock on a file, without touching it. */
function isLocked(path: string): boolean {
  const inode = statSync(path).ino;
  try {
    const locks = readFileSync('/proc/locks', 'utf8');
    return [...locks.matchAll(/^\d+: POSIX +\w+ +\w+ (\d+) \w+:\w+:(\d+) /gm)].some(
      ([, pid, locked]) => Number(pid) !== process.pid && Number(locked) === inode,
    );
  } catch {
    return false;
  }
}

/** The lock file of a database file, as the reference names it. */
export const lockFileOf = (database: string): string => join(dirname(database), `.${basename(database)}.~lock~`);

/** Gives this process the name that scripts look for in /proc: ovs-ctl believes that a daemon runs when its process has it. */
export function nameProcess(name: string): void {
  try {
    writeFileSync('/proc/self/comm', name);
  } catch {
    // no Linux
  }
}

export const isDetachedChild = (): boolean => process.env[DETACHED] === '1';

/**
 * Starts this program again in the background, in a session of its own, and waits until that says that it is ready.
 * @returns the status to end with
 */
export async function detach(): Promise<number> {
  const args = [...process.execArgv, ...process.argv.slice(1)];
  const child = spawn(process.execPath, args, {
    detached: true,
    env: { ...process.env, [DETACHED]: '1' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  child.stderr!.on('data', (text: Buffer) => void process.stderr.write(text));
  const { promise, resolve } = Promise.withResolvers<number>();
  child.stdio[READY_FD]!.once('data', () => resolve(0));
  child.once('close', (status) => resolve(status ?? 1));
  const status = await promise;
  child.unref();
  return status;
}

/** Tells the process that waits in detach(), or in watch(), that it may go on. */
export function sayReady(): void {
  writeSync(READY_FD, 'ready\n');
  closeSync(READY_FD);
}

export const isWatchedChild = (): boolean => process.env[WATCHED] === '1';

/** Ends that are those of a program with a fault: it is started again after them. */
const faults: ReadonlySet<string | null> = new Set([
  'SIGABRT',
  'SIGALRM',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
  'SIGPIPE',
  'SIGSEGV',
  'SIGXCPU',
  'SIGXFSZ',
]);

/**
 * Runs this program again as a child, and yet again whenever it dies of a fault, ten seconds apart at least.
 * @param onReady called when the child is ready for the first time
 * @param onFault called with what it died of
 * @returns the status to end with
 */
export async function watch(onReady: () => void, onFault: (signal: string) => void): Promise<number> {
  for (let started = -RESTART_INTERVAL; ; ) {
    const wait = started + RESTART_INTERVAL - performance.now();
    if (wait > 0) await delay(wait);
    started = performance.now();
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      env: { ...process.env, [DETACHED]: '1', [WATCHED]: '1' },
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    });
    child.stdio[READY_FD]!.once('data', onReady);
    const { promise, resolve } = Promise.withResolvers<{ status: number | null; signal: string | null }>();
    child.once('exit', (status, signal) => resolve({ status, signal }));
    const { status, signal } = await promise;
    if (!faults.has(signal)) return status ?? 0;
    onFault(signal!);
  }
}

/**
 * Writes and locks the pidfile.
 * @throws Error with words for the user
 */
export function writePidfile(path: string): LockedFile {
  const file = LockedFile.lock(path, 0o644);
  if (!file) throw new Error(`${path}: already running, aborting`);
  file.write(`${process.pid}\n`);
  return file;
}
