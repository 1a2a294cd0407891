/**
 * The switch daemon without its process: database, switch, connections, clock.
 *
 * What. As soon as the database is there and its lock is ours, the switch is made what the rows say, and the status is written
 * back; `cur_cfg` goes with it, so that ovs-vsctl knows that its change is in. Statistics are written every five seconds.
 *
 * Invariants. One configuration at a time: what changes while its status is being written is taken up after that. While the
 * database is away, the switch goes on as it is. With the clock stopped nothing happens by time but by warp().
 */
import type { Micros } from '../../lib/clock.ts';
import { SECOND } from '../../lib/clock.ts';
import { DatabaseClient } from '../../ovsdb/index.ts';
import { Runner } from '../runner.ts';
import { Switch } from '../switch.ts';
import { BridgeAgents } from './agents.ts';
import { Configurator } from './configurator.ts';
import { DaemonClock } from './daemon-clock.ts';
import { DeviceMaker, type DummyMode, interfaceTypes } from './devices.ts';
import { rootOf } from './read.ts';
import {
  bridgeStatus,
  controllerStatus,
  interfaceStatistics,
  interfaceStatus,
  RowChanges,
  rootStatus,
} from './status.ts';

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
}

const STATISTICS_INTERVAL: Micros = 5 * SECOND;
const LOCK = 'ovs_vswitchd';

export class SwitchDaemon {
  readonly target: Switch;
  readonly clock = new DaemonClock();
  readonly config: Configurator;
  readonly agents: BridgeAgents;
  readonly options: DaemonOptions;
  /** Counters of the datapath when the last bridge went: to whoever asks, it went with that bridge. */
  countersBefore: Readonly<Record<string, number>> = {};
  readonly #client: DatabaseClient;
  readonly #runner: Runner;
  #isConfiguring = false;
  #isDirty = false;
  #isConfigured = false;
  #isReadySaid = false;
  #nextStatistics: Micros = 0;

  constructor(options: DaemonOptions) {
    this.options = options;
    const { log } = options;
    const now = (): Micros => this.clock.now();
    const wake = (): void => this.#runner.wake();
    this.target = new Switch({ frameCount: 16_384, ringSize: 256 });
    this.agents = new BridgeAgents({ target: this.target, folder: options.folder, now, wake, log });
    this.config = new Configurator({
      target: this.target,
      devices: new DeviceMaker({ now, wake }),
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
        }
      },
    });
    this.#runner = new Runner(
      { poll: (at) => this.#poll(at), nextWake: (at) => this.#nextWake(at) },
      { now, onError: options.failed },
    );
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
  }

  get cellCount(): number {
    return this.#client.replica?.cellCount ?? 0;
  }

  // ---- the wheel ----

  #poll(now: Micros): number {
    this.agents.run(now);
    const frames = this.target.poll(now);
    if (this.#isConfigured && now >= this.#nextStatistics) this.#writeStatistics(now);
    return frames;
  }

  #nextWake(now: Micros): Micros | null {
    const times = [this.target.nextWake(now), this.agents.wakeAt()].filter((time) => time !== null);
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
    this.config.apply(replica, now);
    if (this.config.bridges.size === 0) this.countersBefore = this.target.datapath.counters();
    this.turn();
    const root = rootOf(replica);
    const changes = new RowChanges();
    for (const bridge of this.config.bridges.values()) {
      bridgeStatus(changes, bridge);
      for (const live of bridge.interfaces.values()) interfaceStatus(changes, live);
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

  close(): void {
    this.#runner.close();
    this.agents.close();
    this.config.close(this.clock.now());
    this.#client.close();
    this.target.close();
  }
}
