/**
 * A switch, put together: datapath, bridges, upcalls, neighbours.
 *
 * What. A Switch owns one datapath and any number of bridges on it. It chooses datapath port numbers, turns the wheel
 * (poll), and answers questions: trace, counters, audit.
 *
 * Terms. *poll*: everything there is to do at a time. *wake*: when there will be something to do though no frame comes.
 *
 * Invariants. Time is an argument and does not go back. The same calls in the same order give the same bytes. Changes of
 * ports take effect at once for new packets, and for megaflows in the next poll, or the next few when there are hundreds of
 * them: the work of one poll is bounded. Wrong configuration throws and leaves everything as it was.
 *
 * Terms. *settle*: to credit rules with all that the datapath has counted: before tables change and before counts are shown.
 *
 * Workers in threads make the order of events, and so the bytes, theirs: all else is kept.
 */
import { Datapath, type DatapathOptions } from '../datapath/datapath.ts';
import { FlowKey, KEY } from '../flow/key.ts';
import type { DpPort } from '../flow/odp/action.ts';
import { formatFlow } from '../flow/odp/format.ts';
import { BURST_MAX, PORTS_MAX } from '../gen/limits.ts';
import { MILLISECOND, type Micros } from '../lib/clock.ts';
import { must } from '../lib/result.ts';
import type { Netdev } from '../netdev/netdev.ts';
import { Bridge, type BridgePortSettings, type OfHost, OfRequests, SwitchState } from '../ofproto/index.ts';
import type { DatapathMeters } from '../ofproto/meters.ts';
import { describePort } from '../ofproto/port-description.ts';
import type { MacEntryInfo } from '../protocol/mac-learning.ts';
import { inPrefix } from '../protocol/route.ts';
import { OFPP_LOCAL, type PortPicture, type TunnelConfig, type VlanConfig } from '../translate/types.ts';
import {
  newUpcallCounters,
  Revalidator,
  UkeyTable,
  type UpcallCounters,
  UpcallHandler,
  type UpcallOptions,
  upcallDefaults,
} from '../upcall/index.ts';
import { auditSwitch, countSwitch, portTraffic } from './accounts.ts';
import { checkAddress, checkBridge, checkMac, checkPort, checkPrefix, checkVlan } from './check.ts';
import { applyEffects, TrafficCounts } from './effects.ts';
import { embeddedHost, neighborQuestion } from './embedded-host.ts';
import { LocalPort } from './local-port.ts';
import { datapathMeters, type PacketHost, resumePacket, sendPacketOut } from './openflow.ts';
import { traceSwitch } from './trace.ts';
import { TunnelRegistry } from './tunnels.ts';
import type {
  BridgeConfig,
  BridgeOfproto,
  ConservationAudit,
  InterfaceAddress,
  PortConfig,
  PortInfo,
  SwitchApi,
  SwitchCounters,
  SwitchOptions,
  TraceOptions,
  TraceReport,
  TraceTarget,
} from './types.ts';

/** Rounds of one poll; what is left is for the next one. */
const ROUNDS_MAX = 256;
/** Frames of one port in one round. */
const FRAMES_PER_PORT = 4 * BURST_MAX;
/** Chunks that wait at a local port: it answers little. */
const LOCAL_FILL = 8;
const NO_MAC = new Uint8Array(6);

/** Limits that change while the switch runs. */
type UpcallLimits = { -readonly [K in keyof UpcallOptions]: UpcallOptions[K] };

/** A switch with a datapath of its own. @throws when the memory cannot be had or the module is not there */
export const createSwitch = (options: SwitchOptions = {}): Switch => new Switch(options);

function datapathOptions(options: SwitchOptions): DatapathOptions {
  const { memorySize, frameCount, flowLimit = upcallDefaults.flowLimit, chunkSize, module, debug } = options;
  const { workers, threads, onWorkerLost } = options;
  return {
    flowMax: flowLimit,
    ...(memorySize === undefined ? {} : { arenaSize: memorySize }),
    ...(frameCount === undefined ? {} : { framesCount: frameCount }),
    ...(chunkSize === undefined ? {} : { chunkSize }),
    ...(module ? { module } : {}),
    ...(debug ? { build: 'debug' as const } : {}),
    ...(workers === undefined ? {} : { workerCount: workers }),
    ...(threads ? { threads } : {}),
    ...(onWorkerLost ? { onWorkerLost } : {}),
  };
}

