/** A switch between real interfaces as a process: put together, run, told to change, taken apart. */
import { mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { attempt, loadNative, type NativeLinkMonitor, type NativeWaker } from '../../../backends/native/index.ts';
import { formatMac } from '../../lib/addresses.ts';
import { type Micros, SECOND } from '../../lib/clock.ts';
import { CommandError, ControlSocket } from '../../ovsdb/index.ts';
import { Host } from '../../vswitchd/desired/host.ts';
import { readDesired } from '../../vswitchd/desired/read.ts';
import type { DesiredSettings, DesiredState } from '../../vswitchd/desired/types.ts';
import { Runner } from '../../vswitchd/runner.ts';
import { createSwitch, type Switch } from '../../vswitchd/switch.ts';
import { checkFlow, setFlows } from './flows.ts';
import { statusOf } from './status.ts';

/** Milliseconds between two looks at interfaces that came or went. */
const TICK = 250;

export const now = (): Micros => performance.now() * 1000;

function fileText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function netnsOf(process: string): string {
  try {
    return readlinkSync(`/proc/${process}/ns/net`);
  } catch {
    return '';
  }
}

/** What tells this machine, or this network namespace on it, from others. */
function machineName(): string {
  const own = netnsOf('self');
  return [hostname(), fileText('/etc/machine-id').trim(), own === netnsOf('1') ? '' : own].join(' ');
}

/** @throws Error with one line a mistake */
export function readStateFile(path: string): DesiredState {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`);
  }
  const state = readDesired(source, machineName(), checkFlow);
  if (state.ok) return state.value;
  throw new Error(state.error.map((line) => `${path}: ${line}`).join('\n'));
}

export interface EngineOptions {
  readonly file: string;
  readonly control: string;
  readonly log: (line: string) => void;
  /** The switch broke; the engine is to be stopped. */
  readonly onError: (error: unknown) => void;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #settings: DesiredSettings;
  readonly #switch: Switch;
  readonly #runner: Runner;
  readonly #host: Host;
  readonly #control: ControlSocket;
  readonly #links: NativeLinkMonitor | null;
  #linkWaker: NativeWaker | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** Resolved when somebody asks the engine to end. */
  readonly #end = Promise.withResolvers<void>();

  /** @throws when the memory cannot be had */
  constructor(state: DesiredState, options: EngineOptions) {
    this.#options = options;
    this.#settings = state.settings;
    const addon = loadNative();
    if (addon.ok && state.settings.cpus.length > 0) addon.value.setAffinity(state.settings.cpus);
    this.#switch = createSwitch(state.settings.options);
    const { spinMax } = state.settings;
    this.#runner = new Runner(this.#switch, {
      now,
      onError: options.onError,
      ...(spinMax === null ? {} : { spinMax }),
    });
    this.#host = new Host(this.#switch, this.#runner, options.log, (bridge, flows) =>
      setFlows(this.#switch, bridge, flows, now()),
    );
    const links = addon.ok ? attempt(() => addon.value.LinkMonitor.open()) : addon;
    this.#links = links.ok ? links.value : null;
    this.#control = new ControlSocket(options.control);
    this.#register();
    this.#host.apply(state);
  }

  /** Resolves when somebody asked on the control socket for the end. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  get portCount(): number {
    return this.#host.ports.size;
  }

  async start(): Promise<void> {
    mkdirSync(dirname(this.#options.control), { recursive: true });
    await this.#control.open();
    this.#runner.start();
    this.#watchLinks();
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  #watchLinks(): void {
    const addon = loadNative();
    if (!this.#links || !addon.ok) return;
    const waker = new addon.value.Waker(() => {
      this.#tick();
      waker.arm();
    });
    waker.add(this.#links.fd);
    waker.arm();
    this.#linkWaker = waker;
  }

  #tick(): void {
    try {
      this.#host.tick(now(), this.#links?.drain() ?? true);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** Reads the file again. What is wrong in it is logged, and then nothing changes. Returns what was done. */
  reload(): string {
    const state = readStateFile(this.#options.file);
    const steps = this.#host.apply(state);
    if (JSON.stringify(state.settings) !== JSON.stringify(this.#settings))
      this.#options.log('! the settings of the switch itself take effect at the next start');
    return `${steps.length} changes\n`;
  }

  #register(): void {
    const { log, file } = this.#options;
    const command = (name: string, usage: string, min: number, max: number, run: (args: readonly string[]) => string) =>
      this.#control.register(name, usage, min, max, (args) => {
        try {
          return run(args);
        } catch (error) {
          throw new CommandError(error instanceof Error ? error.message : String(error));
        }
      });
    command('version', '', 0, 0, () => 'weft 0.1.0\n');
    command('exit', '', 0, 0, () => {
      this.#end.resolve();
      return '';
    });
    command('weft/status', '', 0, 0, () => JSON.stringify(statusOf(this.#switch, this.#host, this.#runner, file)));
    command('weft/reload', '', 0, 0, () => {
      log('reading the file again');
      return this.reload();
    });
    command('dpctl/dump-flows', '', 0, 0, () => this.#switch.dumpFlows(now()).join('\n'));
    command('fdb/show', 'bridge', 1, 1, ([bridge = '']) => this.#learned(bridge));
    command(
      'ofproto/trace',
      'bridge flow',
      2,
      2,
      ([bridge = '', flow = '']) => this.#switch.trace(bridge, { flow }, now()).text,
    );
  }

  #learned(bridge: string): string {
    const rows = this.#switch.macTable(bridge, now()).map(({ mac, vlan, port, age }) => {
      const number = port === bridge ? 'LOCAL' : `${this.#host.ports.get(port)?.ofport ?? '?'}`;
      const seconds = age === 'static' ? age : `${Math.floor(age / SECOND)}`;
      return `${number.padStart(5)}  ${`${vlan}`.padStart(4)}  ${formatMac(mac)}  ${seconds.padStart(3)}\n`;
    });
    return ` port  VLAN  MAC                Age\n${rows.join('')}`;
  }

  /** Takes everything apart; the machine is as it was found. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#runner.stop();
    this.#linkWaker?.close();
    this.#links?.close();
    this.#host.close();
    this.#runner.close();
    this.#switch.close();
    await this.#control.close();
  }
}
