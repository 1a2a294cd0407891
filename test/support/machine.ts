/**
 * A machine of its own for one test: network, processes, and the folders where Open vSwitch keeps its files, all private. Programs
 * see Debian's installation as it is, but for ovs-vswitchd and ovsdb-server, which are ours where the test says so.
 *
 * What. One `unshare` process holds the namespaces; everything runs inside by nsenter. Hosts are network namespaces inside, each
 * joined to the machine by a veth pair.
 *
 * Invariants. All processes of the machine end when its first one does: close() ends that one, and so does the end of the test's
 * process. Nothing stays in the file system but a folder that close() removes.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const root = dirname(dirname(import.meta.dirname));

const CALL_MS_MAX = 60_000;
/** Folders that are empty in every new machine. */
const PRIVATE = ['/run', ...['/etc', '/var/log', '/var/lib'].flatMap((at) => [`${at}/openvswitch`, `${at}/ovn`])];

export type DaemonName = 'ovs-vswitchd' | 'ovsdb-server';

interface MachineOptions {
  /** Which of the two daemons are ours. */
  readonly ours?: readonly DaemonName[];
}

interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a program that failed was, and what it said. */
class MachineError extends Error {}

/** The file that stands behind a program's name. */
const placeOf = (name: DaemonName): string =>
  execFileSync('readlink', ['-f', `/usr/sbin/${name}`], { encoding: 'utf8' }).trim();

export class Machine {
  /** For files of the test; the machine sees it under the same name. */
  readonly folder: string;
  readonly #holder: ChildProcess;
  readonly #children = new Set<ChildProcess>();
  readonly #atExit = (): void => this.#end();
  #pid = 0;

  static async create({ ours = ['ovs-vswitchd', 'ovsdb-server'] }: MachineOptions = {}): Promise<Machine> {
    const folder = mkdtempSync(join(tmpdir(), 'weft-machine-'));
    const machine = new Machine(folder, ours);
    try {
      await machine.#boot();
      return machine;
    } catch (error) {
      await machine.close();
      throw error;
    }
  }

  private constructor(folder: string, ours: readonly DaemonName[]) {
    this.folder = folder;
    process.once('exit', this.#atExit);
    const mounts = PRIVATE.filter((path) => existsSync(path)).map((path) => `mount -t tmpfs none ${path}`);
    for (const name of ours) {
      // A file that is mounted over another one does not know where it came from
      const wrapper = join(folder, name);
      writeFileSync(wrapper, `#!/bin/sh\nexec ${join(root, 'bin', name)} "$@"\n`);
      chmodSync(wrapper, 0o755);
      mounts.push(`mount --bind ${wrapper} ${placeOf(name)}`);
    }
    const folders = 'mkdir -p /run/openvswitch /run/netns /run/lock /run/ovn';
    // The first process must take in orphans, or they would never be gone
    const forever = 'while :; do sleep 3600 & wait; done';
    const script = [...mounts, folders, 'ip link set lo up', 'echo ready', forever];
    const spaces = ['--mount', '--net', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc'];
    this.#holder = spawn('unshare', [...spaces, '--propagation', 'private', 'sh', '-ec', script.join('\n')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#holder.on('error', () => undefined);
  }

  async #boot(): Promise<void> {
    let said = '';
    this.#holder.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = once(this.#holder, 'exit').then(() => {
      throw new MachineError(`no machine: ${said}`);
    });
    await Promise.race([once(this.#holder.stdout!, 'data'), ended]);
    ended.catch(() => undefined);
    const holder = this.#holder.pid!;
    this.#pid = Number(readFileSync(`/proc/${holder}/task/${holder}/children`, 'utf8').trim().split(' ')[0]);
  }

  #command(host: string | null, program: string, args: readonly string[]): [string, string[]] {
    const enter = ['--target', `${this.#pid}`, '--mount', '--net', '--pid', '--uts', '--ipc', '--'];
    const at = host === null ? [] : ['ip', 'netns', 'exec', host];
    return ['nsenter', [...enter, ...at, program, ...args]];
  }

  /** Runs a program to its end, in the machine or in one of its hosts. */
  ask(host: string | null, program: string, ...args: readonly string[]): Said {
    const { status, stdout, stderr, error } = spawnSync(...this.#command(host, program, args), {
      encoding: 'utf8',
      timeout: CALL_MS_MAX,
      maxBuffer: 1 << 26,
      cwd: '/',
    });
    if (error) throw new MachineError(`${program} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`);
    return { status, stdout, stderr };
  }

