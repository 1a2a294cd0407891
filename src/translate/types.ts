/**
 * What translation sees: an immutable picture of the bridges, and a port for everything it would do to the world.
 *
 * Terms. *SwitchPicture*: everything at one moment, with a generation. *Bundle*: what the database calls a Port: VLAN
 * settings and one or more interfaces. *Port*: an interface of a bridge with an OpenFlow number. *OpenFlow port* and
 * *datapath port* are different numbers: a patch port has no datapath port, all tunnels of a kind share one.
 * A picture is never changed; the tables that learn (MAC, neighbours) are seen through read-only faces.
 */
import type { FlowKey, FlowMask, Match, PipelineKey } from '../flow/key.ts';
import type { DpAction, DpPort } from '../flow/odp/action.ts';
import type { DropReasonName } from '../gen/tables.ts';
import type { Micros } from '../lib/clock.ts';
import type { OfAction } from '../openflow/action/types.ts';
import type { MacObservation } from '../protocol/mac-learning.ts';
import type { FrozenState, RecircFork, RecircView } from './recirc.ts';
import type { KeyScratch } from './scratch.ts';

export type { MacObservation } from '../protocol/mac-learning.ts';

/** A number of a bridge's ports as OpenFlow knows it, 1 to 0xfeff, or OFPP_LOCAL. */
export type OfPort = number & { readonly __brand?: 'OpenFlow port' };

/** The bridge's own port (OpenFlow 1.0 §5.2.1). */
export const OFPP_LOCAL: OfPort = 0xfffe;
/** No port: a packet that the control side made. */
export const OFPP_NONE: OfPort = 0xffff;
/** The controller: where packet-outs come from. */
export const OFPP_CONTROLLER: OfPort = 0xfffd;

export type VlanMode = 'access' | 'trunk' | 'native-tagged' | 'native-untagged' | 'dot1q-tunnel';
export type PriorityTags = 'never' | 'if-nonzero' | 'always';

/** VLAN settings of a bundle, as the columns of the database's Port table. */
export interface VlanConfig {
  readonly mode: VlanMode;
  /** 0 to 4095: access VLAN, native VLAN or service VLAN; 0 in trunk mode. */
  readonly tag: number;
  /** VLANs carried; null for all of them. */
  readonly trunks: ReadonlySet<number> | null;
  /** dot1q-tunnel: customer VLANs admitted; null for all of them. */
  readonly cvlans: ReadonlySet<number> | null;
  /** dot1q-tunnel: TPID of the service tag. */
  readonly qinqEthertype: 0x8100 | 0x88a8;
  readonly priorityTags: PriorityTags;
}

/** A tunnel port's settings: the options column of the database's Interface table. Addresses have 4 or 16 bytes. */
export interface TunnelConfig {
  readonly type: 'vxlan' | 'geneve' | 'gre';
  /** 'flow': any remote end; the packet's tunnel metadata says which. */
  readonly remoteIp: Uint8Array | 'flow';
  /** null: any of this machine's addresses; 'flow': the packet's tunnel metadata says which. */
  readonly localIp: Uint8Array | 'flow' | null;
  /** Key that packets must carry and are given; null for none; 'flow': the packet's tunnel metadata says which. */
  readonly inKey: bigint | 'flow' | null;
  readonly outKey: bigint | 'flow' | null;
  /** UDP destination port; 0 for GRE. */
  readonly dstPort: number;
  /** Outer TOS; 'inherit' copies the inner one. */
  readonly tos: number | 'inherit';
  /** Outer TTL; 'inherit' copies the inner one. */
  readonly ttl: number | 'inherit';
  readonly dontFragment: boolean;
  readonly csum: boolean;
}

/** The other end of a patch port. */
export interface PatchPeer {
  readonly bridge: string;
  readonly port: string;
}

export type PortKind = 'device' | 'local' | 'patch' | 'tunnel';

/** An interface of a bridge. */
export interface PortPicture {
  readonly name: string;
  readonly bridge: string;
  readonly kind: PortKind;
  readonly ofport: OfPort;
  /** null for a patch port; shared by the tunnels of one type and destination port. */
  readonly dpPort: DpPort | null;
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** False when nothing may leave or come in here: spanning tree, or the device is down. */
  readonly forwards: boolean;
  readonly peer: PatchPeer | null;
  readonly tunnel: TunnelConfig | null;
  readonly bundle: BundlePicture;
}

