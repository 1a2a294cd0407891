/**
 * Our switch daemon in the place of the reference's: Debian's database server, our ovs-vswitchd, and Debian's unmodified ovs-vsctl,
 * ovs-ofctl and ovs-appctl. The same face as Oracle, and `compare`, which runs one readable script on both and says where they
 * answer differently.
 *
 * Terms. *scenario*: lines of a script: `vsctl …`, `ofctl …`, `appctl …` (their output and exit count), `try …` (the same, when a
 * failure is meant), `bridge NAME [fail_mode]`, `port BRIDGE NAME NUMBER [setting …] [-- column=value …]`, `inject PORT FRAME …`,
 * `frames PORT`, `warp MS`, `wait` (until the switch has settled). A line that begins with `#` is a comment. Words are split at blanks; single
 * quotes keep them together.
 *
 * Invariants. One pair of switches serves many scenarios: bridges are removed behind each. Outputs are compared after UUIDs,
 * durations, made-up MAC addresses and folders are masked.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { toHex } from '../../src/lib/bytes.ts';
import { type BridgeOptions, type DummyDevices, Oracle, OracleError } from './oracle.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const MAIN = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'src', 'main', 'ovs-vswitchd.ts');
const START_MS_MAX = 20_000;
const CALL_MS_MAX = 20_000;

export interface SubjectOptions {
  readonly dummies?: DummyDevices;
  /** Further options of the daemon's command line. */
  readonly args?: readonly string[];
}

export class Subject {
  /** Its run-time folder: sockets, pcap files and log. */
  readonly dir: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #children: ChildProcess[] = [];
  readonly #read = new Map<string, number>();
  readonly #onExit = (): void => this.close();
  readonly #args: readonly string[];
  #daemon: ChildProcess | null = null;
  #closed = false;

