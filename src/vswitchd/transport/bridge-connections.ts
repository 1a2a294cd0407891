/**
 * A bridge's OpenFlow connections with their sockets: the only place of OpenFlow where I/O is done.
 *
 * Use: make one, configure() it whenever the database changes, run(now) in the main loop not later than wakeAt(), close() at
 * the end. What comes in by sockets is handled at once, between two runs.
 * What: BR.mgmt and BR.snoop; controllers that the switch connects to (with waits, probes and status) and those that come to
 * it; fail-open. The protocol is src/ofproto/connections; here are sockets.
 * Invariants: a controller whose target stays keeps its connection, unless the versions change. A target that means nothing is
 * logged and left out. Nothing that a peer does ends the process.
 */
import { type Micros, SECOND } from '../../lib/clock.ts';
import type { ConnectionSettings } from '../../ofproto/connections/connection.ts';
import { ConnectionManager } from '../../ofproto/connections/manager.ts';
import type { SslConfig } from '../../stream/socket.ts';
import { parseTarget, type Target } from '../../stream/target.ts';
import { ActiveController, type ControllerHost, type ControllerSettings } from './active-controller.ts';
import { FailOpen } from './fail-open.ts';
import { Listener, SnoopListener } from './listener.ts';
import type { BridgeConnectionsConfig, BridgeConnectionsOptions, ControllerConfig, ControllerStatus } from './types.ts';

const ALL_VERSIONS = 0x7e;
const BACKOFF_MAX: Micros = 8 * SECOND;
const PROBE: Micros = 5 * SECOND;
/** Less is not believed. */
const PROBE_MIN: Micros = 5 * SECOND;
const MANAGEMENT_PROBE: Micros = 60 * SECOND;
const QUEUE_SIZE = 100;
const BUNDLE_IDLE: Micros = 10 * SECOND;

/** Whole seconds, as the reference counts. */
const wholeSeconds = (time: Micros): Micros => Math.floor(time / SECOND) * SECOND;

function probeOf({ probeInterval = PROBE }: ControllerConfig): Micros {
  const whole = wholeSeconds(probeInterval);
  return whole === 0 ? 0 : Math.max(PROBE_MIN, whole);
}

const settingsOf = (config: ControllerConfig, isPassive: boolean): ConnectionSettings => ({
  kind: config.type ?? (isPassive ? 'service' : 'primary'),
  probeInterval: probeOf(config),
  rateLimit: config.rateLimit ?? 0,
  burstLimit: config.burstLimit ?? 0,
  queueSize: config.queueSize ?? QUEUE_SIZE,
  asyncMessages: config.asyncMessages ?? true,
});

const management = (path: string): ControllerConfig => ({
  target: `punix:${path}`,
  type: 'service',
  probeInterval: MANAGEMENT_PROBE,
});

const sameSsl = (a: SslConfig | null, b: SslConfig | null): boolean => JSON.stringify(a) === JSON.stringify(b);

export class BridgeConnections {
  readonly #options: BridgeConnectionsOptions;
  readonly #manager: ConnectionManager;
  readonly #host: ControllerHost;
  readonly #controllers = new Map<string, ActiveController>();
  readonly #listeners = new Map<string, Listener>();
  readonly #failOpen: FailOpen;
  #snoop: { readonly path: string; readonly listener: SnoopListener } | null = null;
  #failMode: 'standalone' | 'secure' = 'standalone';
  #configured = 0;
  #isClosed = false;

