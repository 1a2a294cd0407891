/**
 * A bridge: its ports, its MAC table, its OpenFlow side, and the immutable picture of them that translation works on.
 *
 * What. Ports come, go and change; every change makes the next picture() a new object and the generation a new number. A
 * translation that holds an older picture is not disturbed. The tables are seen through the picture as they are now: their
 * generation is Ofproto's.
 *
 * Invariants. OpenFlow port numbers are unique in a bridge; the local port is OFPP_LOCAL and comes first in a flood. What
 * was learned on a port is forgotten when the port goes or its VLANs change. Connections hear of every change of a port.
 *
 * Not supported yet: bonds (a bundle has one port), spanning tree.
 */
import type { DpPort } from '../flow/odp/action.ts';
import type { Micros } from '../lib/clock.ts';
import { MacLearning } from '../protocol/index.ts';
import { MAC_AGING_DEFAULT, MAC_ENTRIES_DEFAULT } from '../protocol/mac-learning.ts';
import {
  type BridgePicture,
  type BundlePicture,
  OFPP_LOCAL,
  type OfPort,
  type PatchPeer,
  type PortConfigView,
  type PortKind,
  type PortPicture,
  type TunnelConfig,
  type VlanConfig,
} from '../translate/types.ts';
import { effectiveVlan } from '../translate/vlan.ts';
import type { OfPeer } from './connections/types.ts';
import { Ofproto, type OfprotoOptions } from './ofproto.ts';
import { pipelineOf } from './pipeline.ts';
import { describePort, inReferenceOrder, PORT_CONFIG, STATE_LINK_DOWN } from './port-description.ts';

/** Highest number of an ordinary port (OpenFlow 1.0 §5.2.1). */
const OFPP_MAX = 0xff00;

export interface BridgeSettings {
  readonly name: string;
  /** Six bytes. */
  readonly mac: Uint8Array;
  readonly forwardBpdu?: boolean;
  readonly macAging?: Micros;
  readonly macTableSize?: number;
  /** What a bridge without controller does: standalone has one rule, NORMAL; secure drops. */
  readonly failMode?: 'standalone' | 'secure';
  /** Made of the MAC when left out. */
  readonly datapathId?: bigint;
}

/** What a bridge must know of a port's device: a Netdev. */
export interface PortDevice {
  readonly type: string;
  readonly isUp: boolean;
}

/** A port as its bridge keeps it. */
export interface BridgePortSettings {
  readonly name: string;
  readonly kind: PortKind;
  readonly dpPort: DpPort | null;
  readonly mac: Uint8Array;
  /** The lowest free number when left out. */
  readonly ofport?: OfPort;
  readonly vlan?: Partial<VlanConfig>;
  readonly protected?: boolean;
  readonly peer?: PatchPeer;
  readonly tunnel?: TunnelConfig;
  /** Ports without one are always up. */
  readonly device?: PortDevice;
  readonly created?: Micros;
}

export interface BridgePort extends BridgePortSettings {
  readonly ofport: OfPort;
  readonly vlan: Partial<VlanConfig>;
  readonly forwards: boolean;
  /** Bits that OFPT_PORT_MOD has set. */
  readonly config: number;
  /** The link, as connections have heard of it. */
  readonly isUp: boolean;
}

const isUp = ({ device }: BridgePortSettings): boolean => device?.isUp ?? true;

export class Bridge {
  settings: BridgeSettings;
  readonly macs: MacLearning;
  readonly ofproto: Ofproto;
  readonly #pipeline: BridgePicture['pipeline'];
  readonly #ports = new Map<string, BridgePort>();
  #configGeneration = 0;
  #picture: BridgePicture | null = null;

  constructor(settings: BridgeSettings, options: OfprotoOptions = {}, now: Micros = 0) {
    this.settings = settings;
    this.ofproto = new Ofproto(options);
    this.#pipeline = pipelineOf(this.ofproto);
    this.ofproto.flush(settings.failMode ?? 'standalone', now);
    this.macs = new MacLearning(settings.macAging ?? MAC_AGING_DEFAULT, settings.macTableSize ?? MAC_ENTRIES_DEFAULT);
  }

