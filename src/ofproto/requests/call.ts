/** What every request's handler is given, and what the switch around the bridge does for it. */
import type { PipelineKey } from '../../flow/key.ts';
import type { Micros } from '../../lib/clock.ts';
import type { PacketInMessage } from '../../openflow/message/packet-in.ts';
import type { OfVersion } from '../../openflow/version.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { OfPort } from '../../translate/types.ts';
import type { Bridge } from '../bridge.ts';
import type { OfActions, OfPeer, OfRequest } from '../connections/types.ts';

/** A packet that a controller sends. */
export interface OutPacket {
  readonly bridge: string;
  readonly frame: Uint8Array;
  readonly inPort: OfPort;
  /** Pipeline fields that it brings along. */
  readonly pipeline: PipelineKey;
  readonly actions: OfActions;
}

/** What a port has counted; null for what its kind does not count. */
export interface PortTraffic {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxDropped: number | null;
  readonly txDropped: number | null;
  readonly rxErrors: number | null;
  readonly txErrors: number | null;
}

/** The switch that a bridge is part of. */
export interface OfHost {
  portTraffic(bridge: string, port: OfPort): PortTraffic | null;
  /** @returns what is wrong with its actions, or null */
  packetOut(packet: OutPacket, now: Micros): OfErrorName | null;
  /** Goes on with a paused packet. @returns what is wrong with it, or null */
  resume(message: PacketInMessage, version: OfVersion, now: Micros): OfErrorName | null;
}

/** One request. */
export interface Call {
  readonly bridge: Bridge;
  readonly host: OfHost;
  readonly peer: OfPeer;
  readonly request: OfRequest;
  readonly now: Micros;
}

/** An error to answer with; null when the request was done, and answered when it has an answer. */
export type Refusal = OfErrorName | null;

export const OFPP_ANY = 0xffff;
export const OFPG_ANY = 0xffffffff;

/** Seconds and nanoseconds, as statistics tell times: whole milliseconds. */
export function durationOf(micros: Micros): { seconds: number; nanoseconds: number } {
  const time = Math.max(0, micros);
  const seconds = Math.floor(time / 1e6);
  return { seconds, nanoseconds: Math.floor((time - seconds * 1e6) / 1000) * 1e6 };
}