/** A port of the database's Port table. Members are one interface now, several with bonding. */
export interface BundlePicture {
  readonly name: string;
  readonly bridge: string;
  readonly vlan: VlanConfig;
  /** Protected ports do not talk to each other. */
  readonly protected: boolean;
  readonly ports: readonly PortPicture[];
}

/** What NORMAL asks the MAC table. */
interface MacTableView {
  /** The port that the address was learned on, by bundle name; null when it is not known. */
  lookup(mac: Uint8Array, vlan: number, now: Micros): string | null;
}

/** A rule that a packet hit: ofproto's Rule is one. Two views of the same rule are the same object. */
export interface RuleView {
  readonly tableId: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly actions: readonly OfAction[];
}

export type GroupKind = 'all' | 'select' | 'indirect' | 'fast_failover';

/** A bucket of a group: ofproto's Bucket is one. */
export interface BucketView {
  readonly id: number;
  readonly weight: number;
  readonly watchPort: number | null;
  readonly watchGroup: number | null;
  readonly actions: readonly OfAction[];
}

/** A group: ofproto's Group is one. */
export interface GroupView {
  readonly id: number;
  readonly type: GroupKind;
  readonly buckets: readonly BucketView[];
  /** How a select group chooses; null for the default. Fields by name, with their masks. */
  readonly selection: {
    readonly method: 'default' | 'dp_hash' | 'hash';
    readonly parameter: bigint;
    readonly fields: ReadonlyMap<string, Uint8Array>;
  } | null;
}

/** What a table does with packets that none of its rules takes (OFPTC_TABLE_MISS, OpenFlow 1.1 and 1.2). */
export type TableMiss = 'default' | 'controller' | 'continue' | 'drop';

/** What becomes of IP fragments (OFPC_FRAG). */
export type FragHandling = 'normal' | 'drop' | 'nx-match';

/** The flow tables, groups and meters of a bridge. */
export interface PipelineView {
  /** The newest version of the tables: what a translation begins with it goes on with, though it learns. */
  readonly version: number;
  /**
   * The rule that takes the flow, in a version (the newest when it is left out); what decided it is added to the wildcards, when
   * there are any. Null when the table misses. The flow's in_port is an OpenFlow port.
   */
  lookup(tableId: number, flow: PipelineKey, wildcards: FlowMask | null, version?: number): RuleView | null;
  /** Keeps the rules of the newest version for lookups to come. Returns what gives them free. */
  hold(): () => void;
  /** Whether a learned flow would be taken: it is there already, or its limit leaves room. */
  mayLearn(flow: LearnedFlow): boolean;
  /** The rule's match as ovs-ofctl prints it; empty when it takes every packet. For the trace. */
  matchText(rule: RuleView): string;
  tableMiss(tableId: number): TableMiss;
  /** Name of a table that has one; empty for others. */
  tableName(tableId: number): string;
  /** Whether somebody wants packets that table 0 has no rule for (OFPTT_MISS to a controller older than OpenFlow 1.3). */
  readonly wantsPacketInOnMiss: boolean;
  readonly fragments: FragHandling;
  group(id: number): GroupView | null;
  /** Number of an OpenFlow meter in the datapath; null when there is no such meter. */
  meter(id: number): number | null;
}

/** What OFPT_PORT_MOD has set, and whether the link is there. Ports that are not in the map have none set and are live. */
export interface PortConfigView {
  readonly isDown: boolean;
  readonly noReceive: boolean;
  readonly noForward: boolean;
  readonly noFlood: boolean;
  readonly noPacketIn: boolean;
  readonly isLive: boolean;
}

export interface BridgePicture {
  readonly name: string;
  /** Six bytes: MAC of the local port. */
  readonly mac: Uint8Array;
  /** Forward frames to 01:80:c2:00:00:0x too. */
  readonly forwardBpdu: boolean;
  readonly ports: ReadonlyMap<OfPort, PortPicture>;
  readonly portsByName: ReadonlyMap<string, PortPicture>;
  /** In the order in which floods visit them. */
  readonly bundles: readonly BundlePicture[];
  readonly bundlesByName: ReadonlyMap<string, BundlePicture>;
  readonly macs: MacTableView;
  readonly pipeline: PipelineView;
  /** Whether a port's OpenFlow configuration and link let packets out; a watch port of a group is live when its link is. */
  readonly portConfig: ReadonlyMap<OfPort, PortConfigView>;
  /** Whether somebody collects the samples of `sample` actions. */
  readonly samplesFlows?: boolean;
}

