/** `weft run` as a process in a network namespace, for tests. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { askControl } from '../../src/main/run/client.ts';
import type { PortStatus, RunStatus } from '../../src/main/run/status.ts';

export const weftBin = join(import.meta.dirname, '..', '..', 'bin', 'weft.mjs');

export class WeftRun {
  readonly file: string;
  /** The state folder. */
  readonly folder: string;
  readonly #child: ChildProcess;
  #said = '';

  /** @param state what the file says */
  static async start(
    netns: string,
    folder: string,
    name: string,
    state: object,
    ...options: readonly string[]
  ): Promise<WeftRun> {
    const run = new WeftRun(netns, folder, name, state, options);
    await run.until((status) => status !== null, 'it answers');
    return run;
  }

  private constructor(netns: string, folder: string, name: string, state: object, options: readonly string[]) {
    this.file = join(folder, `${name}.yaml`);
    this.folder = join(folder, name);
    this.write(state);
    const command = [process.execPath, weftBin, 'run', this.file, '--state', this.folder, ...options];
    this.#child = spawn('ip', ['netns', 'exec', netns, ...command], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** ip netns exec becomes the program itself: the number is that of weft. */
  get pid(): number {
    return this.#child.pid!;
  }

  get control(): string {
    return join(this.folder, 'run', `ovs-vswitchd.${this.pid}.ctl`);
  }

  /** What it wrote to its standard error. */
  get said(): string {
    return this.#said;
  }

  write(state: object): void {
    writeFileSync(this.file, JSON.stringify(state));
  }

  ask(method: string, ...params: readonly string[]): Promise<string> {
    return askControl(this.control, method, params);
  }

  async status(): Promise<RunStatus> {
    return JSON.parse(await this.ask('weft/status')) as RunStatus;
  }

  async port(name: string): Promise<PortStatus> {
    const port = (await this.status()).ports.find((one) => one.name === name);
    if (!port) throw new Error(`no port ${name}`);
    return port;
  }

  /** Waits until what it says of itself holds. @throws after ten seconds, or when it has ended */
  async until(holds: (status: RunStatus) => boolean, what: string): Promise<void> {
    const end = performance.now() + 10_000;
    for (;;) {
      const status = await this.status().catch(() => null);
      if (status && holds(status)) return;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null || performance.now() > end)
        throw new Error(`weft run: waited until ${what}; it said:\n${this.#said}\n${JSON.stringify(status?.ports)}`);
      await delay(30);
    }
  }

  /** What one of Open vSwitch's own programs prints. @throws when it fails */
  tool(program: 'ovs-vsctl' | 'ovs-ofctl' | 'ovs-appctl', ...args: readonly string[]): string {
    const env = { ...process.env, OVS_RUNDIR: join(this.folder, 'run') };
    return execFileSync(program, ['--timeout=10', ...args], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits for the end, and gives the status. */
  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return this.ended();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
