/** The state of one translation: where the packet is, what it looks like by now, what was looked at, what was decided. */
import { type FlowKey, KEY, type KeyField, type PipelineKey } from '../flow/key.ts';
import type { DpAction } from '../flow/odp/action.ts';
import type { DropReasonName } from '../gen/tables.ts';
import type { Micros } from '../lib/clock.ts';
import type { OfAction, OfController, OfNat } from '../openflow/action/types.ts';
import type { FrozenAction, RecircFork } from './recirc.ts';
import { KeyScratch } from './scratch.ts';
import type {
  BridgePicture,
  Effects,
  OfPort,
  PortPicture,
  RuleView,
  SwitchPicture,
  TraceKind,
  TraceNode,
  XlateError,
  XlateIn,
} from './types.ts';

/** Bytes of the stack at the most (ovs-actions(7), push). */
export const STACK_MAX = 65536;
/** Bit of `slowPath`: the datapath cannot do an action by itself. */
export const SLOW_ACTION = 1 << 5;
/** Tables entered inside each other at the most. */
export const DEPTH_MAX = 64;
/** Tables entered by one translation at the most. */
export const RESUBMITS_MAX = DEPTH_MAX * DEPTH_MAX;

/** How a table is entered. */
export interface TableCall {
  /** What the flow's in_port is for the lookup alone; the flow's own when left out. */
  readonly inPort?: number;
  /** A miss may go to controllers, and the table's setting for misses counts. */
  readonly mayPacketIn: boolean;
  readonly honorsMiss: boolean;
  /** Look up by the connection's original direction. */
  readonly withCt?: boolean;
  /** Nothing comes behind it in the pipeline. */
  readonly isLast: boolean;
  /** The rule's actions work on a copy: the packet came by a patch port. */
  readonly isClone?: boolean;
}

/** Enters a table of the context's bridge: what a resubmit, a patch port and a tunnel all come down to. */
export type TableEntry = (ctx: XlateContext, tableId: number, call: TableCall) => void;

/** A list of actions as it is walked, and where it has got to. */
export interface ActionContext {
  /** Nothing comes behind the action. */
  readonly isLast: boolean;
  /** The list is a bucket's. */
  readonly isBucket: boolean;
}

/** What translation calls across files that would import each other in a circle; action/index.ts fills it. */
export interface ActionBodies {
  translate(ctx: XlateContext, actions: readonly FrozenAction[], isLast: boolean, isBucket: boolean): void;
  /** Does the action set, or freezes the packet when that is what it has come to: the end of every pipeline. */
  finish(ctx: XlateContext): void;
}

export class XlateContext {
  readonly picture: SwitchPicture;
  readonly effects: Effects;
  readonly now: Micros;
  /** The packet itself; null when only its key is known. */
  readonly frame: Uint8Array | null;
  /** The packet as it came in; in_port is a datapath port. Not ours to write to. */
  readonly initial: FlowKey;
  /** The packet as the pipeline has it now; in_port is an OpenFlow port. */
  readonly flow: PipelineKey;
  /** The packet as the datapath will have it when it reaches the end of `actions`. */
  readonly base: PipelineKey;
  /** Where keys are taken from that are needed for a while. */
  readonly keys: KeyScratch;
  /** Bits that were looked at. Swapped while a tunnelled packet goes through another bridge. */
  wildcards: PipelineKey;
  /** Bits that the datapath must match beside them for the answer to be right for every packet of the megaflow. */
  claims: PipelineKey;
  bridge: BridgePicture;
  /** Version of the bridge's tables: what the packet learns is for those behind it. */
  tablesVersion: number;
  /** What gives versions of tables free that are held; by bridge. */
  readonly #held = new Map<string, () => void>();
  /** Table that is being looked up, and the rule whose actions are being done; null for actions without a rule. */
  tableId = 0;
  rule: RuleView | null = null;
  /** The stack of push and pop; values in network order, the top last. */
  stack: Uint8Array[] = [];
  /** What write_actions has gathered (OpenFlow 1.1 §4.7). */
  actionSet: OfAction[] = [];
  /** The action set has a group: actset_output stays unset. */
  hasGroupInSet = false;
  /** The action set is being done. */
  isInActionSet = false;
  /** The actions are a packet-out's. */
  isPacketOut = false;
  /** `exit` was met, or the packet was frozen: no further action of any table or bucket is done. */
  isExiting = false;
  /** The packet is to be frozen: each list that is left adds what it has not done to `frozenActions`. */
  isFreezing = false;
  frozenActions: FrozenAction[] = [];
  /** The action that pauses the packet at a controller; null when it is the datapath that sends it back. */
  pause: OfController | null = null;
  /** The hash that the datapath computes before the packet comes back; null for none. */
  freezeHash: { readonly algorithm: 'l4' | 'sym_l4'; readonly basis: number } | null = null;
  /** The packet came back from the datapath or a controller: its pipeline fields are a frozen state's. */
  isThawed = false;
  /** The actions are a bucket's, or what a bucket leads to. */
  isInGroup = false;
  bucketVisits = 0;
  /** The last MPLS entry was taken off: what is behind is not known before the datapath has parsed it. */
  wasMpls = false;
  /** The packet has been through conntrack in this bridge. */
  isConntracked = false;
  /** NAT that the next ct action does. */
  natAction: OfNat | null = null;
  /** A header is to be put on (with NSH options) or taken off by the next commit. */
  pendingEncap: { readonly data: Uint8Array | null } | null = null;
  isDecapPending = false;
  /** Cookie of the rule whose actions are being done; all ones for actions without a rule. */
  ruleCookie = 0xffffffffffffffffn;
  /** The queue that pop_queue goes back to. */
  readonly initialPriority: number;
  /** Recirculation ids that `actions` name. */
  readonly recircIds: number[] = [];
  slowPath = 0;
  actions: DpAction[] = [];
  /** The flow's VLAN tags are not those of the packet as it came in, though they may look like them. */
  areTagsMoved = false;
  depth = 0;
  resubmits = 0;
  error: XlateError = 'none';
  installable = true;
  readonly enterTable: TableEntry;
  readonly bodies: ActionBodies;
  readonly #forks: RecircFork[] | null;
  #trace: TraceNode[] | null;
  #drop: DropReasonName = 'none';

