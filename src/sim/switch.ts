/** A switch in a simulated network: the whole of vswitchd's Switch, on devices in memory and the virtual clock. */
import { MemoryNetdev } from '../../backends/memory/index.ts';
import { parseMac } from '../lib/addresses.ts';
import type { Micros } from '../lib/clock.ts';
import type { TunnelConfig, VlanConfig } from '../translate/types.ts';
import type {
  BridgeConfig,
  ConservationAudit,
  SwitchApi,
  SwitchCounters,
  TraceReport,
  TraceTarget,
} from '../vswitchd/types.ts';
import { parseAddress } from './host/config.ts';
import type { LinkEnd, Station } from './link.ts';
import type { Scheduler, Timer } from './scheduler.ts';

const DEFAULT_BRIDGE = 'br0';
/** The earliest a switch may ask to be woken again. */
const WAKE_MIN: Micros = 1;

export interface SimPortOptions {
  /** `br0` when left out. */
  readonly bridge?: string;
  /** Access VLAN; short for `vlan: { mode: 'access', tag }`. */
  readonly tag?: number;
  /** VLANs carried; short for `vlan: { mode: 'trunk', trunks }`. */
  readonly trunks?: readonly number[];
  readonly vlan?: Partial<VlanConfig>;
  readonly ofport?: number;
  readonly mtu?: number;
}

export interface SimBridgeOptions {
  /** Made up from the switch's number when left out. */
  readonly mac?: string;
  /** Address and prefix of the local port, `172.16.0.1/24`; a tiny host answers for it. None when left out. */
  readonly addresses?: readonly string[];
  readonly macAging?: Micros;
  readonly forwardBpdu?: boolean;
}

export interface SimTunnelOptions {
  readonly bridge?: string;
  readonly type: 'vxlan' | 'geneve' | 'gre';
  readonly remoteIp: string;
  readonly localIp?: string;
  /** Virtual network identifier or GRE key. None when left out. */
  readonly key?: number;
  readonly dstPort?: number;
  readonly csum?: boolean;
  readonly tag?: number;
}

/** A port of a simulated switch: where a link is plugged in. */
export class SimPort implements Station {
  readonly name: string;
  readonly owner: SimSwitch;
  readonly device: MemoryNetdev;
  end: LinkEnd | null = null;
  /** Frames that the link delivered. */
  rxFrames = 0;
  /** Frames that the device would not take (no free chunk, no room). */
  rxRefused = 0;
  /** Frames that the switch sent by this port. */
  txFrames = 0;
  /** Frames sent while no link was plugged in. */
  txUnplugged = 0;

  constructor(name: string, owner: SimSwitch, device: MemoryNetdev) {
    this.name = name;
    this.owner = owner;
    this.device = device;
    device.onFrame = (memory, start, size) => this.#transmit(memory.slice(start, start + size));
  }

  receive(frame: Uint8Array): void {
    this.rxFrames++;
    // A switch in software stops reading rather than drop while it is busy
    if (!this.device.canSend()) this.owner.poll();
    if (!this.device.send(frame)) this.rxRefused++;
    this.owner.wake();
  }

  carrier(isUp: boolean): void {
    this.device.isUp = isUp;
    this.owner.wake();
  }

  #transmit(frame: Uint8Array): void {
    this.txFrames++;
    if (this.end) this.end.send(frame);
    else this.txUnplugged++;
  }
}

function vlanOf(options: SimPortOptions): Partial<VlanConfig> | undefined {
  if (options.vlan) return options.vlan;
  if (options.tag !== undefined) return { mode: 'access', tag: options.tag };
  if (options.trunks) return { mode: 'trunk', trunks: new Set(options.trunks) };
  return undefined;
}

export class SimSwitch {
  readonly name: string;
  /** The switch itself, with all it can do. */
  readonly core: SwitchApi;
  readonly #index: number;
  readonly #scheduler: Scheduler;
  readonly #ports = new Map<string, SimPort>();
  readonly #bridges = new Set<string>();
  #wakeTimer: Timer | null = null;
  #pollTimer: Timer | null = null;
  #isPolling = false;

  constructor(name: string, index: number, core: SwitchApi, scheduler: Scheduler) {
    this.name = name;
    this.core = core;
    this.#index = index;
    this.#scheduler = scheduler;
  }

  get ports(): ReadonlyMap<string, SimPort> {
    return this.#ports;
  }