/** How to reach an address: a row of the routing table that applies to it. */
interface RouteHop {
  /** Bridge (its local port) by which packets leave. */
  readonly device: string;
  /** Next hop; null when the destination is on the link itself. */
  readonly gateway: Uint8Array | null;
  /** Address of this machine to send from. */
  readonly source: Uint8Array;
}

interface RouteView {
  lookup(destination: Uint8Array): RouteHop | null;
}

interface NeighborView {
  /** MAC of a neighbour on a bridge; null when it is not resolved. */
  lookup(bridge: string, address: Uint8Array, now: Micros): Uint8Array | null;
}

/** A tunnel's receiving end: packets to one of our addresses that are for tunnels of this kind (ovs: tnl/ports/show). */
export interface TunnelEndpoint {
  readonly type: 'vxlan' | 'geneve' | 'gre';
  /** UDP destination port; 0 for GRE. */
  readonly dstPort: number;
  readonly dpPort: DpPort;
}

/** An address of this machine that tunnels may end at. */
export interface LocalAddress {
  readonly bridge: string;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly mac: Uint8Array;
}

export interface SwitchPicture {
  /** Changes with every new picture. */
  readonly generation: number;
  readonly bridges: ReadonlyMap<string, BridgePicture>;
  /** Ports but tunnels and patches, by datapath port. */
  readonly portsByDpPort: ReadonlyMap<DpPort, PortPicture>;
  readonly tunnelPorts: readonly PortPicture[];
  readonly endpoints: readonly TunnelEndpoint[];
  readonly localAddresses: readonly LocalAddress[];
  readonly routes: RouteView;
  readonly neighbors: NeighborView;
  /** What packets that come back by recirculation go on with. */
  readonly recircs: RecircView;
}

/**
 * What translation does to the world besides its answer. Three implementations: apply (upcalls), record (the revalidator
 * repeats them with a flow's statistics) and none (trace without side effects).
 */
export interface Effects {
  /** Nothing is done: a trace. Copies for controllers say so, and nothing is learned. */
  readonly isDry?: boolean;
  /** Returns true when that is news: the trace tells it then. */
  learnMac(bridge: string, entry: MacObservation): boolean;
  /** An ARP or neighbour discovery packet went by: it may resolve a tunnel's next hop. */
  learnNeighbor(bridge: string, address: Uint8Array, mac: Uint8Array): void;
  /** A tunnel's next hop is in use: keep it. */
  refreshNeighbor(bridge: string, address: Uint8Array): void;
  /** A tunnel's next hop has no MAC: ask for it. */
  requestNeighbor(bridge: string, address: Uint8Array, source: Uint8Array): void;
  /** Packets that went through ports which the datapath does not count: patch ports and tunnels. */
  creditPort(bridge: string, ofport: OfPort, direction: 'rx' | 'tx'): void;
  /** Packets that a rule took. */
  creditRule(bridge: string, rule: RuleView): void;
  /** Packets that were looked up in a table. */
  creditTable(bridge: string, tableId: number, isMatch: boolean): void;
  /** Packets that a group took (bucketId null), and those of a bucket. */
  creditGroup(bridge: string, groupId: number, bucketId: number | null): void;
  /** A learn action made (or refreshed, or deleted) this flow. Returns false when its limit keeps it out. */
  learnFlow(bridge: string, flow: LearnedFlow): boolean;
  /** fin_timeout: when there is a FIN or RST among the packets, the rule's time-outs fall to these. Seconds; 0 for as it is. */
  reduceTimeouts(bridge: string, rule: RuleView, idle: number, hard: number): void;
  /** A packet for controllers, as it is at this point. Only translations that have the frame call it. */
  packetIn(bridge: string, packet: PacketInView): void;
}

/** A flow that a learn action writes: a flow-mod without a protocol version. */
export interface LearnedFlow {
  readonly tableId: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly sendFlowRemoved: boolean;
  /** Delete the learned flow with the flow that has the learn action. */
  readonly deleteLearned: boolean;
  /** Flows of that cookie in that table at most; 0 for no limit. */
  readonly limit: number;
  readonly match: Match;
  readonly actions: readonly OfAction[];
}

