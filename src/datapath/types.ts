/** What the rest of the switch sees of the datapath (Open vSwitch's dpif). */
import type { FlowKey, Match } from '../flow/key.ts';
import type { DpAction, DpPort, UpcallReason } from '../flow/odp/action.ts';
import { UPCALL_SLOTS } from '../gen/limits.ts';
import type { Micros } from '../lib/clock.ts';
import { FLOW_ID_BITS } from './memory.ts';

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
  /** Slot number, of all workers' slots: how the datapath knows it again. */
  readonly slot: number;
}

/** The worker that holds an upcall's frame: its megaflow belongs there. */
export const workerOfUpcall = (upcall: Upcall): number => Math.floor(upcall.slot / UPCALL_SLOTS);

/** The worker that has the megaflow of an id. */
export const workerOfFlow = (id: number): number => id >>> FLOW_ID_BITS;

/** `worker_lost`: the worker has died, or does not answer. */
export type PutError = 'exists' | 'no_memory' | 'no_subtable' | 'invalid' | 'worker_lost';

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

export type ExecuteError = 'invalid' | 'too_long' | 'no_frame' | 'worker_lost';