  /** @throws for addresses that are none */
  addBridge(name: string, options: SimBridgeOptions = {}): void {
    const mac = options.mac ? parseMac(options.mac) : this.#macOf(0xf0 + this.#bridges.size);
    if (!mac) throw new Error(`not a MAC address: ${options.mac}`);
    const addresses = (options.addresses ?? []).map((text) => {
      const [address = '', prefixLength = ''] = text.split('/');
      return { address: parseAddress(address), prefixLength: Number(prefixLength) };
    });
    const config: BridgeConfig = {
      name,
      mac,
      local: addresses.length > 0 ? 'embedded' : 'none',
      addresses,
      ...(options.macAging === undefined ? {} : { macAging: options.macAging }),
      ...(options.forwardBpdu === undefined ? {} : { forwardBpdu: options.forwardBpdu }),
    };
    this.core.addBridge(config);
    this.#bridges.add(name);
    this.wake();
  }

  /** A port that a link can be plugged into; its bridge is made when it is not there. */
  addPort(name: string, options: SimPortOptions = {}): SimPort {
    const bridge = this.#bridge(options.bridge);
    const device = new MemoryNetdev(name, { mac: this.#macOf(this.#ports.size + 1), mtu: options.mtu ?? 1500 });
    const vlan = vlanOf(options);
    this.core.addPort(bridge, {
      name,
      netdev: device,
      ...(vlan ? { vlan } : {}),
      ...(options.ofport === undefined ? {} : { ofport: options.ofport }),
    });
    const port = new SimPort(name, this, device);
    this.#ports.set(name, port);
    this.wake();
    return port;
  }

  /** @throws for addresses that are none */
  addTunnel(name: string, options: SimTunnelOptions): void {
    const key = options.key === undefined ? null : BigInt(options.key);
    const defaultPort = { vxlan: 4789, geneve: 6081, gre: 0 }[options.type];
    const tunnel: TunnelConfig = {
      type: options.type,
      remoteIp: parseAddress(options.remoteIp),
      localIp: options.localIp === undefined ? null : parseAddress(options.localIp),
      inKey: key,
      outKey: key,
      dstPort: options.dstPort ?? defaultPort,
      tos: 0,
      ttl: 64,
      dontFragment: true,
      csum: options.csum ?? false,
    };
    const vlan = vlanOf(options.tag === undefined ? {} : { tag: options.tag });
    this.core.addPort(this.#bridge(options.bridge), { name, tunnel, ...(vlan ? { vlan } : {}) });
    this.wake();
  }

  /** Joins two bridges of this switch. */
  addPatch(bridgeA: string, portA: string, bridgeB: string, portB: string): void {
    this.core.addPort(this.#bridge(bridgeA), { name: portA, patch: { bridge: bridgeB, port: portB } });
    this.core.addPort(this.#bridge(bridgeB), { name: portB, patch: { bridge: bridgeA, port: portA } });
    this.wake();
  }

  /** @throws when there is no such port */
  port(name: string): SimPort {
    const port = this.#ports.get(name);
    if (!port) throw new Error(`${this.name} has no port ${name}`);
    return port;
  }

  /** The bridge that has a port of this name; null when none has. */
  bridgeOf(port: string): string | null {
    for (const bridge of this.#bridges) if (this.core.port(bridge, port)) return bridge;
    return null;
  }

  /** What would happen to a packet now; nothing is learned or sent. */
  trace(target: TraceTarget, bridge: string = DEFAULT_BRIDGE): TraceReport {
    return this.core.trace(bridge, target, this.#scheduler.now());
  }

  counters(): SwitchCounters {
    return this.core.counters();
  }

  audit(): ConservationAudit {
    return this.core.audit();
  }

  /** Makes the switch work at this very moment, after all that is under way. */
  wake(): void {
    if (this.#pollTimer?.isPending) return;
    this.#pollTimer = this.#scheduler.after(0, () => this.poll());
  }

  /** Lets the switch do all there is to do. */
  poll(): void {
    if (this.#isPolling) return;
    this.#isPolling = true;
    const now = this.#scheduler.now();
    try {
      this.core.poll(now);
    } finally {
      this.#isPolling = false;
    }
    const next = this.core.nextWake(now);
    this.#wakeTimer?.cancel();
    this.#wakeTimer = next === null ? null : this.#scheduler.at(Math.max(next, now + WAKE_MIN), () => this.poll());
  }

  close(): void {
    this.#wakeTimer?.cancel();
    this.#pollTimer?.cancel();
    this.core.close();
  }

  #bridge(name: string = DEFAULT_BRIDGE): string {
    if (!this.#bridges.has(name)) this.addBridge(name);
    return name;
  }

  #macOf(port: number): Uint8Array {
    return Uint8Array.of(0x02, 0x57, 0x45, this.#index >> 8, this.#index & 0xff, port & 0xff);
  }
}
