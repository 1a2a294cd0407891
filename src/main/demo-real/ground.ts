/**
 * The ground that the demo stands on: network namespaces, a folder, a record of both, and how all of it goes away.
 *
 * Invariants. Everything that is made has the demo's prefix in its name, and is in the record before it is made. It goes when
 * the demo ends, however that ends: by remove(); by the watchdog, a process of its own that waits for the end of this one;
 * and by the next start, which reads the records of those that are no more.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Records of demos that run, one file a process. */
const RECORDS = '/run/weft-demo';

interface GroundRecord {
  readonly pid: number;
  /** Start of the process in clock ticks since boot: tells it from a later one with its number. */
  readonly startedAt: string;
  readonly folder: string;
  readonly namespaces: readonly string[];
}

/** Field 22 of /proc/PID/stat (proc(5)); empty when there is no such process. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

const ip = (...args: readonly string[]): { readonly ok: boolean; readonly out: string } => {
  const { status, stdout, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  return { ok: status === 0, out: status === 0 ? stdout : stderr };
};

/** Ends the processes of a namespace, and removes it. */
function removeNamespace(name: string): void {
  const pids = ip('netns', 'pids', name);
  if (!pids.ok) return;
  for (const pid of pids.out.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // ended by itself
    }
  }
  ip('netns', 'del', name);
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export class Ground {
  readonly folder: string;
  readonly #prefix = `weft-demo-${process.pid}`;
  readonly #record: string;
  readonly #namespaces: readonly string[];
  readonly #children = new Set<ChildProcess>();
  readonly #watchdog: ChildProcess;

  /** @throws Error with words for the user */
  constructor(places: readonly string[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'weft-demo-'));
    this.#namespaces = places.map((place) => this.netns(place));
    this.#record = join(RECORDS, `${process.pid}.json`);
    const record: GroundRecord = {
      pid: process.pid,
      startedAt: startOf(process.pid),
      folder: this.folder,
      namespaces: this.#namespaces,
    };
    mkdirSync(RECORDS, { recursive: true });
    writeFileSync(this.#record, JSON.stringify(record));
    this.#watchdog = this.#startWatchdog();
    try {
      for (const name of this.#namespaces) {
        this.ip('netns', 'add', name);
        this.ip('-n', name, 'link', 'set', 'lo', 'up');
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Sleeps until its input ends, which it does with this process, in whatever way; then removes what is left. */
  #startWatchdog(): ChildProcess {
    const names = this.#namespaces.map(quote).join(' ');
    const script = `cat >/dev/null
      for name in ${names}; do
        for pid in $(ip netns pids "$name" 2>/dev/null); do kill -9 "$pid"; done
        ip netns del "$name"
      done
      rm -rf ${quote(this.folder)} ${quote(this.#record)}`;
    const child = spawn('sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    child.on('error', () => undefined);
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
    return child;
  }

  /** Name for ip(8) of one of the places. */
  netns(place: string): string {
    return `${this.#prefix}-${place}`;
  }

  /** @throws Error with what ip(8) said */
  ip(...args: readonly string[]): void {
    const { ok, out } = ip(...args);
    if (!ok) throw new Error(`ip ${args.join(' ')}: ${out.trim()}`);
  }

  /** Runs a program in a place to its end, and gives what it printed, whatever its status. */
  run(place: string, program: string, ...args: readonly string[]): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const command = ['netns', 'exec', this.netns(place), program, ...args];
    const child = execFile('ip', command, { timeout: 60_000, killSignal: 'SIGKILL' }, (_error, out) => {
      this.#children.delete(child);
      resolve(out);
    });
    this.#children.add(child);
    return promise;
  }

  /** Starts a program in a place. */
  start(place: string, program: string, ...args: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.netns(place), program, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Ctrl-C is for the demo, which ends the others in order
      detached: true,
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Removes everything. May be called more than once. */
  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const name of this.#namespaces) removeNamespace(name);
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(this.#record, { force: true });
    this.#watchdog.stdin?.destroy();
  }
}

function readRecord(path: string): GroundRecord | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as GroundRecord;
  } catch {
    return null;
  }
}

/** Removes what demos left that ended without doing so. Returns how many there were. */
export function removeLeftovers(): number {
  let files: string[] = [];
  try {
    files = readdirSync(RECORDS).filter((name) => name.endsWith('.json'));
  } catch {
    // no demo was here yet
  }
  let count = 0;
  for (const file of files) {
    const record = readRecord(join(RECORDS, file));
    if (record && startOf(record.pid) === record.startedAt) continue;
    count++;
    // nothing but what a demo makes, whatever the record says
    const names = (record?.namespaces ?? []).filter((name) => /^weft-demo-\d+-\w+$/.test(name));
    for (const name of names) removeNamespace(name);
    if (record?.folder.startsWith(join(tmpdir(), 'weft-demo-')))
      rmSync(record.folder, { recursive: true, force: true });
    rmSync(join(RECORDS, file), { force: true });
  }
  return count;
}