  private constructor(dir: string, { dummies = 'override', args = [] }: SubjectOptions) {
    this.dir = dir;
    this.#env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, OVS_SYSCONFDIR: dir };
    this.#args = [`--enable-dummy=${dummies}`, ...args];
    process.once('exit', this.#onExit);
  }

  /** Starts a database server and our switch, with its clock standing still. */
  static async start(options: SubjectOptions = {}): Promise<Subject> {
    const subject = new Subject(mkdtempSync(join(tmpdir(), 'weft-subject-')), options);
    try {
      await subject.#boot();
      return subject;
    } catch (error) {
      subject.close();
      throw error;
    }
  }

  async #boot(): Promise<void> {
    const { dir } = this;
    this.#run('ovsdb-tool', ['create', join(dir, 'conf.db'), SCHEMA]);
    this.#spawn('ovsdb-server', [
      `--remote=punix:${join(dir, 'db.sock')}`,
      `--unixctl=${join(dir, 'ovsdb.ctl')}`,
      join(dir, 'conf.db'),
    ]);
    await this.#waitFor(() => existsSync(join(dir, 'db.sock')), 'the database server');
    this.vsctl('--no-wait', 'init');
    await this.startDaemon();
    this.vsctl('set', 'Open_vSwitch', '.', 'other_config:max-idle=10000000', 'other_config:max-revalidator=10000000');
    this.appctl('time/stop');
  }

  /** Starts the switch, again after stopDaemon(). */
  async startDaemon(): Promise<void> {
    const { dir } = this;
    const options = [
      '--disable-system',
      `--unixctl=${join(dir, 'vswitchd.ctl')}`,
      `--log-file=${join(dir, 'vswitchd.log')}`,
    ];
    const quiet = ['-vconsole:off', '-vsyslog:off', `unix:${join(dir, 'db.sock')}`];
    const node = ['--disable-warning=ExperimentalWarning'];
    this.#daemon = this.#spawn(process.execPath, [...node, MAIN, ...this.#args, ...options, ...quiet]);
    await this.#waitFor(() => existsSync(join(dir, 'vswitchd.ctl')), 'the switch');
  }

  /** Ends the switch by its `exit`; the database stays. */
  async stopDaemon(): Promise<void> {
    const daemon = this.#daemon!;
    const gone = new Promise((done) => daemon.once('exit', done));
    this.appctl('exit');
    await gone;
    this.#children.splice(this.#children.indexOf(daemon), 1);
  }

  get pid(): number {
    return this.#daemon!.pid!;
  }

  #spawn(command: string, args: readonly string[]): ChildProcess {
    const console = openSync(join(this.dir, 'console.log'), 'a');
    const child = spawn(command, args, { env: this.#env, stdio: ['ignore', console, console], cwd: this.dir });
    closeSync(console);
    child.on('error', () => undefined);
    child.unref();
    this.#children.push(child);
    return child;
  }

  async #waitFor(isThere: () => boolean, what: string): Promise<void> {
    for (let waited = 0; waited < START_MS_MAX; waited += 20) {
      if (isThere()) return;
      if (this.#children.some((child) => child.exitCode !== null || child.pid === undefined)) break;
      await delay(20);
    }
    throw new Error(`${what} did not come up: ${this.log()}`);
  }

  #run(command: string, args: readonly string[]): string {
    const { stdout, stderr, status, error } = spawnSync(command, args, {
      env: this.#env,
      encoding: 'utf8',
      timeout: CALL_MS_MAX,
      maxBuffer: 1 << 28,
    });
    if (error) throw new OracleError(command, String(error));
    if (status !== 0) throw new OracleError([command, ...args].join(' '), stderr + stdout);
    return stdout;
  }

  /** What the processes have said and logged so far. */
  log(): string {
    const files = ['console.log', 'vswitchd.log'].map((name) => join(this.dir, name));
    return files.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')).join('');
  }

  vsctl(...args: readonly string[]): string {
    return this.#run('ovs-vsctl', ['--timeout=10', `--db=unix:${join(this.dir, 'db.sock')}`, ...args]);
  }

  ofctl(...args: readonly string[]): string {
    return this.#run('ovs-ofctl', ['--timeout=10', ...args]);
  }

  appctl(...args: readonly string[]): string {
    return this.#run('ovs-appctl', ['--timeout=10', `--target=${join(this.dir, 'vswitchd.ctl')}`, ...args]);
  }

  addBridge(name: string, { failMode = 'secure', settings = [] }: BridgeOptions = {}): void {
    const protocols = settings.some((s) => s.startsWith('protocols='))
      ? []
      : ['protocols=[OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15]'];
    const base = ['datapath_type=dummy', `fail_mode=${failMode}`, ...protocols];
    this.vsctl('add-br', name, '--', 'set', 'bridge', name, ...base, ...settings);
  }

  /** A dummy port whose frames framesOut() shows: as Oracle's. */
  addPort(
    bridge: string,
    name: string,
    ofport: number,
    settings: readonly string[] = [],
    portSettings: readonly string[] = [],
  ): void {
    const own = ['type=dummy', `ofport_request=${ofport}`, `options:tx_pcap=${this.#pcapOf(name)}`];
    const port = portSettings.length > 0 ? ['--', 'set', 'port', name, ...portSettings] : [];
    this.vsctl('add-port', bridge, name, '--', 'set', 'interface', name, ...own, ...settings, ...port);
  }

  /** Numbers of the datapath's ports, by name. */
  datapathPorts(): Map<string, number> {
    const ports = new Map<string, number>();
    for (const [, number, name] of this.appctl('dpctl/show').matchAll(/^\s+port (\d+): (\S+)/gm)) {
      ports.set(name!, Number(number));
    }
    return ports;
  }

  /** Frames come in by a port: hexadecimal digits, bytes, or flow syntax of netdev-dummy/receive. */
  inject(port: string, ...frames: readonly (string | Uint8Array)[]): void {
    this.appctl('netdev-dummy/receive', port, ...frames.map((f) => (typeof f === 'string' ? f : toHex(f))));
  }

  /** The frames that a port has sent since the last call, oldest first. */
  framesOut(port: string): Uint8Array[] {
    const file = this.#pcapOf(port);
    if (!existsSync(file)) throw new Error(`no such port: ${port}`);
    const bytes = readFileSync(file);
    const frames: Uint8Array[] = [];
    let at = this.#read.get(port) ?? 24;
    while (at + 16 <= bytes.length) {
      const size = bytes.readUInt32LE(at + 8);
      if (at + 16 + size > bytes.length) break;
      frames.push(Uint8Array.from(bytes.subarray(at + 16, at + 16 + size)));
      at += 16 + size;
    }
    this.#read.set(port, at);
    return frames;
  }

  #pcapOf(port: string): string {
    return join(this.dir, `${port}.pcap`);
  }

  /** Moves the clock, in one step, by so many milliseconds. */
  warp(ms: number): void {
    this.appctl('time/warp', String(ms), String(ms));
  }

  /** Ends all processes and removes the folder. Safe to call twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    process.removeListener('exit', this.#onExit);
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

type Face = Oracle | Subject;

/** Both switches, side by side. */
export interface Pair {
  readonly oracle: Oracle;
  readonly subject: Subject;
}