export class Switch implements SwitchApi {
  readonly #datapath: Datapath;
  readonly #state = new SwitchState();
  readonly #tunnels: TunnelRegistry;
  readonly #traffic = new TrafficCounts();
  readonly #ukeys = new UkeyTable();
  readonly #upcallCounters: UpcallCounters = newUpcallCounters();
  readonly #handler: UpcallHandler;
  readonly #revalidator: Revalidator;
  readonly #upcallOptions: UpcallLimits;
  readonly #ringSize: number;
  readonly #isRingSizeDefault: boolean;
  readonly #addresses = new Map<string, readonly InterfaceAddress[]>();
  readonly #localPorts = new Map<string, LocalPort>();
  /** What local ports that are gone had taken and delivered. */
  readonly #retired = { taken: 0, delivered: 0 };
  readonly #meters: DatapathMeters;
  readonly #ofprotos = new Map<string, BridgeOfproto>();
  #now: Micros = 0;
  #isUnfinished = false;
  #seenTables = 0;
  /** No packet has gone through since the counts were credited. */
  #isSettled = true;

  constructor(options: SwitchOptions = {}) {
    this.#datapath = must(Datapath.create(datapathOptions(options)));
    this.#ringSize = options.ringSize ?? 256;
    this.#isRingSizeDefault = options.ringSize === undefined;
    this.#meters = datapathMeters(this.#datapath);
    this.#tunnels = new TunnelRegistry({
      add: (number, type) => must(this.#datapath.addTunnelPort(number, { type })),
      remove: (number) => void this.#datapath.removePort(number),
    });
    const upcallOptions: UpcallLimits = {
      ...upcallDefaults,
      ...(options.flowLimit === undefined ? {} : { flowLimit: options.flowLimit }),
      ...(options.maxIdle === undefined ? {} : { maxIdle: options.maxIdle }),
    };
    const source = {
      picture: () => this.#state.picture(),
      effects: (credit: Parameters<typeof applyEffects>[2]) => applyEffects(this.#state, this.#traffic, credit),
    };
    this.#upcallOptions = upcallOptions;
    const parts = {
      datapath: this.#datapath,
      source,
      ukeys: this.#ukeys,
      options: upcallOptions,
      counters: this.#upcallCounters,
    };
    this.#handler = new UpcallHandler(parts);
    this.#revalidator = new Revalidator(parts);
  }

  /** The datapath itself: flows by hand, meters, measurements. */
  get datapath(): Datapath {
    return this.#datapath;
  }

  /** Megaflows at the most. */
  get flowLimit(): number {
    return this.#upcallOptions.flowLimit;
  }

  set flowLimit(limit: number) {
    this.#upcallOptions.flowLimit = limit;
  }

  /** How long a megaflow lives without traffic. */
  set maxIdle(time: Micros) {
    this.#upcallOptions.maxIdle = time;
  }

  /** Credits and removes every megaflow. */
  flushFlows(now: Micros): void {
    this.#now = Math.max(this.#now, now);
    this.#revalidator.flush(this.#now);
  }

  /** Bridges, routes and neighbours as they are now. */
  get state(): SwitchState {
    return this.#state;
  }

  // ---- configuration ----

