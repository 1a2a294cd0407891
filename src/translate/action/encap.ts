/**
 * encap and decap: Ethernet and NSH headers (ovs-actions(7), OpenFlow 1.5 extensions EXT-382). The flow becomes what the packet
 * will be; the datapath's action comes with the next commit.
 *
 * Not supported: encap and decap of MPLS, since the datapath has no action that adds a label in front of an Ethernet header.
 */
import { KEY } from '../../flow/key.ts';
import { u16At } from '../../lib/bytes.ts';
import type { ActionOf, EncapProperty } from '../../openflow/action/types.ts';
import { commit } from '../commit.ts';
import type { XlateContext } from '../context.ts';
import { VLAN_CFI } from '../tags.ts';

const NAMESPACE_ETHERTYPE = 1;
const ETH_TYPE_NSH = 0x894f;
const PT_ETHERNET = 0;
const PT_NSH = 0x1894f;

/** NSH next protocols by packet type (RFC 8300 §2.2). */
const nextProtocols: readonly (readonly [packetType: number, np: number])[] = [
  [PT_ETHERNET, 3],
  [0x10800, 1],
  [0x186dd, 2],
  [PT_NSH, 4],
];

/** Service path 0, index 255; TTL 63 (RFC 8300 §2.2). */
const NEW_PATH = 255;
const NEW_TTL = 63;

const NSH_PROPERTIES = 4;
const PROPERTY_MDTYPE = 1;
const PROPERTY_TLV = 2;
const CONTEXT_MAX = 248;

function unsupported(ctx: XlateContext, text: string): void {
  ctx.report('action', text);
  ctx.error = 'unsupported_packet_type';
}

export function encap(ctx: XlateContext, { packetType, properties }: ActionOf<'encap'>): void {
  // What was done to the headers inside must be done before they are out of sight
  commit(ctx);
  if (packetType === PT_ETHERNET) encapEthernet(ctx);
  else if (packetType === PT_NSH) encapNsh(ctx, properties);
  else unsupported(ctx, 'Dropping packet: encap(mpls) is not supported by the datapath.');
}

function encapEthernet(ctx: XlateContext): void {
  const { flow } = ctx;
  ctx.unwildcard(KEY.packet_type);
  const type = flow.get(KEY.packet_type);
  if (type >>> 16 !== NAMESPACE_ETHERTYPE) {
    unsupported(ctx, 'Dropping packet as encap(ethernet) is not supported for packet type ethernet.');
    return;
  }
  flow.setZero(KEY.packet_type).setZero(KEY.eth_src).setZero(KEY.eth_dst);
  flow.set(KEY.eth_type, type & 0xffff);
  ctx.pendingEncap = { data: null };
}

/** Type of metadata, and what there is of the variable kind. */
function nshMetadata(properties: readonly EncapProperty[]): { readonly mdType: number; readonly data: Uint8Array } {
  let mdType = 1;
  const bytes: number[] = [];
  for (const { class: group, type, data } of properties) {
    if (group !== NSH_PROPERTIES) continue;
    if (type === PROPERTY_MDTYPE) mdType = data[0]!;
    else if (type === PROPERTY_TLV) {
      const length = data[3]!;
      bytes.push(u16At(data, 0) >> 8, data[1]!, data[2]!, length, ...data.subarray(4, 4 + length));
    }
  }
  const isKept = mdType === 2 && bytes.length <= CONTEXT_MAX;
  return { mdType, data: Uint8Array.from(isKept ? bytes : []) };
}

function encapNsh(ctx: XlateContext, properties: readonly EncapProperty[]): void {
  const { flow } = ctx;
  const next = nextProtocols.find(([packetType]) => packetType === flow.get(KEY.packet_type));
  if (!next) {
    unsupported(ctx, 'Dropping packet. Unsupported packet type for NSH encapsulation.');
    return;
  }
  const { mdType, data } = nshMetadata(properties);
  ctx.unwildcard(KEY.packet_type);
  clearHeaders(ctx);
  flow.set(KEY.packet_type, PT_NSH).set(KEY.eth_type, ETH_TYPE_NSH).set(KEY.nsh_ttl, NEW_TTL);
  flow
    .set(KEY.nsh_np, next[1])
    .set(KEY.nsh_path, NEW_PATH)
    .set(KEY.nsh_mdtype, mdType & 0x0f);
  ctx.pendingEncap = { data };
}

/** All that the key says of headers; what is left is the packet's way so far. */
function clearHeaders({ flow }: XlateContext): void {
  const [inPort, recircId] = [flow.get(KEY.in_port), flow.get(KEY.recirc_id)];
  flow.bytes.fill(0, 0, KEY.dp_hash.offset);
  flow.set(KEY.in_port, inPort).set(KEY.recirc_id, recircId);
}

export function decap(ctx: XlateContext): 'done' | undefined {
  commit(ctx);
  const { flow } = ctx;
  const type = flow.get(KEY.packet_type);
  if (type === PT_ETHERNET) decapEthernet(ctx);
  else if (type === PT_NSH) return decapNsh(ctx);
  else {
    const text = `(${type >>> 16},0x${(type & 0xffff).toString(16)})`;
    unsupported(ctx, `Dropping packet as the decap() does not support packet type ${text}`);
  }
  return undefined;
}

function decapEthernet(ctx: XlateContext): void {
  const { flow } = ctx;
  if ((flow.get(KEY.vlan_tci) & VLAN_CFI) !== 0) {
    unsupported(ctx, 'Dropping packet, cannot decap Ethernet if VLAN is present.');
    return;
  }
  flow.set(KEY.packet_type, NAMESPACE_ETHERTYPE * 0x10000 + flow.get(KEY.eth_type));
  ctx.unwildcard(KEY.eth_type);
}

/** What is inside is not known before the datapath has parsed it. */
function decapNsh(ctx: XlateContext): 'done' | undefined {
  const { flow } = ctx;
  const np = flow.get(KEY.nsh_np);
  const inner = nextProtocols.find(([, code]) => code === np);
  if (!inner) {
    unsupported(ctx, `Dropping packet as NSH next protocol ${np} is not supported`);
    return undefined;
  }
  flow.set(KEY.packet_type, inner[0]);
  ctx.unwildcard(KEY.nsh_np);
  ctx.isDecapPending = true;
  ctx.triggerFreeze();
  return 'done';
}