export async function startPair(options: SubjectOptions = {}): Promise<Pair> {
  const [oracle, subject] = await Promise.all([Oracle.start(options.dummies), Subject.start(options)]);
  return { oracle, subject };
}

export function closePair(pair: Pair | undefined): void {
  pair?.oracle.close();
  pair?.subject.close();
}

const splitWords = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

/** What differs from run to run. */
function mask(text: string, dir: string): string {
  return text
    .replaceAll(dir, 'DIR')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replace(/\b(duration|idle_age|hard_age)=[0-9.]+s?/g, '$1=N')
    .replace(/used:(never|[0-9.]+s)/g, 'used:T')
    .replace(/\(xid=0x[0-9a-f]+\)/g, '(xid=X)')
    .replace(/\(Weft, for Open vSwitch\)/g, '(Open vSwitch)')
    .replace(/\brecirc_id([=(])(?!0\b(?!x)|0x0\b)(0x)?[0-9a-f]+/g, 'recirc_id$1N')
    .replace(/\brecirc\(0x[0-9a-f]+\)/g, 'recirc(N)')
    .replace(/(LOCAL\([^)]*\): addr:)[0-9a-f:]{17}/g, '$1MAC')
    .replace(/dpid:0000(?!0000)[0-9a-f]{12}/g, 'dpid:MADE-UP')
    .replace(/aa:55:aa:55:[0-9a-f]{2}:[0-9a-f]{2}/g, 'aa:55:aa:55:NN:NN')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z\|/g, 'TIME|');
}

const failed = (error: unknown, dir: string): string => {
  if (error instanceof OracleError) return `FAILS: ${mask(error.output, dir)}`;
  throw error;
};

/** One line of a script; what it says. */
function runLine(face: Face, line: string): string {
  const [verb, ...words] = splitWords(line.replaceAll('@DIR', face.dir));
  const { dir } = face;
  switch (verb) {
    case 'bridge':
      face.addBridge(words[0]!, {
        failMode: words[1] === 'secure' ? 'secure' : 'standalone',
        settings: words.slice(2),
      });
      return '';
    case 'port': {
      const [bridge, name, number, ...rest] = words as [string, string, string, ...string[]];
      const at = rest.indexOf('--');
      const [own, port] = at < 0 ? [rest, []] : [rest.slice(0, at), rest.slice(at + 1)];
      face.addPort(bridge, name, Number(number), own, port);
      return '';
    }
    case 'inject':
      face.inject(words[0]!, ...words.slice(1));
      return '';
    case 'frames':
      return face
        .framesOut(words[0]!)
        .map((frame) => `${toHex(frame)}\n`)
        .join('');
    case 'warp':
      face.warp(Number(words[0]));
      return '';
    case 'vsctl':
    case 'ofctl':
    case 'appctl':
      try {
        return mask(face[verb](...words), dir);
      } catch (error) {
        return failed(error, dir);
      }
    default:
      throw new Error(`no such verb: ${verb}`);
  }
}

/** Removes all bridges, so that the next scenario begins with nothing. */
function clear(face: Face): void {
  const bridges = face.vsctl('list-br').split('\n').filter(Boolean);
  if (bridges.length > 0) face.vsctl(...bridges.flatMap((name) => ['--', '--if-exists', 'del-br', name]).slice(1));
}

export interface Difference {
  readonly line: string;
  readonly reference: string;
  readonly ours: string;
}

/** Runs a scenario on both. @returns where they answered differently; empty when they are the same */
export function compare({ oracle, subject }: Pair, scenario: string): Difference[] {
  const differences: Difference[] = [];
  try {
    for (const raw of scenario.split('\n')) {
      const line = raw.trim();
      if (line === '' || line.startsWith('#')) continue;
      const reference = runLine(oracle, line);
      const ours = runLine(subject, line);
      if (reference !== ours) differences.push({ line, reference, ours });
    }
  } finally {
    clear(oracle);
    clear(subject);
  }
  return differences;
}
