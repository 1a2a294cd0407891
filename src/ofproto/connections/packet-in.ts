/** Packets for controllers in the form that each connection wants. */
import { KEY, PIPELINE, PipelineKey } from '../../flow/key.ts';
import type { OfMatch } from '../../openflow/match.ts';
import { encodeMessage } from '../../openflow/message/message.ts';
import type { KeyFieldSpec } from '../../spec/key.ts';
import type { PacketInView } from '../../translate/types.ts';
import { EXPLICIT_MISS, IMPLICIT_MISS } from './async-config.ts';
import type { Connection } from './connection.ts';
import { encodeContinuation } from './continuation.ts';

const NO_BUFFER = 0xffffffff;
const NO_MATCH = 0;
const ACTION = 1;
const INVALID_TTL = 2;
/** Bits of tunnel flags that matches know: OAM. */
const TUN_FLAG_OAM = 1;
/** Bit of a connection state that nothing is known of. */
const CT_INVALID = 0x10;
const ETH_IPV4 = 0x0800;
const ETH_IPV6 = 0x86dd;

/** Whether nobody's action asked for it. */
export const isMiss = (reason: number): boolean =>
  reason === NO_MATCH || reason === EXPLICIT_MISS || reason === IMPLICIT_MISS;

/** As a version can say it: OpenFlow 1.4 told actions apart, 1.3 knew table-miss flows. */
function reasonIn(version: number, reason: number): number {
  if (reason <= INVALID_TTL) return reason;
  if (reason === EXPLICIT_MISS) return version < 4 ? ACTION : NO_MATCH;
  if (reason === IMPLICIT_MISS) return NO_MATCH;
  return version < 5 ? ACTION : reason;
}

const registers = Array.from({ length: 16 }, (_, i) => PIPELINE[`reg${i}` as keyof typeof PIPELINE]);
const always: readonly KeyFieldSpec[] = [
  KEY.tun_id,
  KEY.tun_src,
  KEY.tun_dst,
  KEY.tun_ipv6_src,
  KEY.tun_ipv6_dst,
  KEY.tun_gbp_id,
  KEY.tun_gbp_flags,
  PIPELINE.tun_erspan_ver,
  PIPELINE.tun_erspan_idx,
  PIPELINE.tun_erspan_dir,
  PIPELINE.tun_erspan_hwid,
  PIPELINE.tun_gtpu_flags,
  PIPELINE.tun_gtpu_msgtype,
  PIPELINE.metadata,
  ...registers,
  KEY.pkt_mark,
];
const tracked: readonly KeyFieldSpec[] = [KEY.ct_zone, KEY.ct_mark, KEY.ct_label];
const tuple4: readonly KeyFieldSpec[] = [KEY.ct_nw_src, KEY.ct_nw_dst, KEY.ct_nw_proto, KEY.ct_tp_src, KEY.ct_tp_dst];
const tuple6: readonly KeyFieldSpec[] = [
  KEY.ct_ipv6_src,
  KEY.ct_ipv6_dst,
  KEY.ct_nw_proto,
  KEY.ct_tp_src,
  KEY.ct_tp_dst,
];

/** What a packet-in says of the pipeline: the fields that are not zero, and always the port. */
export function packetMetadata(flow: PipelineKey): { readonly key: PipelineKey; readonly mask: PipelineKey } {
  const [key, mask] = [new PipelineKey(), new PipelineKey()];
  const take = (field: KeyFieldSpec): void => {
    if (flow.isZero(field)) return;
    key.setBytes(field, flow.at(field));
    mask.setAllOnes(field);
  };
  for (const field of always) take(field);
  const flags = flow.get(KEY.tun_flags) & TUN_FLAG_OAM;
  if (flags !== 0) {
    key.set(KEY.tun_flags, flags);
    mask.set(KEY.tun_flags, flags);
  }
  key.set(KEY.in_port, flow.get(KEY.in_port));
  mask.setAllOnes(KEY.in_port);
  if (!flow.isZero(KEY.ct_state)) {
    take(KEY.ct_state);
    const type = flow.get(KEY.eth_type);
    key.set(KEY.eth_type, type);
    mask.setAllOnes(KEY.eth_type);
    for (const field of tracked) take(field);
    const isValid = (flow.get(KEY.ct_state) & CT_INVALID) === 0 && !flow.isZero(KEY.ct_nw_proto);
    if (isValid && (type === ETH_IPV4 || type === ETH_IPV6))
      for (const field of type === ETH_IPV4 ? tuple4 : tuple6) take(field);
  }
  return { key, mask };
}

/** In the form and version of this connection. The whole packet goes along, whatever max_len was asked for. */
export function encodePacketIn(connection: Connection, packet: PacketInView, metadata: OfMatch): Uint8Array {
  const { version, packetInFormat: format } = connection;
  const isOwnForm = format === 'nxt_packet_in2';
  return encodeMessage(
    {
      kind: 'packet_in',
      format,
      buffer: NO_BUFFER,
      totalLength: packet.frame.length,
      reason: reasonIn(version, packet.reason),
      table: packet.tableId,
      cookie: packet.cookie,
      metadata,
      userdata: packet.userdata,
      continuation:
        packet.continuation && isOwnForm
          ? encodeContinuation(packet.continuation, version, packet.dpPort ?? null)
          : null,
      data: packet.frame,
    },
    version,
    0,
  )!;
}
