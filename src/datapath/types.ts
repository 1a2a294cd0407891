/** What the rest of the switch sees of the datapath (Open vSwitch's dpif). */
import type { FlowKey, Match } from '../flow/key.ts';
import type { DpAction, DpPort, UpcallReason } from '../flow/odp/action.ts';
import type { Micros } from '../lib/clock.ts';

/** A megaflow and what it has seen. */
export interface DpFlow {
  readonly id: number;
  readonly generation: number;
  readonly cookie: number;
  readonly match: Match;
  readonly actions: readonly DpAction[];
  readonly stats: DpFlowStats;
}

export interface DpFlowStats {
  readonly packets: number;
  readonly bytes: number;
  /** Time of the last packet; 0 for never. */
  readonly used: Micros;
  /** All flags seen, host order. */
  readonly tcpFlags: number;
}

/**
 * A frame that the datapath holds until it is told what to do. `frame`, `key` and `userdata` look into linear memory:
 * they are valid until the upcall is answered. Every upcall is answered exactly once: execute or release.
 */
export interface Upcall {
  readonly reason: UpcallReason;
  readonly inPort: DpPort;
  readonly frame: Uint8Array;
  readonly key: FlowKey;
  readonly userdata: Uint8Array;
  readonly tcpFlags: number;
  /** Of the key without TTL and TCP flags; equal keys have equal ones. */
  readonly hash: number;
  /** Slot number: how the datapath knows it again. */
  readonly slot: number;
}

export type PutError = 'exists' | 'no_memory' | 'no_subtable' | 'invalid';

interface MeterBandConfig {
  /** Kilobits or packets a second. */
  readonly rate: number;
  /** Kilobits or packets; 0 is the default of one second's worth. */
  readonly burst: number;
}

export interface MeterConfig {
  readonly unit: 'kbps' | 'pktps';
  readonly bands: readonly MeterBandConfig[];
}

/** A frame of the control side's own. The key's metadata (in_port, tunnel, marks …) counts; headers are parsed anew. */
export interface InjectedFrame {
  readonly frame: Uint8Array;
  readonly key: FlowKey;
}

export type ExecuteError = 'invalid' | 'too_long' | 'no_frame';
