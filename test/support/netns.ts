/**
 * Network namespaces for one test: two ends and a switch between them. Everything that was made is removed by close(),
 * and by the end of the process should the test not come that far.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { loadNative } from '../../backends/native/index.ts';
import type { IoPort } from './io-ports.ts';
import type { IoReport } from './io-switch.ts';

/** Why tests in namespaces cannot run here; false when they can. Node's test runner prints it with the skip. */
export function whyNoNamespaces(): string | false {
  if (process.getuid?.() !== 0) return 'needs root, for network namespaces';
  if (spawnSync('ip', ['-V']).status !== 0) return 'needs ip (iproute2)';
  const addon = loadNative();
  return addon.ok ? false : addon.error;
}

export type Backend = IoPort['backend'];

export const ends = [
  { name: 'a', v4: '10.77.0.1', v6: 'fd77::1', inside: '10.78.0.1' },
  { name: 'b', v4: '10.77.0.2', v6: 'fd77::2', inside: '10.78.0.2' },
] as const;

let made = 0;

export class Namespaces {
  readonly #prefix = `weft-${process.pid}-${made++}`;
  readonly #names: string[] = [];
  readonly #children = new Set<ChildProcess>();
  readonly #atExit = (): void => this.#remove();

  constructor(names: readonly string[]) {
    process.once('exit', this.#atExit);
    for (const name of names) {
      this.ip('netns', 'add', this.full(name));
      this.#names.push(name);
      this.ip('-n', this.full(name), 'link', 'set', 'lo', 'up');
    }
  }

  /** The namespace's name for ip(8). */
  full(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  ip(...args: string[]): void {
    execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  /** Runs a program in a namespace to its end, and returns what it printed. @throws when it fails */
  run(name: string, program: string, ...args: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.full(name), program, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
  }

  /** Starts one of this folder's scripts in a namespace, with a channel for messages. */
  start(name: string, script: string, ...args: string[]): ChildProcess {
    const path = join(import.meta.dirname, script);
    const command = ['netns', 'exec', this.full(name), process.execPath, path, ...args];
    const child = spawn('ip', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Joins `end` to the switch: eth0 there, a port of the end's name here. */
  addVeth(end: string, mtu = 1500): void {
    const [at, size] = [this.full('s'), `${mtu}`];
    const peer = ['peer', 'name', 'eth0', 'mtu', size, 'netns', this.full(end)];
    this.ip('-n', at, 'link', 'add', 'name', end, 'mtu', size, 'type', 'veth', ...peer);
    this.ip('-n', at, 'link', 'set', 'dev', end, 'addrgenmode', 'none', 'up');
  }

  /** Two interfaces of one namespace, joined. */
  addPair(name: string, first: string, second: string): void {
    const at = this.full(name);
    this.ip('-n', at, 'link', 'add', 'name', first, 'type', 'veth', 'peer', 'name', second);
    for (const end of [first, second]) this.ip('-n', at, 'link', 'set', 'dev', end, 'addrgenmode', 'none', 'up');
  }

  /** A persistent TAP device. */
  addTap(name: string, device: string): void {
    this.ip('-n', this.full(name), 'tuntap', 'add', 'dev', device, 'mode', 'tap');
  }

  /** Sends UDP datagrams without end to an address that does not answer. */
  flood(name: string, address: string, device: string): ChildProcess {
    const at = this.full(name);
    const mac = '02:77:00:00:00:77';
    this.ip('-n', at, 'neighbour', 'replace', address, 'lladdr', mac, 'dev', device, 'nud', 'permanent');
    return this.start(name, 'io-traffic.ts', 'udp-flood', address, '9');
  }

  /** Hands a TAP device of the switch's namespace to an end, as its eth0. */
  giveTap(end: string): void {
    this.ip('-n', this.full('s'), 'link', 'set', 'dev', end, 'down');
    this.ip('-n', this.full('s'), 'link', 'set', 'dev', end, 'name', 'eth0', 'netns', this.full(end));
  }

  /** Gives eth0 of an end its addresses. */
  setUp(end: (typeof ends)[number]): void {
    const at = this.full(end.name);
    this.ip('-n', at, 'address', 'add', `${end.v4}/24`, 'dev', 'eth0');
    this.ip('-n', at, 'link', 'set', 'eth0', 'up');
    this.ip('-n', at, 'address', 'add', `${end.v6}/64`, 'dev', 'eth0', 'nodad');
  }

  /** Joins the ends by the kernel's own VXLAN, over what joins them already. */
  addVxlan(addressOf: (end: (typeof ends)[number]) => string, options: readonly string[]): void {
    for (const [here, there] of [
      [ends[0], ends[1]],
      [ends[1], ends[0]],
    ] as const) {
      const path = ['local', addressOf(here), 'remote', addressOf(there), 'dstport', '4789', 'dev', 'eth0'];
      const at = this.full(here.name);
      this.ip('-n', at, 'link', 'add', 'name', 'tunnel', 'type', 'vxlan', 'id', '7', ...path, ...options);
      this.ip('-n', at, 'address', 'add', `${here.inside}/24`, 'dev', 'tunnel');
      this.ip('-n', at, 'link', 'set', 'dev', 'tunnel', 'up');
    }
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    this.#remove();
    process.removeListener('exit', this.#atExit);
  }

  #remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const name of this.#names.splice(0)) spawnSync('ip', ['netns', 'del', this.full(name)], { stdio: 'ignore' });
  }
}

/** The next message of a child. @throws when it ends before */
export async function message<T>(child: ChildProcess): Promise<T> {
  const ended = once(child, 'exit').then(() => {
    throw new Error(`a child process ended (${child.exitCode ?? child.signalCode})`);
  });
  const [value] = (await Promise.race([once(child, 'message'), ended])) as [T];
  return value;
}

/** Two ends, a and b, on a switch of its own process, with the backends given. */
export class IoBed {
  readonly names: Namespaces;
  readonly #switch: ChildProcess;

  static async create(ports: readonly [IoPort, IoPort], chunkSize = 2048): Promise<IoBed> {
    const names = new Namespaces(['s', 'a', 'b']);
    try {
      for (const { backend, name, mtu } of ports) if (backend !== 'tap') names.addVeth(name, mtu);
      const child = names.start('s', 'io-switch.ts', JSON.stringify(ports), `${chunkSize}`);
      await message(child);
      for (const { backend, name } of ports) if (backend === 'tap') names.giveTap(name);
      for (const end of ends) names.setUp(end);
      return new IoBed(names, child);
    } catch (error) {
      await names.close();
      throw error;
    }
  }

  private constructor(names: Namespaces, child: ChildProcess) {
    this.names = names;
    this.#switch = child;
  }

  /** What the switch counted so far. */
  async report(): Promise<IoReport> {
    this.#switch.send('report');
    return message<IoReport>(this.#switch);
  }

  /** Microseconds of CPU that the switch has used so far. */
  async cpu(): Promise<number> {
    this.#switch.send('cpu');
    return message<number>(this.#switch);
  }

  /** Closes the switch and returns its last report. */
  async stop(): Promise<IoReport> {
    this.#switch.send('stop');
    return message<IoReport>(this.#switch);
  }

  close(): Promise<void> {
    return this.names.close();
  }
}
