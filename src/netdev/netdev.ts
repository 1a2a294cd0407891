/**
 * What a backend is to the switch: a device whose four rings lie in the datapath's linear memory.
 *
 * Terms. *fill*: free chunks, worker → device. *rx*: received frames, device → worker. *tx*: frames to send,
 * worker → device. *comp*: sent chunks, device → worker. Descriptors are those of AF_XDP (struct xdp_desc), so that
 * the kernel, a Rust addon and plain TypeScript can stand at the device's end of the same rings.
 *
 * Invariants. Each ring has one producer and one consumer. A chunk is in exactly one place: on a ring, on the worker's
 * free stack, in a burst, or held by an upcall. A frame's first byte lies at least HEADROOM bytes into its chunk when it
 * arrives.
 */
import type { Micros } from '../lib/clock.ts';
import type { Result } from '../lib/result.ts';
import type { DeviceRings, PortRingOffsets } from './rings.ts';

export interface NetdevStats {
  readonly rxDropped: number;
  readonly rxErrors: number;
  readonly txDropped: number;
  readonly txErrors: number;
}

/** What there is to say of a device beside what every device has: words and counts. */
export type NetdevStatus = Readonly<Record<string, string | number>>;

export interface Netdev {
  readonly name: string;
  /** The interface type as Open vSwitch would say it: system, internal, tap, dummy, patch, vxlan … */
  readonly type: string;
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** Bytes behind the Ethernet header. */
  readonly mtu: number;
  readonly isUp: boolean;
  /** How its rings must lie; left out by devices that take them as they come. */
  readonly ringOffsets?: PortRingOffsets | undefined;
  /**
   * The device's further queues, when it has several: this object is the first. Each is attached to rings of its own, and
   * may be worked by another worker. close() of the first closes all.
   */
  readonly queues?: readonly Netdev[] | undefined;
  /**
   * False for a device that keeps chunks in another order than it took them, so that nobody can tell which it has: a
   * network card by zero copy. Known after attach().
   */
  readonly keepsOrder?: boolean | undefined;

  /** Takes its end of the rings. Called once before any other call. */
  attach(rings: DeviceRings): Result<void>;
  /** Moves what waits outside onto the rx ring. Returns frames moved; 0 for devices whose peer fills the ring itself. */
  poll(now: Micros): number;
  /** Called after a burst that wrote to the tx ring: send what is there. Returns frames sent. */
  flush(now: Micros): number;
  stats(): NetdevStats;
  status?(): NetdevStatus;
  /** Gives everything back; the device can be opened again at once. */
  close(): void;
}