/** A packet for controllers (OFPT_PACKET_IN). */
export interface PacketInView {
  /** 0 no match, 1 action, 2 invalid TTL, 3 action set, 4 group, 5 packet-out; 6 a table-miss rule, 7 a miss without one. */
  readonly reason: number;
  readonly tableId: number;
  readonly cookie: bigint;
  /** Which controllers (NXT_SET_CONTROLLER_ID); 0 for those without an id. */
  readonly controllerId: number;
  readonly maxLen: number;
  /** The pipeline's fields at this point; in_port is an OpenFlow port. */
  readonly flow: PipelineKey;
  readonly frame: Uint8Array;
  readonly userdata: Uint8Array;
  /** What NXT_RESUME goes on with; null when the packet is not paused. */
  readonly continuation: FrozenState | null;
  /** Datapath port that the packet came by; null, or left out, for none. */
  readonly dpPort?: number | null;
}

export type TraceKind = 'bridge' | 'table' | 'thaw' | 'bucket' | 'action' | 'detail' | 'warning' | 'error';

/** A line of what happened, and what happened below it. */
export interface TraceNode {
  readonly kind: TraceKind;
  readonly text: string;
  readonly children: TraceNode[];
}

export interface XlateIn {
  readonly picture: SwitchPicture;
  /** Whole key of the packet as the datapath has it: in_port is a datapath port. */
  readonly key: FlowKey;
  /** Where the packet comes in, when the key's in_port does not say it: patch ports and OFPP_NONE in traces. */
  readonly ingress?: { readonly bridge: string; readonly ofport: OfPort };
  /** The packet itself; null when only its key is known. */
  readonly frame: Uint8Array | null;
  readonly now: Micros;
  readonly effects: Effects;
  /** Roots of the trace are added to this list when it is given. */
  readonly trace?: TraceNode[];
  /** Copies that conntrack sends back are added to this list when it is given: a trace goes on with them. */
  readonly forks?: RecircFork[];
  /** What the answer's keys are made of: they are good until the next translation with the same scratch. */
  readonly scratch?: KeyScratch;
  /**
   * Actions to do in the place of a lookup in table 0: packet-outs, ofproto/trace with actions. The rule is null then, and its
   * cookie all ones.
   */
  readonly actions?: readonly OfAction[];
  /** What a packet goes on with that a controller gives back (NXT_RESUME). */
  readonly resume?: FrozenState;
  /** Pipeline fields that a packet-out or a trace brings along; zero when left out. */
  readonly pipeline?: PipelineKey;
}

/** Why translation itself gave up. */
export type XlateError =
  | 'none'
  | 'recursion'
  | 'resubmits'
  | 'in_port_invalid'
  | 'tunnel_no_config'
  | 'stack_too_deep'
  | 'no_recirculation_context'
  | 'recirculation_conflict'
  | 'too_many_mpls_labels'
  | 'invalid_tunnel_metadata'
  | 'unsupported_packet_type'
  | 'too_many_vlans'
  | 'forwarding_disabled';

export interface XlateOut {
  /**
   * What the datapath is to match on: the key under the wildcards and a little more. The wildcards cannot say that a VLAN
   * tag must be absent, nor that a tag with VLAN 0 must have a priority; the datapath needs both.
   */
  readonly match: Match;
  /** What was looked at, as Open vSwitch counts it; in_port stands for the datapath's. */
  readonly wildcards: FlowMask;
  /** Empty for a drop. */
  readonly actions: readonly DpAction[];
  /** Why nothing goes out; 'none' when something does. */
  readonly drop: DropReasonName;
  /** False when the answer holds for this packet only: a tunnel's next hop is being asked for. */
  readonly installable: boolean;
  /** OpenFlow port that the packet came in by; null when no bridge takes it. */
  readonly inPort: OfPort | null;
  /** The flow as it was when translation ended; in_port is an OpenFlow port. */
  readonly finalFlow: PipelineKey;
  /** Recirculation ids that the actions name: whoever keeps the answer holds them (RecircView.hold) and releases them. */
  readonly recircIds: readonly number[];
  /** Why every packet must come up: bits of the slow path's reasons (0 for none). Their megaflow sends them to userspace. */
  readonly slowPath: number;
  /** null when no bridge takes the packet. */
  readonly bridge: string | null;
  readonly error: XlateError;
  /** Tables that were entered: the measure of what the translation cost. */
  readonly lookups: number;
}
