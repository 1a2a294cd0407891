/**
 * Recirculation: what a packet goes on with when it comes back from the datapath, or from a controller that paused it.
 *
 * Terms. *frozen state*: the pipeline at a point where only the datapath, or a controller, can say how the packet goes on.
 * *recirculation id*: the number of a frozen state in megaflows; equal states share one.
 *
 * Invariants. A state is never changed. An id stays valid while somebody holds it, and is not given to another state before
 * nobody does. Bytes in a state are its own: no key of a translation is in it.
 */
import type { OfAction } from '../openflow/action/types.ts';

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
  /** OpenFlow port of the patch port by which the packet came into the bridge; null otherwise. */
  readonly patchPort: number | null;
  readonly isConntracked: boolean;
  readonly wasMpls: boolean;
  /** What is left to be done before anything else. */
  readonly actions: readonly OfAction[];
  /** The action set of OpenFlow 1.1 and later. */
  readonly actionSet: readonly OfAction[];
}

/** The switch's frozen states. */
export interface RecircView {
  /** The state's id: one that an equal state has already, else a new one. Nobody holds it yet. */
  intern(state: FrozenState): number;
  get(id: number): FrozenState | null;
  hold(id: number): void;
  release(id: number): void;
}