  get name(): string {
    return this.settings.name;
  }

  /** Changes when picture() is another object than before. */
  get configGeneration(): number {
    return this.#configGeneration;
  }

  hasPort(name: string): boolean {
    return this.#ports.has(name);
  }

  /** @throws when the name or the number is taken, or no number is left */
  addPort(settings: BridgePortSettings): OfPort {
    if (this.#ports.has(settings.name)) throw new Error(`${this.name} has a port ${settings.name} already`);
    const ofport = settings.kind === 'local' ? OFPP_LOCAL : this.#number(settings);
    const { name, vlan = {} } = settings;
    const port: BridgePort = { ...settings, ofport, vlan, forwards: true, config: 0, isUp: isUp(settings) };
    this.#ports.set(name, port);
    this.#changed();
    const told = describePort(port);
    // As the reference: whether it is live is found out later
    const first = port.isUp ? { ...told, state: 0 } : told;
    this.ofproto.events?.portChanged('add', first);
    if (port.isUp) this.ofproto.events?.portChanged('modify', told, null, first);
    return ofport;
  }

  #number({ name, ofport }: BridgePortSettings): OfPort {
    const taken = new Set([...this.#ports.values()].map((port) => port.ofport));
    if (ofport !== undefined) {
      if (ofport < 1 || ofport >= OFPP_MAX) throw new Error(`port ${name}: ${ofport} is no OpenFlow port number`);
      if (taken.has(ofport)) throw new Error(`port ${name}: OpenFlow port ${ofport} is taken`);
      return ofport;
    }
    for (let number = 1; number < OFPP_MAX; number++) if (!taken.has(number)) return number;
    throw new Error(`${this.name} has no OpenFlow port number left for ${name}`);
  }

  /** False when there is no such port. */
  removePort(name: string): boolean {
    const port = this.#ports.get(name);
    if (!port) return false;
    this.#ports.delete(name);
    this.macs.flush(name);
    this.#changed();
    this.ofproto.events?.portChanged('delete', describePort(port));
    return true;
  }

  /** Changes settings in place; those left out stay. */
  configure(change: Partial<Omit<BridgeSettings, 'name' | 'mac'>>): void {
    const old = this.settings;
    this.settings = { ...old, ...change };
    if (old.forwardBpdu !== this.settings.forwardBpdu) this.#changed();
  }

  /** The other end of a patch port. @throws when there is no such port */
  setPeer(name: string, peer: PatchPeer): void {
    const old = this.#ports.get(name)?.peer;
    if (old?.bridge === peer.bridge && old.port === peer.port) return;
    this.#update(name, { peer });
  }

  /** Replaces the port's VLAN settings. @throws when there is no such port */
  setVlan(name: string, vlan: Partial<VlanConfig>): void {
    this.#update(name, { vlan });
    this.macs.flush(name);
  }

  /** Whether packets may come in and go out. @throws when there is no such port */
  setForwards(name: string, forwards: boolean): void {
    this.#update(name, { forwards });
  }

  #update(name: string, change: Partial<BridgePort>): BridgePort {
    const port = this.#ports.get(name);
    if (!port) throw new Error(`${this.name} has no port ${name}`);
    const changed = { ...port, ...change };
    this.#ports.set(name, changed);
    this.#changed();
    return changed;
  }

  // ---- what OpenFlow sees of ports ----

  /** In the order in which the reference tells them. */
  get ofports(): readonly BridgePort[] {
    return inReferenceOrder([...this.#ports.values()], ({ ofport }) => ofport);
  }

  /** By OpenFlow number; null when there is none. */
  ofport(number: OfPort): BridgePort | null {
    for (const port of this.#ports.values()) if (port.ofport === number) return port;
    return null;
  }

  /** Sets the bits of `mask` as they are in `config` (OFPT_PORT_MOD). @param peer who asked. @throws when there is no such port */
  setPortConfig(name: string, config: number, mask: number, peer: OfPeer | null): void {
    const old = this.#ports.get(name);
    const bits = ((old?.config ?? 0) & ~mask) | (config & mask);
    if (old?.config === bits) return;
    const port = this.#update(name, { config: bits });
    const told = describePort(port);
    const isSwitched = (((old?.config ?? 0) ^ bits) & PORT_CONFIG.down) !== 0 && port.isUp;
    // As the reference: the change of the bit is told first, what it does to the link then
    const first = isSwitched ? { ...told, state: (bits & PORT_CONFIG.down) !== 0 ? 0 : STATE_LINK_DOWN } : told;
    this.ofproto.events?.portChanged('modify', first, peer);
    if (isSwitched) this.ofproto.events?.portChanged('modify', told, peer, first);
  }

  get datapathId(): bigint {
    const { datapathId, mac } = this.settings;
    return datapathId ?? mac.reduce((id, byte) => (id << 8n) | BigInt(byte), 0n);
  }

  /** What time brings: links that went up or down, addresses and rules that are over. */
  run(now: Micros): void {
    this.macs.run(now);
    for (const port of this.#ports.values()) {
      if (port.isUp === isUp(port)) continue;
      // A dummy that goes down is switched off: its bit of the configuration says so
      const isDummy = port.device?.type.startsWith('dummy') ?? false;
      const before = describePort(port);
      if (port.isUp && isDummy) this.ofproto.events?.portChanged('modify', { ...before, state: 0 }, null, before);
      const off = isUp(port) ? port.config & ~PORT_CONFIG.down : port.config | PORT_CONFIG.down;
      const changed = this.#update(port.name, { isUp: isUp(port), config: isDummy ? off : port.config });
      this.ofproto.events?.portChanged('modify', describePort(changed));
    }
    this.ofproto.run(now);
  }

  /** When run() has something to do though nothing comes in; null for never. */
  wakeAt(): Micros | null {
    const [macs, rules] = [this.macs.wakeAt(), this.ofproto.wakeAt()];
    return macs === null || rules === null ? (macs ?? rules) : Math.min(macs, rules);
  }

  #changed(): void {
    this.#configGeneration++;
    this.#picture = null;
  }

  picture(): BridgePicture {
    this.#picture ??= this.#draw();
    return this.#picture;
  }

  #draw(): BridgePicture {
    const { name, mac, forwardBpdu = false } = this.settings;
    const bundles = [...this.#ports.values()].map((port) => drawBundle(name, port));
    bundles.sort((a, b) => Number(isLocal(b)) - Number(isLocal(a)));
    const ports = bundles.flatMap((bundle) => bundle.ports);
    return {
      name,
      mac,
      forwardBpdu,
      ports: new Map(ports.map((port) => [port.ofport, port])),
      portsByName: new Map(ports.map((port) => [port.name, port])),
      bundles,
      bundlesByName: new Map(bundles.map((bundle) => [bundle.name, bundle])),
      macs: this.macs,
      pipeline: this.#pipeline,
      portConfig: new Map(
        [...this.#ports.values()].filter(isSpecial).map((port) => [port.ofport, portConfigView(port)]),
      ),
    };
  }
}

/** Whether there is something to say of the port's configuration. */
const isSpecial = ({ config, isUp: isThere }: BridgePort): boolean => config !== 0 || !isThere;

function portConfigView({ config, isUp: isThere }: BridgePort): PortConfigView {
  const has = (bit: number): boolean => (config & bit) !== 0;
  const { down, noReceive, noFlood, noForward, noPacketIn } = PORT_CONFIG;
  return {
    isDown: has(down),
    noReceive: has(noReceive),
    noForward: has(noForward),
    noFlood: has(noFlood),
    noPacketIn: has(noPacketIn),
    isLive: isThere && !has(down),
  };
}

const isLocal = (bundle: BundlePicture): boolean => bundle.ports[0]?.kind === 'local';

function drawBundle(bridge: string, settings: BridgePort): BundlePicture {
  const { name, kind, ofport, dpPort, mac, forwards, peer = null, tunnel = null } = settings;
  const ports: PortPicture[] = [];
  const bundle: BundlePicture = {
    name,
    bridge,
    vlan: effectiveVlan(settings.vlan),
    protected: settings.protected ?? false,
    ports,
  };
  ports.push({ name, bridge, kind, ofport, dpPort, mac, forwards, peer, tunnel, bundle });
  return bundle;
}
