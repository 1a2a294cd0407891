/**
 * A private reference switch: Debian's Open vSwitch with its userspace datapath on dummy devices and a clock that
 * stands still. Every differential test asks it what the right answer is.
 *
 * Terms. *inject*: a frame comes in by a port. *framesOut*: what the port has sent since the last time it was asked.
 * *warp*: moves the clock.
 *
 * Invariants. Needs no privileges and touches nothing outside a temporary folder. Its two processes are children of
 * this one and end with it, whatever happens. When Open vSwitch is not installed, start() throws: a differential test
 * is never skipped.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../src/lib/bytes.ts';

const VSWITCHD_PLACES = ['/usr/lib/openvswitch-switch/ovs-vswitchd', '/usr/sbin/ovs-vswitchd'];
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const START_MS_MAX = 20_000;
const CALL_MS_MAX = 20_000;

/**
 * Which interface types are dummies: all of them, or ordinary devices only, so that tunnels are tunnels and leave by the
 * bridge that the routing table says.
 */
export type DummyDevices = 'override' | 'system';

export interface BridgeOptions {
  /** secure: no flow but those of the test; standalone: one NORMAL rule. */
  readonly failMode?: 'secure' | 'standalone';
  /** Further settings of ovs-vsctl's `set bridge`, such as `protocols=[OpenFlow15]`. */
  readonly settings?: readonly string[];
}

/** The text of a command that failed, with what it said. */
export class OracleError extends Error {
  readonly output: string;

  constructor(command: string, output: string) {
    super(`${command}: ${output.trim()}`);
    this.output = output;
  }
}

export class Oracle {
  /** Its run-time folder: sockets, pcap files and log. */
  readonly dir: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #children: ChildProcess[] = [];
  readonly #read = new Map<string, number>();
  readonly #onExit = (): void => this.close();
  #closed = false;

  private constructor(dir: string) {
    this.dir = dir;
    this.#env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, OVS_SYSCONFDIR: dir };
    process.once('exit', this.#onExit);
  }

  /**
   * Starts a database server and a switch, with its clock standing still.
   * @throws when Open vSwitch is not installed or does not come up
   */
  static async start(dummies: DummyDevices = 'override'): Promise<Oracle> {
    const vswitchd = VSWITCHD_PLACES.find((place) => existsSync(place));
    if (!vswitchd || !existsSync(SCHEMA)) {
      throw new Error('the reference switch is not installed: apt-get install openvswitch-switch');
    }
    const oracle = new Oracle(mkdtempSync(join(tmpdir(), 'weft-oracle-')));
    try {
      await oracle.#boot(vswitchd, dummies);
      return oracle;
    } catch (error) {
      oracle.close();
      throw error;
    }
  }

  async #boot(vswitchd: string, dummies: DummyDevices): Promise<void> {
    const { dir } = this;
    this.#run('ovsdb-tool', ['create', join(dir, 'conf.db'), SCHEMA]);
    this.#spawn('ovsdb-server', [
      `--remote=punix:${join(dir, 'db.sock')}`,
      `--unixctl=${join(dir, 'ovsdb.ctl')}`,
      join(dir, 'conf.db'),
    ]);
    await this.#waitFor(() => existsSync(join(dir, 'db.sock')), 'the database server');
    this.vsctl('--no-wait', 'init');
    this.#spawn(vswitchd, [
      `--enable-dummy=${dummies}`,
      '--disable-system',
      `--unixctl=${join(dir, 'vswitchd.ctl')}`,
      `--log-file=${join(dir, 'vswitchd.log')}`,
      '-vconsole:off',
      '-vsyslog:off',
      `unix:${join(dir, 'db.sock')}`,
    ]);
    await this.#waitFor(() => existsSync(join(dir, 'vswitchd.ctl')), 'the switch');
    // Megaflows that a test installs by hand are not to be looked at again
    this.vsctl('set', 'Open_vSwitch', '.', 'other_config:max-idle=10000000', 'other_config:max-revalidator=10000000');
    this.appctl('time/stop');
  }

  #spawn(command: string, args: readonly string[]): void {
    const console = openSync(join(this.dir, 'console.log'), 'a');
    const child = spawn(command, args, { env: this.#env, stdio: ['ignore', console, console], cwd: this.dir });
    closeSync(console);
    child.on('error', () => undefined);
    child.unref();
    this.#children.push(child);
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

  /** What the two processes have said and logged so far. */
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

  /**
   * A dummy port whose frames framesOut() shows.
   * @param ofport OpenFlow port number
   * @param settings further settings of ovs-vsctl's `set interface`, such as `options:…`
   * @param portSettings settings of its row in the Port table, such as `tag=5`
   */
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
    this.settle();
  }

  /** Returns when what was injected has gone through: one more turn of the switch's main loop. */
  settle(): void {
    this.appctl('version');
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
    this.settle();
  }

  /** Ends both processes and removes the folder. Safe to call twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    process.removeListener('exit', this.#onExit);
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}