  constructor(options: BridgeConnectionsOptions) {
    const { bridge, handler, tables, now, log, wake = () => undefined, failOpenChanged = () => undefined } = options;
    this.#options = options;
    this.#manager = new ConnectionManager({
      handler,
      tables,
      log,
      ...(options.toOfMatch ? { toOfMatch: options.toOfMatch } : {}),
      ...(options.toMatch ? { toMatch: options.toMatch } : {}),
    });
    this.#host = { bridge, manager: this.#manager, now, wake, log };
    this.#failOpen = new FailOpen(bridge, failOpenChanged, log);
  }

  /** What the bridge tells its connections through: give it to the handler of requests and to translation's effects. */
  get events(): ConnectionManager {
    return this.#manager;
  }

  /**
   * Whether misses that no table-miss flow asks for go to controllers: one that is connected speaks OpenFlow 1.2 or before, or has
   * not said yet what it speaks. For Ofproto.wantsPacketInOnMiss, before each run of the bridge.
   */
  get wantsPacketInOnMiss(): boolean {
    return this.#manager.wantsPacketInOnMiss;
  }

  /** Whether there is a primary controller configured: a bridge without one is a plain switch in fail-mode standalone. */
  get hasControllers(): boolean {
    return this.#configured > 0;
  }

  /** Fail-mode standalone and no controller for three times the longest probe interval. */
  get isFailOpen(): boolean {
    return this.#failOpen.isOpen;
  }

  /** Makes connections and listeners as they should be; those that stay keep their connections. */
  configure(config: BridgeConnectionsConfig): void {
    const versions = (config.versions & ALL_VERSIONS) === 0 ? ALL_VERSIONS : config.versions & ALL_VERSIONS;
    const ssl = config.ssl ?? null;
    this.#failMode = config.failMode;
    this.#manager.bundleIdle = config.bundleIdle ?? BUNDLE_IDLE;
    const wanted = new Map<string, { readonly config: ControllerConfig; readonly target: Target }>();
    const all = config.managementPath === null ? [] : [management(config.managementPath)];
    for (const controller of [...all, ...config.controllers]) {
      const target = parseTarget(controller.target);
      if (target.ok) wanted.set(controller.target, { config: controller, target: target.value });
      else this.#options.log('warn', `${this.#options.bridge}: unsupported controller "${controller.target}"`);
    }
    this.#configured = [...wanted.values()].filter(
      ({ config: { type }, target }) => (type ?? (target.isPassive ? 'service' : 'primary')) === 'primary',
    ).length;
    if (config.mayConnect === false) for (const { target } of config.controllers) wanted.delete(target);
    this.#removeUnwanted(wanted);
    for (const [name, { config: controller, target }] of wanted) {
      const connection = settingsOf(controller, target.isPassive);
      const backoffMax = Math.max(SECOND, wholeSeconds(controller.backoffMax ?? BACKOFF_MAX));
      if (target.isPassive) this.#configureListener(name, target, { versions, connection, ssl });
      else this.#configureController(name, target, { versions, backoffMax, connection, ssl });
    }
    this.#configureSnoop(config.snoopPath);
    this.run(this.#options.now());
  }

  #removeUnwanted(wanted: ReadonlyMap<string, unknown>): void {
    for (const name of this.#controllers.keys()) if (!wanted.has(name)) this.#removeController(name);
    for (const name of this.#listeners.keys()) if (!wanted.has(name)) this.#removeListener(name);
  }

  #removeController(name: string): void {
    this.#controllers.get(name)?.close(this.#options.now());
    this.#controllers.delete(name);
  }

  #removeListener(name: string): void {
    this.#listeners.get(name)?.close();
    this.#listeners.delete(name);
  }

  #configureController(name: string, target: Target, settings: ControllerSettings): void {
    const { bridge, log } = this.#options;
    const old = this.#controllers.get(name);
    if (old && old.settings.versions === settings.versions && sameSsl(old.settings.ssl, settings.ssl)) {
      old.configure(settings);
      return;
    }
    this.#removeController(name);
    log('info', `${bridge}: ${old ? 're-added' : 'added'} ${settings.connection.kind} controller "${name}"`);
    this.#controllers.set(name, new ActiveController(name, target, settings, this.#host));
  }

  #configureListener(name: string, target: Target, settings: Listener['settings']): void {
    const { bridge, log } = this.#options;
    const old = this.#listeners.get(name);
    const stays = old?.isListening && old.settings.versions === settings.versions;
    if (stays && sameSsl(old.settings.ssl, settings.ssl)) {
      old.configure(settings);
      return;
    }
    this.#removeListener(name);
    log('info', `${bridge}: ${old ? 're-added' : 'added'} ${settings.connection.kind} controller "${name}"`);
    this.#listeners.set(name, new Listener(name, target, settings, this.#host));
  }

  #configureSnoop(path: string | null): void {
    if (this.#snoop?.path === path && this.#snoop?.listener.isListening) return;
    this.#snoop?.listener.close();
    this.#snoop = null;
    const target = path === null ? null : parseTarget(`punix:${path}`);
    if (path === null || !target?.ok) return;
    this.#snoop = { path, listener: new SnoopListener(`punix:${path}`, target.value, this.#host) };
  }

  /** By target. Targets without a connection are not there. */
  status(now: Micros): ReadonlyMap<string, ControllerStatus> {
    return new Map([...this.#controllers].map(([name, controller]) => [name, controller.status(now)]));
  }

  /** When run() has something to do; null for never. */
  wakeAt(): Micros | null {
    const times = [this.#manager.wakeAt(), this.#failOpen.wakeAt()];
    for (const controller of this.#controllers.values()) times.push(controller.wakeAt());
    const known = times.filter((at) => at !== null);
    return known.length === 0 ? null : Math.min(...known);
  }

  /** Probes, waits, time-outs of bundles, packet-ins that were held back, monitors that resume. */
  run(now: Micros): void {
    if (this.#isClosed) return;
    this.#manager.run(now);
    for (const controller of this.#controllers.values()) controller.run(now);
    for (const listener of this.#listeners.values()) listener.run();
    this.#runFailOpen(now);
  }

  #runFailOpen(now: Micros): void {
    const primaries = [...this.#controllers.values()].filter(({ settings }) => settings.connection.kind === 'primary');
    if (this.#failMode === 'secure' || primaries.length === 0) {
      this.#failOpen.run(now, null, 0);
      return;
    }
    const since = primaries.map((controller) => controller.failingSince(now));
    const failing = since.includes(null) ? null : Math.max(...(since as Micros[]));
    const probes = primaries.map(({ settings }) => settings.connection.probeInterval);
    this.#failOpen.run(now, failing, Math.max(...probes));
  }

  /** Closes every socket and removes its files. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const name of this.#controllers.keys()) this.#removeController(name);
    for (const name of this.#listeners.keys()) this.#removeListener(name);
    this.#snoop?.listener.close();
    this.#snoop = null;
  }
}
