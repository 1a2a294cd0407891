/**
 * What a bridge's OpenFlow requests and its connections know of each other. Requests (src/ofproto/requests) read and change the
 * tables; connections (this folder) speak with controllers. Neither imports the other: both import this.
 */
import type { Micros } from '../../lib/clock.ts';
import type { OfAction } from '../../openflow/action/types.ts';
import type { OfError } from '../../openflow/error.ts';
import type { OfMessage } from '../../openflow/message/families.ts';
import type { OfEnvelope } from '../../openflow/message/message.ts';
import type { OfPort } from '../../openflow/message/port-desc.ts';
import type { OfTableDesc } from '../../openflow/message/table.ts';
import type { OfVersion } from '../../openflow/version.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { PacketInView } from '../../translate/types.ts';
import type { FlowChange } from '../flow-mod.ts';
import type { GroupChange } from '../groups.ts';
import type { MeterChange } from '../meters.ts';

/** What the flow tables hold as a rule's actions: instructions and actions in one list. */
export type OfActions = readonly OfAction[];

/** A request as it came: decoded, and its bytes for the error that may answer it. */
export interface OfRequest {
  readonly envelope: OfEnvelope;
  readonly bytes: Uint8Array;
}

/** A connection as the handler of requests sees it. */
export interface OfPeer {
  readonly id: number;
  /** As the reference's log calls it: `unix#1`, `tcp:127.0.0.1:6653`. */
  readonly name: string;
  readonly version: OfVersion;
  /** NXT_FLOW_MOD_TABLE_ID is on: the high byte of a flow-mod's command is its table (OpenFlow 1.0). The connection sets it. */
  readonly hasTableIds: boolean;
  /** NXT_SET_FLOW_FORMAT asked for NXM: flow-removed and statistics of OpenFlow 1.0 go out in Nicira's forms. */
  readonly usesNxm: boolean;
  /** Service connections (BR.mgmt, passive ones) are told nothing unasked before they set a miss_send_len. */
  readonly kind: 'primary' | 'service';
  /** The connection itself refuses what a secondary may not do, but for requests that only sometimes write (table features). */
  readonly role: 'equal' | 'primary' | 'secondary';
  /** OFPT_SET_CONFIG: bytes that go with a packet which no rule took; 0 at first. The handler of requests sets both. */
  missSendLength: number;
  /** Until OpenFlow 1.2: the connection wants packets whose TTL is over. */
  wantsInvalidTtl: boolean;
  /** An answer: with the request's transaction id, in the peer's version. A message that the version lacks is a bug. */
  reply(request: OfRequest, message: OfMessage): void;
  /** A multipart answer, cut into as many messages as it needs: one `part` is never cut. At least one message goes out. */
  replyMultipart(request: OfRequest, parts: Iterable<OfMessage>, empty: OfMessage): void;
  fail(request: OfRequest, error: OfError | OfErrorName): void;
}

/** A failed bundle: the request that could not be carried out, and why. */
export interface BundleFailure {
  readonly request: OfRequest;
  readonly error: OfError | OfErrorName;
}

/** What connections ask of the bridge. */
export interface OfRequestHandler {
  /** A request that is not about the connection itself. Answers through the peer; never throws on what came from outside. */
  handle(peer: OfPeer, request: OfRequest, now: Micros): void;
  /** What is wrong with a request that is put into a bundle, as far as it can be known then; null when nothing is. */
  checkBundled(peer: OfPeer, request: OfRequest): OfError | OfErrorName | null;
  /** All changes of a bundle (flow, group, port mods, packet-outs), in order: whole or not at all. Null when all is done. */
  commitBundle(peer: OfPeer, requests: readonly OfRequest[], now: Micros): BundleFailure | null;
}

/** What the bridge tells its connections. Called in the order in which things happened. */
export interface OfEvents {
  /** @param peer who asked for it, and in which transaction; null for what the switch did by itself */
  flowsChanged(
    changes: readonly FlowChange<OfActions>[],
    cause: { readonly peer: OfPeer; readonly xid: number } | null,
    now: Micros,
  ): void;
  groupsChanged(changes: readonly GroupChange<OfActions>[], request: OfRequest, peer: OfPeer): void;
  metersChanged(changes: readonly MeterChange[], request: OfRequest, peer: OfPeer): void;
  /** @param cause who asked for it with a port-mod: before OpenFlow 1.5 it is not told */
  /** @param before what was told last, when the change may be one that a version cannot say */
  portChanged(reason: 'add' | 'delete' | 'modify', port: OfPort, cause?: OfPeer | null, before?: OfPort | null): void;
  /** A table that vacancy events were asked of is nearly full, or is not any more (OpenFlow 1.4 §7.4.5). */
  tableStatus?(reason: 'vacancy_down' | 'vacancy_up', table: OfTableDesc): void;
  /** The reason may also be 6, a table-miss flow's output to the controller, and 7, a miss without such a flow. */
  packetIn(packet: PacketInView, now: Micros): void;
}

/**
 * Who answers what. The connection itself: echo, barrier, role, asynchronous configuration, packet-in format, controller id, flow
 * format, flow-mod table id, flow age, flow monitors, bundles, and OFPBRC_IS_SECONDARY. The handler gets everything else:
 * features, get-config and set-config (missSendLength, wantsInvalidTtl and the bridge's fragment handling), descriptions,
 * statistics, mods, packet-out, resume.
 */
