/**
 * A bridge: its ports, its MAC table, and the immutable picture of both that translation works on.
 *
 * What. Ports come, go and change; every change makes the next picture() a new object and the generation a new number. A
 * translation that holds an older picture is not disturbed.
 *
 * Invariants. OpenFlow port numbers are unique in a bridge; the local port is OFPP_LOCAL and comes first in a flood. What
 * was learned on a port is forgotten when the port goes or its VLANs change.
 *
 * Not supported yet: OpenFlow tables (the pipeline is one rule, NORMAL), bonds (a bundle has one port), spanning tree.
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
  type PipelineView,
  type PortKind,
  type PortPicture,
  type RuleView,
  type TunnelConfig,
  type VlanConfig,
} from '../translate/types.ts';
import { effectiveVlan } from '../translate/vlan.ts';

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
}

interface BridgePort extends BridgePortSettings {
  readonly ofport: OfPort;
  readonly vlan: Partial<VlanConfig>;
  readonly forwards: boolean;
}

const normalRule: RuleView = {
  tableId: 0,
  priority: 0,
  cookie: 0n,
  actions: [{ type: 'output', port: 0xfffa, maxLen: 0 }],
};
const pipelineOf = (rule: RuleView | null): PipelineView => ({
  lookup: () => rule,
  matchText: () => '',
  tableMiss: () => 'default',
  tableName: () => '',
  wantsPacketInOnMiss: false,
  fragments: 'normal',
  group: () => null,
  meter: () => null,
});
const pipelines: Readonly<Record<'standalone' | 'secure', PipelineView>> = {
  standalone: pipelineOf(normalRule),
  secure: pipelineOf(null),
};

export class Bridge {
  readonly settings: BridgeSettings;
  readonly macs: MacLearning;
  readonly #ports = new Map<string, BridgePort>();
  #configGeneration = 0;
  #picture: BridgePicture | null = null;

  constructor(settings: BridgeSettings) {
    this.settings = settings;
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
    this.#ports.set(settings.name, { ...settings, ofport, vlan: settings.vlan ?? {}, forwards: true });
    this.#changed();
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
    if (!this.#ports.delete(name)) return false;
    this.macs.flush(name);
    this.#changed();
    return true;
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

  #update(name: string, change: Partial<BridgePort>): void {
    const port = this.#ports.get(name);
    if (!port) throw new Error(`${this.name} has no port ${name}`);
    this.#ports.set(name, { ...port, ...change });
    this.#changed();
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
    const { name, mac, forwardBpdu = false, failMode = 'standalone' } = this.settings;
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
      pipeline: pipelines[failMode],
      portConfig: new Map(),
    };
  }
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
