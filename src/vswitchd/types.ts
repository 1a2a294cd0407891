/**
 * The configuration and the answers of a Switch. Names are those of the database's columns where there is one.
 */

import type { WorkerLoss } from '../datapath/team.ts';
import type { ThreadStarter } from '../datapath/threads.ts';
import type { FlowKey } from '../flow/key.ts';
import type { DpPort } from '../flow/odp/action.ts';
import type { DropReasonName } from '../gen/tables.ts';
import type { Micros } from '../lib/clock.ts';
import type { Netdev } from '../netdev/netdev.ts';
import type { OfEvents, OfRequestHandler } from '../ofproto/connections/types.ts';
import type { Ofproto } from '../ofproto/index.ts';
import type { OfAction } from '../openflow/action/types.ts';
import type { OfPort as OfPortDesc } from '../openflow/message/port-desc.ts';
import type { MacEntryInfo } from '../protocol/mac-learning.ts';
import type { OfPort, PatchPeer, TunnelConfig, VlanConfig } from '../translate/types.ts';

/** An address of a bridge's local port, with its network. */
export interface InterfaceAddress {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly prefixLength: number;
}

export interface BridgeConfig {
  readonly name: string;
  /** Six bytes: MAC of the local port. */
  readonly mac: Uint8Array;
  /**
   * Who sits behind the local port. 'none' counts and discards what is sent there. 'embedded' is a tiny host that answers
   * ARP, neighbour solicitation and echo for the bridge's addresses: a tunnel endpoint without a kernel. A Netdev is anything else.
   */
  readonly local?: 'none' | 'embedded' | Netdev;
  readonly addresses?: readonly InterfaceAddress[];
  readonly forwardBpdu?: boolean;
  /** Microseconds that a learned address lives without traffic; 300 s when left out. */
  readonly macAging?: Micros;
  /** Learned addresses at the most; 8192 when left out. */
  readonly macTableSize?: number;
  /** Standalone, the default, forwards as a learning switch; secure has no flow and drops. */
  readonly failMode?: 'standalone' | 'secure';
  /** Made of the MAC when left out. */
  readonly datapathId?: bigint;
  /** Number that the local port has in the datapath; the lowest free one when left out or taken. */
  readonly dpPort?: DpPort;
}

/** What a port is made of: exactly one of the three. */
type PortTarget = { readonly netdev: Netdev } | { readonly patch: PatchPeer } | { readonly tunnel: TunnelConfig };

export type PortConfig = PortTarget & {
  readonly name: string;
  /** OpenFlow port number asked for; the next free one when left out. */
  readonly ofport?: OfPort;
  /** Trunk of all VLANs when left out. */
  readonly vlan?: Partial<VlanConfig>;
  readonly protected?: boolean;
  /** Number in the datapath; the lowest free one when left out or taken. Tunnels of one kind share the first one's. */
  readonly dpPort?: DpPort;
};

/** A port as the switch has it. */
export interface PortInfo {
  readonly name: string;
  readonly bridge: string;
  readonly ofport: OfPort;
  /** null for a patch port. */
  readonly dpPort: DpPort | null;
}

export interface PortCounters {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly rxDropped: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly txDropped: number;
}

export interface SwitchOptions {
  /** Bytes of memory for megaflows and their actions; 32 MiB when left out. */
  readonly memorySize?: number;
  /** Frames that the switch holds at the most; 4096 when left out. */
  readonly frameCount?: number;
  /** Megaflows at the most; 200,000 when left out. */
  readonly flowLimit?: number;
  /** Microseconds after which an unused megaflow goes; 10 s when left out. */
  readonly maxIdle?: Micros;
  /** Rings of each port, in entries, a power of two; 256 when left out, 1024 where a kernel maps them. */
  readonly ringSize?: number;
  /** Workers of the datapath, which share its ports; 1 when left out. */
  readonly workers?: number;
  /** Gives each worker a thread of its own: see worker-threads.ts. They are called in turn when left out. */
  readonly threads?: ThreadStarter;
  /** Hears that a worker died, and whether it is back. */
  readonly onWorkerLost?: (loss: WorkerLoss) => void;
  /** Bytes of a chunk, a power of two: 256 less is the longest frame; 2048 when left out. */
  readonly chunkSize?: number;
  /** The compiled datapath; the one that lies in the package when left out. */
  readonly module?: WebAssembly.Module;
  readonly debug?: boolean;
}

