/** The OpenFlow connections of every bridge, as the database has them. */
import type { Micros } from '../../lib/clock.ts';
import { everything } from '../../ofproto/ofproto.ts';
import type { Replica, ReplicaRow } from '../../ovsdb/index.ts';
import type { SslConfig } from '../../stream/socket.ts';
import type { Switch } from '../switch.ts';
import { BridgeConnections } from '../transport/bridge-connections.ts';
import type { BridgeConnectionsConfig, ControllerConfig, ControllerStatus } from '../transport/types.ts';
import type { LiveBridge } from './configurator.ts';
import { rootOf } from './read.ts';

export interface AgentsOptions {
  readonly target: Switch;
  /** Folder of BR.mgmt and BR.snoop. */
  readonly folder: string;
  readonly now: () => Micros;
  readonly wake: () => void;
  readonly log: (module: string, level: 'INFO' | 'WARN' | 'ERR', text: string) => void;
}

const levels = { info: 'INFO', warn: 'WARN', error: 'ERR' } as const;
const OFPP_NORMAL = 0xfffa;
/** Above every priority that a controller can give. */
const FAIL_OPEN_PRIORITY = 0xf0f0f0;
const MILLI = 1000;

function controllerOf(row: ReplicaRow): ControllerConfig {
  const type = row.string('type');
  const backoff = row.integer('max_backoff');
  const probe = row.integer('inactivity_probe');
  const other = row.map('other_config');
  const queue = row.integer('controller_queue_size');
  return {
    target: row.string('target'),
    type: type === 'primary' || type === 'service' ? type : null,
    ...(backoff === null ? {} : { backoffMax: backoff * MILLI }),
    ...(probe === null ? {} : { probeInterval: probe * MILLI }),
    rateLimit: row.integer('controller_rate_limit') ?? 0,
    burstLimit: row.integer('controller_burst_limit') ?? 0,
    ...(queue === null ? {} : { queueSize: queue }),
    asyncMessages: (row.boolean('enable_async_messages') ?? true) && other.get('enable-async-messages') !== 'false',
  };
}

/** The SSL row of the database; null for none. */
export function sslOf(replica: Replica): SslConfig | null {
  const row = replica.row('SSL', rootOf(replica)?.refs('ssl')[0] ?? '');
  if (!row) return null;
  return {
    privateKey: row.string('private_key'),
    certificate: row.string('certificate'),
    caCert: row.string('ca_cert'),
    bootstrapCaCert: row.boolean('bootstrap_ca_cert') ?? false,
  };
}

export class BridgeAgents {
  readonly #options: AgentsOptions;
  /** Flows are being restored: controllers must wait until that is done. */
  isRestoring = false;
  readonly #agents = new Map<string, BridgeConnections>();
  readonly #configs = new Map<string, BridgeConnectionsConfig>();
  /** Bridges that were seen with a controller. */
  readonly #controlled = new Map<string, boolean>();
  readonly #failModes = new Map<string, LiveBridge['settings']['failMode']>();

  constructor(options: AgentsOptions) {
    this.#options = options;
  }

  add({ name, settings }: LiveBridge): void {
    const { target, now, wake, log } = this.#options;
    const ofproto = target.ofproto(name);
    const agent = new BridgeConnections({
      bridge: name,
      handler: ofproto.requests,
      tables: ofproto.state.tables,
      now,
      wake,
      log: (level, text) => log('connmgr', levels[level], text),
      failOpenChanged: (isOpen) => this.#failOpen(name, isOpen),
    });
    this.#agents.set(name, agent);
    ofproto.setEvents(agent.events);
    this.#controlled.set(name, false);
    if (settings.failMode === 'secure') ofproto.state.flush('secure', now());
  }

