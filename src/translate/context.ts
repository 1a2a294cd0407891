/** The state of one translation: where the packet is, what it looks like by now, what was looked at, what was decided. */
import { type FlowKey, KEY, type KeyField, type PipelineKey } from '../flow/key.ts';
import type { DpAction } from '../flow/odp/action.ts';
import type { DropReasonName } from '../gen/tables.ts';
import type { Micros } from '../lib/clock.ts';
import type { OfAction } from '../openflow/action/types.ts';
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

/** Tables entered inside each other at the most. */
export const DEPTH_MAX = 64;
/** Tables entered by one translation at the most. */
export const RESUBMITS_MAX = DEPTH_MAX * DEPTH_MAX;

/** Enters a table of the context's bridge: what a resubmit, a patch port and a tunnel all come down to. */
export type TableEntry = (ctx: XlateContext, tableId: number) => void;

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
  /** Table that is being looked up, and the rule whose actions are being done; null for actions without a rule. */
  tableId = 0;
  rule: RuleView | null = null;
  /** The stack of push and pop; values in network order, the top last. */
  stack: Uint8Array[] = [];
  /** What write_actions has gathered (OpenFlow 1.1 §4.7). */
  actionSet: OfAction[] = [];
  /** `exit` was met, or the packet was frozen: no further action of any table or bucket is done. */
  isExiting = false;
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
  #trace: TraceNode[] | null;
  #drop: DropReasonName = 'none';

  /** @param ofport what the flow's in_port is in the bridge */
  constructor(xin: XlateIn, bridge: BridgePicture, ofport: OfPort, enterTable: TableEntry) {
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
    this.enterTable = enterTable;
    this.#trace = xin.trace ?? null;
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