  /** @param ofport what the flow's in_port is in the bridge */
  constructor(xin: XlateIn, bridge: BridgePicture, ofport: OfPort, enterTable: TableEntry, bodies: ActionBodies) {
    this.keys = xin.scratch ?? new KeyScratch();
    this.keys.release(0);
    this.picture = xin.picture;
    this.effects = xin.effects;
    this.now = xin.now;
    this.frame = xin.frame;
    this.initial = xin.key;
    this.flow = this.keys.copy(xin.key).set(KEY.in_port, ofport);
    this.base = this.keys.copy(this.flow);
    this.wildcards = this.keys.zero();
    this.claims = this.keys.zero();
    this.bridge = bridge;
    this.tablesVersion = bridge.pipeline.version;
    this.enterTable = enterTable;
    this.bodies = bodies;
    this.initialPriority = xin.key.get(KEY.skb_priority);
    this.#forks = xin.forks ?? null;
    this.#trace = xin.trace ?? null;
  }

  /**
   * The packet cannot go on before the datapath (or a controller) has seen it: what is left of all open lists is gathered in
   * `frozenActions`, and whoever began the outermost list freezes the packet with them.
   */
  triggerFreeze(): void {
    this.isExiting = true;
    this.isFreezing = true;
  }

  /** The packet is frozen, or is not to be. What was left behind it stays undone: isExiting is not touched. */
  cancelFreeze(): void {
    if (!this.isFreezing) return;
    this.isFreezing = false;
    this.frozenActions = [];
    this.pause = null;
    this.freezeHash = null;
  }

  /** The tables of the bridge are about to change: their rules of now are kept until the translation is over. */
  holdTables(): void {
    const { name, pipeline } = this.bridge;
    if (!this.#held.has(name)) this.#held.set(name, pipeline.hold());
  }

  releaseTables(): void {
    for (const release of this.#held.values()) release();
    this.#held.clear();
  }

  get inPort(): PortPicture | null {
    return this.bridge.ports.get(this.flow.get(KEY.in_port) as OfPort) ?? null;
  }

  /** Why nothing has gone out, as far as anything said so: the first reason given counts. */
  get drop(): DropReasonName {
    return this.#drop;
  }

  noteDrop(reason: DropReasonName): void {
    if (this.#drop === 'none') this.#drop = reason;
  }

  /** Every bit of these fields was looked at. */
  unwildcard(...fields: readonly KeyField[]): void {
    for (const field of fields) this.wildcards.setAllOnes(field);
  }

  /** These bits of a field of at most four bytes were looked at. */
  unwildcardBits(field: KeyField, bits: number): void {
    this.wildcards.set(field, (this.wildcards.get(field) | bits) >>> 0);
  }

  get isTracing(): boolean {
    return this.#trace !== null;
  }

  /** A copy of the packet comes back by itself: a trace goes on with it. */
  noteFork(fork: RecircFork): void {
    this.#forks?.push(fork);
  }

  report(kind: TraceKind, text: string): void {
    this.#trace?.push({ kind, text, children: [] });
  }

  /** What `inside` reports goes below the bridge's heading. */
  inBridge(name: string, inside: () => void): void {
    if (this.#trace) this.within('bridge', `bridge("${name}")`, inside);
    else inside();
  }

  /** What `inside` reports goes below this line. */
  within(kind: TraceKind, text: string, inside: () => void): void {
    const outer = this.#trace;
    if (!outer) {
      inside();
      return;
    }
    const node: TraceNode = { kind, text, children: [] };
    outer.push(node);
    this.#trace = node.children;
    inside();
    this.#trace = outer;
  }
}