  /** After a change of the bridge's row or its controllers'. */
  configure({ name, row, settings }: LiveBridge, replica: Replica): void {
    const agent = this.#agents.get(name);
    if (!agent) return;
    const { folder, target, now } = this.#options;
    const rows = row.refs('controller').map((uuid) => replica.row('Controller', uuid));
    const root = rootOf(replica);
    const shared = root?.map('other_config').get('bundle-idle-timeout');
    const config: BridgeConnectionsConfig = {
      controllers: rows.filter((one) => one !== null).map(controllerOf),
      versions: settings.versions,
      managementPath: `${folder}/${name}.mgmt`,
      snoopPath: `${folder}/${name}.snoop`,
      failMode: settings.failMode,
      mayConnect: !this.isRestoring,
      ssl: sslOf(replica),
      ...(shared === undefined ? {} : { bundleIdle: Math.max(1, Number(shared) || 10) * MILLI * MILLI }),
    };
    agent.configure(config);
    this.#configs.set(name, config);
    const { state } = target.ofproto(name);
    // A bridge that gets its first controller, or loses its last one, begins with empty tables
    const isOther = this.#controlled.get(name) !== agent.hasControllers;
    // and so does one without controllers whose fail mode changes
    const isChanged = !agent.hasControllers && (this.#failModes.get(name) ?? settings.failMode) !== settings.failMode;
    this.#controlled.set(name, agent.hasControllers);
    this.#failModes.set(name, settings.failMode);
    if (!isOther && !isChanged) return;
    state.flush('secure', now());
    if (!agent.hasControllers && settings.failMode !== 'secure') this.#forwardAll(name, 0);
  }

  /** The rule of a bridge that nobody controls: everything goes the normal way. */
  #forwardAll(name: string, priority: number): void {
    const { target, now } = this.#options;
    const { state } = target.ofproto(name);
    const match = everything();
    const same = state.tables.select(0, { match, strictPriority: priority, includesHidden: true });
    if (same.some(({ actions: [first] }) => first?.type === 'output' && first.port === OFPP_NORMAL)) return;
    const actions = [{ type: 'output', port: OFPP_NORMAL, maxLen: 0 }] as const;
    const flags = { internal: true };
    state.execute({ command: 'add', tableId: 0, match, priority, actions, flags }, null, now());
  }

  #failOpen(name: string, isOpen: boolean): void {
    const { target, now } = this.#options;
    if (!target.state.bridges.has(name)) return;
    const { state } = target.ofproto(name);
    if (isOpen) {
      state.flush('secure', now());
      this.#forwardAll(name, FAIL_OPEN_PRIORITY);
      return;
    }
    // What the controller has put in meanwhile stays
    const own = { tableId: 0, match: everything(), priority: FAIL_OPEN_PRIORITY, actions: [] };
    state.execute({ ...own, command: 'delete_strict', flags: { internal: true } }, null, now());
  }

  remove(name: string): void {
    this.#agents.get(name)?.close();
    this.#agents.delete(name);
    this.#controlled.delete(name);
    this.#failModes.delete(name);
    this.#configs.delete(name);
  }

  /** Drops the connections of a bridge, or of all: controllers are connected to anew. */
  reconnect(name: string | null): void {
    for (const [bridge, config] of this.#configs) {
      if (name !== null && bridge !== name) continue;
      const agent = this.#agents.get(bridge);
      agent?.configure({ ...config, controllers: [], managementPath: null });
      agent?.configure(config);
    }
  }

  /** Controllers of a bridge, by target. */
  status(name: string, now: Micros): ReadonlyMap<string, ControllerStatus> {
    return this.#agents.get(name)?.status(now) ?? new Map();
  }

  run(now: Micros): void {
    for (const [name, agent] of this.#agents) {
      agent.run(now);
      this.#options.target.ofproto(name).state.wantsPacketInOnMiss = agent.wantsPacketInOnMiss;
    }
  }

  wakeAt(): Micros | null {
    const times = [...this.#agents.values()].map((agent) => agent.wakeAt()).filter((time) => time !== null);
    return times.length > 0 ? Math.min(...times) : null;
  }

  close(): void {
    for (const name of [...this.#agents.keys()]) this.remove(name);
  }
}