  addBridge(config: BridgeConfig): void {
    const { name, mac, local = 'none', addresses = [] } = config;
    if (this.#state.bridges.has(name)) throw new Error(`there is a bridge ${name} already`);
    this.#claimName(name);
    checkBridge(config);
    const bridge = new Bridge(config, { settle: this.#settle, meters: this.#meters }, this.#now);
    const number = this.#freeNumber(config.dpPort);
    const device = this.#localDevice(name, mac, local, addresses);
    must(this.#datapath.addPort(number, device, { ringEntries: this.#ringSize, fillTarget: LOCAL_FILL }));
    bridge.addPort({ name, kind: 'local', dpPort: number, mac, device, created: this.#now });
    this.#state.addBridge(bridge);
    if (device instanceof LocalPort) this.#localPorts.set(name, device);
    this.#ofprotos.set(name, this.#ofprotoOf(bridge));
    this.#addresses.set(name, addresses);
    for (const { address, prefixLength } of addresses) {
      this.#state.routes.add({ prefix: address, prefixLength, device: name, gateway: null, source: address });
    }
    this.#refreshTunnels();
  }

  #localDevice(
    name: string,
    mac: Uint8Array,
    local: NonNullable<BridgeConfig['local']>,
    addresses: readonly InterfaceAddress[],
  ): Netdev {
    if (typeof local === 'object') return local;
    const host = local === 'embedded' ? embeddedHost({ mac, addresses: addresses.map((a) => a.address) }) : null;
    return new LocalPort(name, mac, host);
  }

  removeBridge(name: string): void {
    const bridge = this.#bridge(name);
    for (const port of bridge.picture().ports.values()) if (port.kind !== 'local') this.removePort(name, port.name);
    const local = bridge.picture().ports.get(OFPP_LOCAL)!;
    this.#revalidator.flushPort(local.dpPort!, this.#now);
    must(this.#datapath.removePort(local.dpPort!));
    const device = this.#localPorts.get(name);
    this.#retired.taken += device?.taken ?? 0;
    this.#retired.delivered += device?.delivered ?? 0;
    this.#localPorts.delete(name);
    this.#ofprotos.delete(name);
    bridge.ofproto.dispose();
    this.#addresses.delete(name);
    this.#state.routes.removeDevice(name);
    this.#state.neighbors.flush(name);
    this.#state.removeBridge(name);
    this.#traffic.forget(name);
    this.#refreshTunnels();
  }

  addPort(bridgeName: string, config: PortConfig): PortInfo {
    const bridge = this.#bridge(bridgeName);
    checkPort(config);
    this.#claimName(config.name);
    const { name, ofport, vlan, protected: isProtected } = config;
    const dpPort = this.#attach(config);
    const settings: BridgePortSettings = {
      name,
      dpPort,
      kind: 'netdev' in config ? 'device' : 'patch' in config ? 'patch' : 'tunnel',
      mac: 'netdev' in config ? config.netdev.mac : NO_MAC,
      created: this.#now,
      ...('netdev' in config ? { device: config.netdev } : {}),
      ...(ofport === undefined ? {} : { ofport }),
      ...(vlan ? { vlan } : {}),
      ...(isProtected === undefined ? {} : { protected: isProtected }),
      ...('patch' in config ? { peer: config.patch } : {}),
      ...('tunnel' in config ? { tunnel: config.tunnel } : {}),
    };
    try {
      const number = bridge.addPort(settings);
      this.#refreshTunnels();
      return { name, bridge: bridgeName, ofport: number, dpPort };
    } catch (error) {
      this.#detach(dpPort, 'tunnel' in config ? config.tunnel : null);
      throw error;
    }
  }

  /** Names are unique in a switch, as the names of network devices are: counters go by them. */
  #claimName(name: string): void {
    for (const bridge of this.#state.bridges.values())
      if (bridge.hasPort(name)) throw new Error(`${bridge.name} has a port ${name} already`);
  }

  #attach(config: PortConfig): DpPort | null {
    if ('patch' in config) return null;
    if ('tunnel' in config) return this.#tunnels.take(config.tunnel, () => this.#freeNumber(config.dpPort));
    const number = this.#freeNumber(config.dpPort);
    const own = { ringEntries: this.#ringSize, fillTarget: Math.max(1, this.#ringSize / 4) };
    const isMapped = config.netdev.ringOffsets !== undefined;
    must(this.#datapath.addPort(number, config.netdev, isMapped && this.#isRingSizeDefault ? {} : own));
    return number;
  }

  #detach(dpPort: DpPort | null, tunnel: TunnelConfig | null): void {
    if (tunnel) this.#tunnels.give(tunnel);
    else if (dpPort !== null) must(this.#datapath.removePort(dpPort));
  }

  removePort(bridgeName: string, name: string): void {
    const bridge = this.#bridge(bridgeName);
    const port = this.#port(bridge, name);
    if (port.kind === 'local') throw new Error(`${name} is the bridge's own port`);
    // While the port is there: what its last packets did is credited
    if (port.dpPort !== null) this.#revalidator.flushPort(port.dpPort, this.#now);
    bridge.removePort(name);
    this.#detach(port.dpPort, port.tunnel);
    this.#traffic.forget(bridgeName, port.ofport);
    this.#refreshTunnels();
  }

  setPortVlan(bridge: string, name: string, vlan: Partial<VlanConfig>): void {
    checkVlan(vlan);
    this.#bridge(bridge).setVlan(name, vlan);
  }

  port(bridgeName: string, name: string): PortInfo | null {
    const port = this.#state.bridges.get(bridgeName)?.picture().portsByName.get(name);
    return port ? { name, bridge: bridgeName, ofport: port.ofport, dpPort: port.dpPort } : null;
  }

  addRoute(prefix: Uint8Array, prefixLength: number, device: string, gateway: Uint8Array | null): void {
    checkPrefix(prefix, prefixLength);
    const source = this.#sourceFor(device, gateway ?? prefix);
    if (!source) throw new Error(`${device} has no address of that family`);
    this.#state.routes.add({ prefix, prefixLength, device, gateway, source });
  }

  /** The device's address in the network of a destination, else its first one of the family. */
  #sourceFor(device: string, towards: Uint8Array): Uint8Array | null {
    const own = (this.#addresses.get(device) ?? []).filter(({ address }) => address.length === towards.length);
    const near = own.find(({ address, prefixLength }) => inPrefix(towards, address, prefixLength));
    return (near ?? own[0])?.address ?? null;
  }

  /** Another address of a bridge's local port; routes do not come with it. @throws when there is no such bridge */
  addAddress(bridge: string, address: InterfaceAddress): void {
    checkPrefix(address.address, address.prefixLength);
    const { name } = this.#bridge(bridge);
    this.#addresses.set(name, [...(this.#addresses.get(name) ?? []), address]);
    this.#refreshTunnels();
  }

  setNeighbor(bridge: string, address: Uint8Array, mac: Uint8Array): void {
    checkAddress(address);
    checkMac(mac);
    this.#state.neighbors.setStatic(this.#bridge(bridge).name, address, mac);
  }

  #bridge(name: string): Bridge {
    const bridge = this.#state.bridges.get(name);
    if (!bridge) throw new Error(`there is no bridge ${name}`);
    return bridge;
  }

  #port(bridge: Bridge, name: string): PortPicture {
    const port = bridge.picture().portsByName.get(name);
    if (!port) throw new Error(`${bridge.name} has no port ${name}`);
    return port;
  }

  #freeNumber(asked?: DpPort): DpPort {
    if (asked !== undefined && asked > 0 && asked < PORTS_MAX && !this.#datapath.hasPort(asked)) return asked;
    for (let number = 1; number < PORTS_MAX; number++) if (!this.#datapath.hasPort(number)) return number;
    throw new Error(`all ${PORTS_MAX - 1} datapath ports are taken`);
  }

  #refreshTunnels(): void {
    this.#state.endpoints = this.#tunnels.endpoints();
    this.#state.localAddresses = [...this.#addresses].flatMap(([bridge, addresses]) =>
      addresses.map(({ address }) => ({ bridge, address, mac: this.#bridge(bridge).settings.mac })),
    );
    this.#state.touch();
  }

  // ---- the wheel ----

  poll(now: Micros): number {
    this.#now = Math.max(this.#now, now);
    this.#age();
    const tables = this.#tablesGeneration();
    if (tables !== this.#seenTables) this.#revalidator.hurry();
    this.#seenTables = tables;
    let budget = upcallDefaults.revalidationBudget;
    // Changes since the last time count for the frames that have come meanwhile
    budget -= this.#revalidator.run(this.#now, budget);
    let total = 0;
    this.#isUnfinished = true;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const frames = this.#datapath.poll(this.#now, FRAMES_PER_PORT, this.#answerMisses);
      const misses = this.#handler.run(this.#now);
      const questions = this.#askNeighbors();
      total += frames;
      if (frames > 0) this.#isSettled = false;
      if (frames + misses + questions > 0 || this.#hasAnswers()) continue;
      const work = this.#revalidator.run(this.#now, budget);
      budget -= work;
      if (work > 0) continue;
      this.#isUnfinished = false;
      break;
    }
    return total;
  }

  #tablesGeneration(): number {
    let sum = 0;
    for (const { ofproto, configGeneration } of this.#state.bridges.values())
      sum += ofproto.generation + configGeneration;
    return sum;
  }

  readonly #answerMisses = (): void => void this.#handler.run(this.#now);

  #age(): void {
    for (const bridge of this.#state.bridges.values()) bridge.run(this.#now);
    this.#state.neighbors.run(this.#now);
  }

  #hasAnswers(): boolean {
    for (const local of this.#localPorts.values()) if (local.pending > 0) return true;
    return false;
  }

  /** Sends questions for next hops as if the bridge's local port had asked. */
  #askNeighbors(): number {
    const questions = this.#state.neighbors.takeQuestions();
    for (const { bridge, address, source } of questions) {
      const local = this.#state.bridges.get(bridge)?.picture().ports.get(OFPP_LOCAL);
      if (!local) continue;
      const frame = neighborQuestion(local.mac, source, address);
      const key = new FlowKey().set(KEY.in_port, local.dpPort!);
      // Without a free chunk the question is lost, as on a wire: the next packet asks again
      this.#datapath.execute({ frame, key }, 'lookup');
    }
    return questions.length;
  }

  nextWake(now: Micros): Micros | null {
    if (this.#isUnfinished || this.#hasAnswers()) return now;
    const times = [this.#revalidator.wakeAt(), this.#state.neighbors.wakeAt()];
    for (const bridge of this.#state.bridges.values()) times.push(bridge.wakeAt());
    const known = times.filter((time) => time !== null);
    return known.length > 0 ? Math.max(now, Math.min(...known)) : null;
  }

  // ---- OpenFlow ----

  /** @throws when there is no such bridge */
  ofproto(bridge: string): BridgeOfproto {
    return this.#ofprotos.get(this.#bridge(bridge).name)!;
  }

  #ofprotoOf(bridge: Bridge): BridgeOfproto {
    return {
      requests: new OfRequests(bridge, this.#ofHost),
      state: bridge.ofproto,
      datapathId: () => bridge.datapathId,
      ports: () => bridge.ofports.map(describePort),
      setPortConfig: (port, config, mask) => bridge.setPortConfig(port, config, mask, null),
      setEvents(events) {
        bridge.ofproto.events = events;
      },
    };
  }

  readonly #ofHost: OfHost = {
    portTraffic: (bridge, port) => portTraffic(this.#datapath, this.#traffic, this.#state.picture(), bridge, port),
    packetOut: (packet, now) => sendPacketOut(this.#packetHost(packet.frame, now), packet),
    resume: (message, version, now) => resumePacket(this.#packetHost(message.data, now), message, version),
  };

  readonly #settle = (): void => {
    if (this.#isSettled) return;
    // What is credited may change tables, which settle first
    this.#isSettled = true;
    this.#revalidator.settle(this.#now);
  };

  #packetHost(frame: Uint8Array, now: Micros): PacketHost {
    this.#now = Math.max(this.#now, now);
    const picture = this.#state.picture();
    const credit = { now: this.#now, packets: 1, bytes: frame.length, tcpFlags: 0 };
    return {
      picture,
      effects: applyEffects(this.#state, this.#traffic, credit),
      now: this.#now,
      send: (sent, key, { actions, recircIds }) => {
        if (actions.length === 0) return;
        for (const id of recircIds) picture.recircs.hold(id);
        this.#datapath.execute({ frame: sent, key: key.packet }, actions);
        // The frame may come up again before it is through
        while (this.#handler.run(this.#now) > 0);
        for (const id of recircIds) picture.recircs.release(id);
        this.#isUnfinished = true;
        this.#isSettled = false;
      },
    };
  }

  // ---- questions ----

  trace(bridge: string, target: TraceTarget, now: Micros, options: TraceOptions = {}): TraceReport {
    const effects = options.sideEffects
      ? applyEffects(this.#state, this.#traffic, { now, packets: 1, bytes: 0, tcpFlags: 0 })
      : undefined;
    return traceSwitch(this.#state.picture(), this.#bridge(bridge).name, target, now, effects, options);
  }

  macTable(bridge: string, now: Micros): readonly MacEntryInfo[] {
    return this.#bridge(bridge).macs.entries(now);
  }

  dumpFlows(now: Micros): readonly string[] {
    return [...this.#datapath.flows()].map(({ match, actions, stats }) => {
      const { packets, bytes, used, tcpFlags } = stats;
      const idleMs = used === 0 ? null : (now - used) / MILLISECOND;
      return formatFlow({ match, actions, stats: { packets, bytes, idleMs, tcpFlags } });
    });
  }

  counters(): SwitchCounters {
    const { bridges } = this.#state.picture();
    return countSwitch(this.#datapath, bridges, this.#traffic, this.#upcallCounters);
  }

  audit(): ConservationAudit {
    const locals = [this.#retired, ...this.#localPorts.values()];
    return auditSwitch(this.#datapath, locals);
  }

  close(): void {
    this.#revalidator.flush(this.#now);
    this.#datapath.close();
  }
}