export interface SwitchCounters {
  readonly ports: Readonly<Record<string, PortCounters>>;
  /** Frames dropped, by reason; reasons that never happened are left out. */
  readonly drops: Readonly<Partial<Record<DropReasonName, number>>>;
  readonly worker: Readonly<Record<string, number>>;
  readonly upcall: Readonly<Record<string, number>>;
  readonly flows: number;
}

/** received + created = sent + consumed + dropped + inside; `difference` is 0, or there is a bug. */
export interface ConservationAudit {
  /** Frames that devices brought, local ports left out. */
  readonly received: number;
  /** Copies, packets of the switch's own, and what local ports answered. */
  readonly created: number;
  /** Frames that devices were given, local ports left out. */
  readonly sent: number;
  /** Frames that the control side or a local port took. */
  readonly consumed: number;
  readonly dropped: number;
  /** Frames on rings and held by upcalls. */
  readonly inside: number;
  readonly difference: number;
  /** What the walk over the datapath's memory found: empty when all is well. */
  readonly problems: readonly string[];
}

/** What to trace: flow text as `ovs-appctl ofproto/trace` takes it, a frame with its port, or a whole key. */
export type TraceTarget =
  | { readonly flow: string }
  | { readonly frame: Uint8Array; readonly inPort: string }
  | { readonly key: FlowKey };

export interface TraceReport {
  /** The form of `ovs-appctl ofproto/trace`. */
  readonly text: string;
  readonly flow: string;
  readonly finalFlow: string;
  readonly megaflow: string;
  readonly actions: string;
  /** 'none' when something goes out. */
  readonly drop: DropReasonName;
  readonly steps: readonly TraceStep[];
}

export interface TraceStep {
  readonly text: string;
  readonly kind: string;
  readonly steps: readonly TraceStep[];
}

export interface TraceOptions {
  /** Learn and ask as a real packet would; without it nothing changes. */
  readonly sideEffects?: boolean;
  /** States of the connections that conntrack finds, one for each time that a copy comes back; new ones after them. */
  readonly ctNext?: readonly number[];
  /** What a packet-out would do in place of a lookup in table 0. */
  readonly actions?: readonly OfAction[];
}

/** The OpenFlow side of a bridge: for connections, and for what configures it. */
export interface BridgeOfproto {
  /** Carries out what controllers ask. */
  readonly requests: OfRequestHandler;
  /** Its tables, groups and meters, and settings that go for all of them. */
  readonly state: Ofproto;
  datapathId(): bigint;
  /** In the order in which the reference tells them. */
  ports(): readonly OfPortDesc[];
  /** As a port-mod: bits of OFPPC. @throws when there is no such port */
  setPortConfig(port: string, config: number, mask: number): void;
  /** Who hears of packets for controllers and of changes; null for nobody. */
  setEvents(events: OfEvents | null): void;
}

/** The face of a Switch. `now` never goes back. */
export interface SwitchApi {
  addBridge(config: BridgeConfig): void;
  removeBridge(name: string): void;
  addPort(bridge: string, config: PortConfig): PortInfo;
  removePort(bridge: string, name: string): void;
  setPortVlan(bridge: string, name: string, vlan: Partial<VlanConfig>): void;
  port(bridge: string, name: string): PortInfo | null;
  /** What a bridge has learned. */
  macTable(bridge: string, now: Micros): readonly MacEntryInfo[];
  /** Megaflows as `ovs-appctl dpctl/dump-flows` shows them. */
  dumpFlows(now: Micros): readonly string[];
  addRoute(prefix: Uint8Array, prefixLength: number, device: string, gateway: Uint8Array | null): void;
  setNeighbor(bridge: string, address: Uint8Array, mac: Uint8Array): void;
  /** Everything there is to do at this time: frames, misses, revalidation, ageing. Returns frames handled. */
  poll(now: Micros): number;
  /** When poll has something to do though no frame comes in; null for never. */
  nextWake(now: Micros): Micros | null;
  /** @throws when there is no such bridge */
  ofproto(bridge: string): BridgeOfproto;
  trace(bridge: string, target: TraceTarget, now: Micros, options?: TraceOptions): TraceReport;
  counters(): SwitchCounters;
  audit(): ConservationAudit;
  close(): void;
}
