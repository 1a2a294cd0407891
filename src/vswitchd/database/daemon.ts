/**
 * The switch daemon without its process: database, switch, connections, clock.
 *
 * What. As soon as the database is there and its lock is ours, the switch is made what the rows say, and the status is written
 * back; `cur_cfg` goes with it, so that ovs-vsctl knows that its change is in. Statistics are written every five seconds.
 *
 * Invariants. One configuration at a time: what changes while its status is being written is taken up after that. While the
 * database is away, the switch goes on as it is. While flows are being restored after a restart (other_config:flow-restore-wait)
 * frames wait in their devices, and controllers are not talked to. With the clock stopped nothing happens by time but by warp().
 */
import { loadNative } from '../../../backends/native/index.ts';
import type { Micros } from '../../lib/clock.ts';
import { SECOND } from '../../lib/clock.ts';
import { DatabaseClient } from '../../ovsdb/index.ts';
import { Runner, type RunnerCounters } from '../runner.ts';
import { Switch } from '../switch.ts';
import type { SwitchOptions } from '../types.ts';
import { BridgeAgents } from './agents.ts';
import { ColumnWatch } from './columns.ts';
import { Configurator, type LiveInterface } from './configurator.ts';
import { DaemonClock } from './daemon-clock.ts';
import { DeviceMaker, type DummyMode, type HeldDevice, interfaceTypes } from './devices.ts';
import { LinkWatch } from './links.ts';
import { rootOf } from './read.ts';
import { applyRootSettings } from './root-settings.ts';
import {
  bridgeStatus,
  controllerStatus,
  interfaceStatistics,
  interfaceStatus,
  RowChanges,
  rootStatus,
} from './status.ts';
import { workerOpener } from './workers.ts';

export type LogLevel = 'INFO' | 'WARN' | 'ERR' | 'DBG';

export interface DaemonOptions {
  readonly remote: string;
  /** Folder of the bridges' sockets. */
  readonly folder: string;
  readonly dummies: DummyMode;
  readonly random: (size: number) => Uint8Array;
  readonly log: (module: string, level: LogLevel, text: string) => void;
  /** What the log says when the first configuration is in. */
  readonly version: string;
  /** Called once, when the first configuration is in, or when another daemon has the lock. */
  readonly ready: () => void;
  readonly failed: (error: unknown) => void;
  /** Devices that the daemon before this one has left, by interface. */
  readonly held?: Map<string, HeldDevice>;
  /** Sizes and workers of the switch. */
  readonly switchOptions?: SwitchOptions;
  /** Processors of the workers, by their index. */
  readonly workerCpus?: readonly number[];
  /** Microseconds of turning on after the last frame, at the most. */
  readonly spinMax?: Micros;
  /** A bridge was made; its tables have what a bridge begins with. */
  readonly bridgeMade?: (name: string) => void;
  /** A configuration of the database has been carried out. */
  readonly configured?: () => void;
}

const STATISTICS_INTERVAL: Micros = 5 * SECOND;
const LOCK = 'ovs_vswitchd';
/** What cannot be had is tried again after so many milliseconds; twice as long after each time. */
const RETRY_FIRST = 250;
const RETRY_MAX = 10_000;

export class SwitchDaemon {
  readonly target: Switch;
  readonly clock = new DaemonClock();
  readonly config: Configurator;
  readonly agents: BridgeAgents;
  readonly options: DaemonOptions;
  /** Counters of the datapath when the last bridge went: to whoever asks, it went with that bridge. */
  countersBefore: Readonly<Record<string, number>> = {};
  /** The process ends, and its devices are another's by then: close() leaves them as they are. */
  keepsDevices = false;
  /** How often a worker died. */
  workerDeaths = 0;
  readonly #client: DatabaseClient;
  readonly #runner: Runner;
  readonly #columns = new ColumnWatch();
  /** Settings of the root row, as they were made. */
  #rootSettings = 'undefined undefined';
  #isConfiguring = false;
  #isDirty = false;
  #isConfigured = false;
  #isReadySaid = false;
  #nextStatistics: Micros = 0;
  #links: LinkWatch | null = null;
  #retry: NodeJS.Timeout | null = null;
  #retryDelay = RETRY_FIRST;

