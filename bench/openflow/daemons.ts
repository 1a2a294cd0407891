/** The two switches under test, each with Debian's database server in a folder of its own, side by side. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const REFERENCE = '/usr/lib/openvswitch-switch/ovs-vswitchd';
const OURS = join(dirname(dirname(import.meta.dirname)), 'bin', 'ovs-vswitchd');
/** Clock ticks of /proc/PID/stat in a second. */
const TICKS = 100;
const START_MS_MAX = 20_000;

export type SwitchName = 'Weft' | 'Open vSwitch';

export class SwitchUnderTest {
  readonly name: SwitchName;
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-bench-openflow-'));
  readonly #children: ChildProcess[] = [];
  readonly #nodeOptions: string;
  #daemon: ChildProcess | null = null;

  private constructor(name: SwitchName, nodeOptions: string) {
    this.name = name;
    this.#nodeOptions = nodeOptions;
    process.once('exit', this.close);
  }

  static async start(name: SwitchName, nodeOptions = ''): Promise<SwitchUnderTest> {
    const one = new SwitchUnderTest(name, nodeOptions);
    await one.#boot(name === 'Weft' ? OURS : REFERENCE);
    return one;
  }

  async #boot(program: string): Promise<void> {
    const { dir } = this;
    this.run('ovsdb-tool', 'create', join(dir, 'conf.db'), SCHEMA);
    this.#spawn('ovsdb-server', `--remote=punix:${join(dir, 'db.sock')}`, '--unixctl=none', join(dir, 'conf.db'));
    await this.#waitFor('db.sock');
    this.vsctl('--no-wait', 'init');
    const own = [`--unixctl=${join(dir, 'ctl')}`, `--log-file=${join(dir, 'log')}`, '--enable-dummy=override'];
    const quiet = ['--disable-system', '-vconsole:off', '-vsyslog:off', `unix:${join(dir, 'db.sock')}`];
    this.#daemon = this.#spawn(program, ...own, ...quiet);
    await this.#waitFor('ctl');
    // Megaflows stay for as long as a measurement takes
    this.vsctl('set', 'Open_vSwitch', '.', 'other_config:max-idle=600000');
  }

  #spawn(program: string, ...args: readonly string[]): ChildProcess {
    const { dir } = this;
    const folders = { OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, OVS_SYSCONFDIR: dir };
    const env = { ...process.env, ...folders, NODE_OPTIONS: this.#nodeOptions };
    const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'], cwd: dir });
    this.#children.push(child);
    return child;
  }

  async #waitFor(file: string): Promise<void> {
    for (let waited = 0; !existsSync(join(this.dir, file)); waited += 20) {
      if (waited > START_MS_MAX) throw new Error(`${this.name} did not make ${file}`);
      await delay(20);
    }
  }

  run(command: string, ...args: readonly string[]): string {
    return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'inherit'] });
  }

  vsctl(...args: readonly string[]): void {
    this.run('ovs-vsctl', '--timeout=30', `--db=unix:${join(this.dir, 'db.sock')}`, ...args);
  }

  appctl(...args: readonly string[]): string {
    return this.run('ovs-appctl', '--timeout=60', `--target=${join(this.dir, 'ctl')}`, ...args);
  }

  /** Debian's ovs-ofctl on a bridge, in OpenFlow 1.4. */
  ofctl(command: string, bridge: string, ...args: readonly string[]): string {
    return this.run('ovs-ofctl', '-OOpenFlow14', '--timeout=600', command, `unix:${this.socket(bridge)}`, ...args);
  }

  socket(bridge: string): string {
    return join(this.dir, `${bridge}.mgmt`);
  }

  addBridge(name: string): void {
    const settings = ['datapath_type=dummy', 'fail_mode=secure', 'protocols=[OpenFlow10,OpenFlow13,OpenFlow14]'];
    this.vsctl('add-br', name, '--', 'set', 'bridge', name, ...settings);
  }

  removeBridge(name: string): void {
    this.vsctl('del-br', name);
  }

  /** A dummy port whose frames come from and go to a socket that the bench listens on. */
  addPort(bridge: string, name: string, ofport: number, streamPath: string): void {
    const own = ['type=dummy', `ofport_request=${ofport}`, `options:stream=unix:${streamPath}`];
    this.vsctl('add-port', bridge, name, '--', 'set', 'interface', name, ...own);
  }

  /** Flows that the datapath has. */
  get megaflows(): number {
    return Number(/flows: (\d+)/.exec(this.appctl('dpctl/show'))?.[1] ?? Number.NaN);
  }

  dropMegaflows(): void {
    this.appctl('revalidator/purge');
  }

  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.#daemon!.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
  }

  /** Of all its threads, so far. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#daemon!.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }

  readonly close = (): void => {
    process.removeListener('exit', this.close);
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  };

  /** Ends the daemon so that it can write what it was asked to write (profiles). */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#daemon!.once('exit', resolve));
    this.appctl('exit');
    await ended;
    this.close();
  }
}
