/**
 * A bridge's OpenFlow requests: what is asked, checked, done and answered.
 *
 * What. One function a kind of message, in the file of its subject; the table below leads to them. A function answers through
 * the peer and returns null, or returns the error that answers the request.
 *
 * Terms. *call*: one request with all that it needs. *refusal*: the name of an error, or null. *prepare*: to check a request as far
 * as that can be done whatever the tables hold; bundles do it when a member comes.
 *
 * Invariants. Nothing throws on what came from outside. A refused request leaves nothing behind. Counts in answers are those of
 * this moment: Ofproto.settle() is called before they are read.
 *
 * Not supported. Matches on tunnel metadata: refused with NXFMFC_INVALID_TLV_FIELD, mapped or not; actions on mapped fields are
 * kept and shown, and change nothing. Rates of queues.
 */
import type { Micros } from '../../lib/clock.ts';
import type { OfMessage } from '../../openflow/message/families.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { Bridge } from '../bridge.ts';
import type { BundleFailure, OfPeer, OfRequest, OfRequestHandler } from '../connections/types.ts';
import { checkMember, commitBundle } from './bundle.ts';
import type { Call, OfHost, Refusal } from './call.ts';
import { aggregate, flowMod, flowStats } from './flows.ts';
import { groupDesc, groupMod, groupStats } from './groups.ts';
import { meterConfig, meterFeatures, meterMod, meterStats } from './meters.ts';
import { packetOut, resume } from './packets.ts';
import { portDesc, portMod, portStats, queueConfig, queueStats } from './ports.ts';
import {
  describe,
  features,
  flushConnections,
  getConfig,
  groupFeatures,
  ipfixStats,
  setConfig,
  tlvTable,
  tlvTableMod,
} from './switch.ts';
import { tableDesc, tableFeatures, tableMod, tableStats } from './tables.ts';

export type { OfHost, OutPacket, PortTraffic } from './call.ts';

type Kind = OfMessage['kind'];
type Handlers = { readonly [K in Kind]?: (call: Call, message: Extract<OfMessage, { kind: K }>) => Refusal };

const handlers: Handlers = {
  features_request: features,
  get_config_request: getConfig,
  set_config: setConfig,
  desc_request: describe,
  flow_mod: flowMod,
  flow_stats_request: flowStats,
  aggregate_request: aggregate,
  group_mod: groupMod,
  group_stats_request: groupStats,
  group_desc_request: groupDesc,
  group_features_request: groupFeatures,
  meter_mod: meterMod,
  meter_stats_request: meterStats,
  meter_config_request: meterConfig,
  meter_features_request: meterFeatures,
  table_mod: tableMod,
  table_desc_request: tableDesc,
  table_stats_request: tableStats,
  table_features_request: tableFeatures,
  port_mod: portMod,
  port_desc_request: portDesc,
  port_stats_request: portStats,
  queue_stats_request: queueStats,
  queue_config_request: queueConfig,
  packet_out: packetOut,
  resume,
  tlv_table_mod: tlvTableMod,
  tlv_table_request: tlvTable,
  ct_flush_zone: flushConnections,
  ct_flush: flushConnections,
  ipfix_bridge_request: ipfixStats,
  ipfix_flow_request: ipfixStats,
};

export class OfRequests implements OfRequestHandler {
  readonly #bridge: Bridge;
  readonly #host: OfHost;

  constructor(bridge: Bridge, host: OfHost) {
    this.#bridge = bridge;
    this.#host = host;
  }

  handle(peer: OfPeer, request: OfRequest, now: Micros): void {
    const { message, header } = request.envelope;
    const handler = handlers[message.kind] as ((call: Call, message: OfMessage) => Refusal) | undefined;
    const refusal = handler
      ? handler({ bridge: this.#bridge, host: this.#host, peer, request, now }, message)
      : unknown(header.spec.direction !== null);
    if (refusal) peer.fail(request, refusal);
  }

  checkBundled(peer: OfPeer, request: OfRequest): OfErrorName | null {
    return checkMember({ bridge: this.#bridge, peer, request });
  }

  commitBundle(peer: OfPeer, requests: readonly OfRequest[], now: Micros): BundleFailure | null {
    return commitBundle({ bridge: this.#bridge, host: this.#host, peer, now }, requests);
  }
}

/** A message that no switch is asked. */
const unknown = (isMultipart: boolean): OfErrorName => (isMultipart ? 'OFPBRC_BAD_STAT' : 'OFPBRC_BAD_TYPE');