  constructor(options: DaemonOptions) {
    this.options = options;
    const { log } = options;
    const now = (): Micros => this.clock.now();
    const wake = (): void => this.#runner.wake();
    const { switchOptions = { frameCount: 16_384, ringSize: 256 }, workerCpus = [], spinMax } = options;
    this.target = new Switch(switchOptions);
    const open = switchOptions.threads ? workerOpener(this.target.datapath, workerCpus) : undefined;
    this.agents = new BridgeAgents({ target: this.target, folder: options.folder, now, wake, log });
    this.config = new Configurator({
      target: this.target,
      devices: new DeviceMaker({
        now,
        wake,
        ...(open ? { open } : {}),
        ...(options.held && !open ? { held: options.held } : {}),
      }),
      dummies: options.dummies,
      random: options.random,
      log: (level, text) => log('bridge', level, text),
      watch: (device) => this.#runner.watch(device),
      unwatch: (device) => this.#runner.unwatch(device),
      bridgeChanged: (bridge, change) => {
        if (change === 'removed') this.agents.remove(bridge.name);
        else {
          if (change === 'added') this.agents.add(bridge);
          this.agents.configure(bridge, this.#client.replica!);
          if (change === 'added') options.bridgeMade?.(bridge.name);
        }
      },
    });
    this.#runner = new Runner(
      { poll: (at) => this.#poll(at), nextWake: (at) => this.#nextWake(at) },
      { now, onError: options.failed, ...(spinMax === undefined ? {} : { spinMax }) },
    );
    const addon = loadNative();
    if (switchOptions.threads && addon.ok) {
      const bell = addon.value.EventBell.open();
      this.target.datapath.ringDescriptor(bell.fd);
      this.#runner.watch(bell);
    }
    this.#client = new DatabaseClient({
      remote: options.remote,
      database: 'Open_vSwitch',
      lock: LOCK,
      log,
      changed: () => this.#changed(),
    });
  }

  /** @throws Error with words for the user */
  start(): void {
    this.#client.start();
    this.#runner.start();
    if (this.options.dummies === 'none') {
      const heardOf = (): void => {
        this.config.linksChanged();
        this.#runner.wake();
      };
      this.#links = new LinkWatch(heardOf, () => this.#linksChanged());
    }
  }

  get runnerCounters(): Readonly<RunnerCounters> {
    return this.#runner.counters;
  }

  // ---- interfaces that come and go ----

  #linksChanged(): void {
    this.config.linksChanged();
    this.turn();
    this.#retryDelay = RETRY_FIRST;
    if (this.config.dropLost(this.clock.now()) || this.config.hasFailures) this.#changed();
    else this.refreshStatus();
  }

  /** A worker died. @param numbers of datapath ports that went with it: they are opened anew */
  workerLost(numbers: readonly number[]): void {
    this.workerDeaths++;
    const isLost = ({ bridge, name }: LiveInterface): boolean =>
      numbers.includes(this.target.port(bridge, name)?.dpPort ?? -1);
    if (numbers.length > 0 && this.config.dropLost(this.clock.now(), isLost)) this.#changed();
  }

  /** What cannot be had now may be there later, without a word from anybody. */
  #retryLater(): void {
    if (this.#retry || !this.config.hasFailures || this.options.dummies !== 'none') return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#retryDelay = Math.min(RETRY_MAX, 2 * this.#retryDelay);
      this.#changed();
    }, this.#retryDelay);
  }

  get cellCount(): number {
    return this.#client.replica?.cellCount ?? 0;
  }

  // ---- the wheel ----

  #poll(now: Micros): number {
    this.agents.run(now);
    if (this.config.followPortMods()) this.#nextStatistics = now;
    const frames = this.agents.isRestoring ? 0 : this.target.poll(now);
    if (this.#isConfigured && now >= this.#nextStatistics) this.#writeStatistics(now);
    return frames;
  }

  #nextWake(now: Micros): Micros | null {
    const work = this.agents.isRestoring ? null : this.target.nextWake(now);
    const times = [work, this.agents.wakeAt()].filter((time) => time !== null);
    if (this.#isConfigured) times.push(this.#nextStatistics);
    const next = times.length > 0 ? Math.min(...times) : null;
    // A stopped clock never gets there by itself
    if (next !== null && next > now && this.clock.isStopped) return null;
    return next;
  }

  /** Everything there is to do now. */
  turn(): void {
    const now = this.clock.now();
    for (let i = 0; i < 64; i++) {
      const frames = this.#poll(now);
      if (frames === 0 && (this.target.nextWake(now) ?? Number.POSITIVE_INFINITY) > now) break;
    }
    this.#runner.wake();
  }

  /** Moves a stopped clock on, in steps. */
  warp(total: Micros, step: Micros): void {
    for (let left = total; left > 0; left -= step) {
      this.clock.advance(Math.min(left, step));
      this.turn();
    }
  }

  wake(): void {
    this.#runner.wake();
  }

  // ---- the database ----

  #changed(): void {
    if (this.#isConfiguring) {
      this.#isDirty = true;
      return;
    }
    this.#isConfiguring = true;
    setImmediate(() => void this.#reconfigure());
  }

  async #reconfigure(): Promise<void> {
    try {
      do {
        this.#isDirty = false;
        await this.#configureOnce();
      } while (this.#isDirty);
    } catch (error) {
      this.options.failed(error);
    } finally {
      this.#isConfiguring = false;
    }
  }

  async #configureOnce(): Promise<void> {
    const { replica, isReady, isLocked, isContended } = this.#client;
    if (isReady && isContended) {
      const who = 'another ovs-vswitchd process is running, disabling this process until it goes away';
      this.options.log('bridge', 'ERR', who);
      this.#sayReady();
    }
    if (!replica || !isReady || !isLocked) return;
    const now = this.clock.now();
    const waits = rootOf(replica)?.map('other_config').get('flow-restore-wait') === 'true';
    // Only a daemon that has just started can wait
    this.agents.isRestoring = waits && (!this.#isConfigured || this.agents.isRestoring);
    const settings = rootOf(replica);
    if (settings) this.#rootSettings = applyRootSettings(this.target, settings, this.#rootSettings);
    this.#columns.look(replica, (text) => this.options.log('bridge', 'WARN', text));
    this.config.apply(replica, now);
    this.#retryLater();
    if (this.config.bridges.size === 0) this.countersBefore = this.target.datapath.counters();
    this.turn();
    const root = rootOf(replica);
    const changes = new RowChanges();
    const { ports } = this.target.counters();
    for (const bridge of this.config.bridges.values()) {
      bridgeStatus(changes, bridge);
      for (const live of bridge.interfaces.values()) {
        interfaceStatus(changes, live);
        // What is new has statistics from the beginning
        if (live.row.map('statistics').size === 0) interfaceStatistics(changes, live, ports[live.name]);
      }
    }
    if (!this.#isConfigured) this.#collectStatistics(changes, now);
    if (root) {
      const { dummies } = this.options;
      rootStatus(changes, root, interfaceTypes(dummies), dummies !== 'none');
      changes.set(root, 'cur_cfg', root.integer('next_cfg') ?? 0);
    }
    if (!this.#isConfigured) {
      this.#isConfigured = true;
      this.#nextStatistics = now + STATISTICS_INTERVAL;
      this.options.log('bridge', 'INFO', this.options.version);
    }
    const { operations } = changes;
    if (operations.length > 0) await this.#client.transact(operations);
    this.options.configured?.();
    this.#sayReady();
  }

  #sayReady(): void {
    if (this.#isReadySaid) return;
    this.#isReadySaid = true;
    this.options.ready();
  }

  #collectStatistics(changes: RowChanges, now: Micros): void {
    const { ports } = this.target.counters();
    const { replica } = this.#client;
    for (const bridge of this.config.bridges.values()) {
      for (const live of bridge.interfaces.values()) {
        interfaceStatistics(changes, live, ports[live.name]);
        interfaceStatus(changes, live);
      }
      const status = this.agents.status(bridge.name, now);
      for (const uuid of bridge.row.refs('controller')) {
        const row = replica?.row('Controller', uuid);
        if (row) controllerStatus(changes, row, status.get(row.string('target')));
      }
    }
  }

  #writeStatistics(now: Micros): void {
    this.#nextStatistics = now + STATISTICS_INTERVAL;
    if (!this.#client.isReady || !this.#client.isLocked || this.#isConfiguring) return;
    const changes = new RowChanges();
    this.#collectStatistics(changes, now);
    const { operations } = changes;
    if (operations.length > 0) void this.#client.transact(operations);
  }

  /** Writes the status of one interface, and of the connections, as they are now. */
  refreshStatus(): void {
    this.#writeStatistics(this.clock.now());
  }

  /** Devices that another process can take over as they are: packet sockets and TAP devices with one queue. */
  holdable(): { name: string; fd: number; mac: Uint8Array }[] {
    if (this.options.switchOptions?.threads) return [];
    const all = [...this.config.bridges.values()].flatMap(({ interfaces }) => [...interfaces.values()]);
    return all.flatMap(({ name, kind, device }) => {
      const { fd, queues = [] } = (device ?? {}) as { fd?: number | null; queues?: readonly unknown[] };
      const isPlain = kind?.kind === 'device' && kind.type !== 'afxdp' && queues.length === 0;
      return device && isPlain && device.name === name && typeof fd === 'number' && fd >= 0
        ? [{ name, fd, mac: device.mac }]
        : [];
    });
  }

  close(): void {
    this.#links?.close();
    clearTimeout(this.#retry ?? undefined);
    this.#runner.close();
    this.agents.close();
    if (!this.keepsDevices) this.config.close(this.clock.now());
    this.#client.close();
    if (!this.keepsDevices) this.target.close();
  }
}
