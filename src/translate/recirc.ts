/**
 * Recirculation: what a packet goes on with when it comes back from the datapath, or from a controller that paused it.
 *
 * Terms. *frozen state*: the pipeline at a point where only the datapath, or a controller, can say how the packet goes on.
 * *recirculation id*: the number of a frozen state in megaflows; equal states share one.
 *
 * Invariants. A state is never changed. An id stays valid while somebody holds it, and is not given to another state before
 * nobody does. Bytes in a state are its own: no key of a translation is in it.
 */
import type { PipelineKey } from '../flow/key.ts';
import type { OfAction, OfNat } from '../openflow/action/types.ts';

/** Says whose actions follow among frozen ones: table and cookie for packet-ins and for resubmits to the present table. */
export interface Unroll {
  readonly type: 'unroll';
  readonly tableId: number;
  readonly ruleCookie: bigint;
}

export type FrozenAction = OfAction | Unroll;

export interface FrozenState {
  /** Bridge that the packet goes on in. */
  readonly bridge: string;
  /** Table whose rule froze it; where lookups go on when `actions` is empty. */
  readonly tableId: number;
  /** Cookie of the rule that froze it, for packet-ins. */
  readonly ruleCookie: bigint;
  /** OpenFlow port in `bridge`. */
  readonly inPort: number;
  /** The pipeline fields (metadata, registers …) as they lie in a PipelineKey behind the packet's key. */
  readonly pipeline: Uint8Array;
  /** Tunnel metadata of the flow: the key's blocks from `tun` to its end. */
  readonly tunnel: Uint8Array;
  /** Top of the stack last; values in network order. */
  readonly stack: readonly Uint8Array[];
  readonly isConntracked: boolean;
  /** What is left to be done before anything else. */
  readonly actions: readonly FrozenAction[];
  /** The action set of OpenFlow 1.1 and later. */
  readonly actionSet: readonly OfAction[];
  /** What the action that sends the packet to a controller gives along with it. */
  readonly userdata: Uint8Array;
}

/** A copy of a packet that conntrack sends back. */
export interface RecircFork {
  readonly id: number;
  readonly zone: number;
  /** As the pipeline has it there; in_port is an OpenFlow port. */
  readonly flow: PipelineKey;
  readonly nat: OfNat | null;
}

/** The switch's frozen states. */
export interface RecircView {
  /** The state's id: one that an equal state has already, else a new one. Nobody holds it yet. */
  intern(state: FrozenState): number;
  get(id: number): FrozenState | null;
  hold(id: number): void;
  release(id: number): void;
}