  /** @throws MachineError when the program fails */
  runIn(host: string | null, program: string, ...args: readonly string[]): string {
    const { status, stdout, stderr } = this.ask(host, program, ...args);
    if (status !== 0) throw new MachineError(`${[program, ...args].join(' ')}: status ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  run(program: string, ...args: readonly string[]): string {
    return this.runIn(null, program, ...args);
  }

  sh(script: string): string {
    return this.run('sh', '-ec', script);
  }

  /** Starts a program that goes on; what it says is in `said()` of what comes back. */
  start(host: string | null, program: string, ...args: readonly string[]): Running {
    const [command, all] = this.#command(host, program, args);
    const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    this.#children.add(child);
    return new Running(child);
  }

  vsctl(...args: readonly string[]): string {
    return this.run('ovs-vsctl', '--timeout=20', ...args);
  }

  ofctl(...args: readonly string[]): string {
    return this.run('ovs-ofctl', '--timeout=20', ...args);
  }

  appctl(...args: readonly string[]): string {
    return this.run('ovs-appctl', '--timeout=20', ...args);
  }

  /** Debian's own script, as its systemd units call it. */
  ovsCtl(...args: readonly string[]): Said {
    return this.ask(null, '/usr/share/openvswitch/scripts/ovs-ctl', ...args);
  }

  /** Both daemons as Debian starts them. @throws MachineError */
  startSwitch(): void {
    const { status, stdout, stderr } = this.ovsCtl('--system-id=random', '--no-record-hostname', 'start');
    if (status !== 0) throw new MachineError(`ovs-ctl start: ${stdout}${stderr}${this.log()}`);
  }

  /** What the daemons have logged. */
  log(): string {
    return this.ask(null, 'sh', '-c', 'cat /var/log/openvswitch/*.log').stdout;
  }

  /** A host on a veth pair: its eth0, with these addresses, is the machine's interface of the host's name. */
  addHost(name: string, ...addresses: readonly string[]): void {
    this.run('ip', 'netns', 'add', name);
    const peer = ['peer', 'name', 'eth0', 'netns', name];
    this.run('ip', 'link', 'add', 'name', name, 'type', 'veth', ...peer);
    this.run('ip', 'link', 'set', 'dev', name, 'addrgenmode', 'none', 'up');
    const at = ['-n', name];
    this.run('ip', ...at, 'link', 'set', 'lo', 'up');
    this.run('ip', ...at, 'link', 'set', 'eth0', 'addrgenmode', 'none', 'up');
    for (const address of addresses) this.run('ip', ...at, 'address', 'add', address, 'dev', 'eth0');
  }

  /** How many of so many echo requests are not answered. */
  ping(host: string, address: string, count = 3, ...options: readonly string[]): number {
    const args = ['-n', '-c', `${count}`, '-i', '0.1', '-W', '1', ...options, address];
    const { stdout } = this.ask(host, 'ping', ...args);
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
    if (sent === undefined) throw new MachineError(`ping ${address}: ${stdout}`);
    return Number(sent) - Number(received);
  }

  /** Pings until it is answered. @throws MachineError when it is not in time */
  async reach(host: string, address: string, within = 10_000): Promise<void> {
    await until(
      () => this.ping(host, address, 1) === 0,
      `${host} reaches ${address}`,
      within,
      () => this.log(),
    );
  }

  async close(): Promise<void> {
    this.#end();
    const children = [this.#holder, ...this.#children];
    for (const child of children)
      if (child.exitCode === null && child.signalCode === null && child.pid) await once(child, 'exit');
    process.removeListener('exit', this.#atExit);
  }

  #end(): void {
    if (this.#pid > 0) {
      try {
        process.kill(this.#pid, 'SIGKILL');
      } catch {
        // ended before
      }
    }
    this.#holder.kill('SIGKILL');
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A program that goes on. */
export class Running {
  readonly child: ChildProcess;
  #said = '';

  constructor(child: ChildProcess) {
    this.child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
      });
    }
    child.on('error', () => undefined);
  }

  get said(): string {
    return this.#said;
  }

  /** Waits for the end; what it said. */
  async ended(): Promise<string> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.#said;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    // nsenter stands before the program: its child gets the signal
    const { pid } = this.child;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    for (const one of children) process.kill(Number(one), signal);
    await this.ended();
  }
}

/** Asks again until it holds. @throws MachineError */
export async function until(
  holds: () => boolean,
  what: string,
  within = 10_000,
  more: () => string = () => '',
): Promise<void> {
  const end = performance.now() + within;
  while (!holds()) {
    if (performance.now() > end) throw new MachineError(`waited in vain until ${what}\n${more()}`);
    await delay(100);
  }
}

/** Why there can be no machines here; false when there can. */
export function whyNoMachine(...programs: readonly string[]): string | false {
  if (process.getuid?.() !== 0) return 'needs root, for namespaces';
  for (const program of ['unshare', 'nsenter', 'ip', 'ping', 'ovs-vsctl', ...programs])
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `needs ${program}`;
  return false;
}
