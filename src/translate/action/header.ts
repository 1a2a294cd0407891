/** The actions of OpenFlow 1.0 and 1.1 that set one header field each. Packets that lack the header stay as they are. */
import { KEY, type KeyField } from '../../flow/key.ts';
import { FRAG_LATER } from '../../gen/key.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';
import { ETH_TYPE_IP, isIp } from '../protocols.ts';

const DSCP = 0xfc;
const ECN = 0x03;

const setMac =
  (field: KeyField) =>
  ({ flow, wildcards }: XlateContext, { mac }: ActionOf<'set_eth_src' | 'set_eth_dst'>): void => {
    wildcards.setAllOnes(field);
    flow.setBytes(field, mac);
  };
export const setEthSrc = setMac(KEY.eth_src);
export const setEthDst = setMac(KEY.eth_dst);

const setIpv4 =
  (field: KeyField) =>
  ({ flow, wildcards }: XlateContext, { address }: ActionOf<'set_ipv4_src' | 'set_ipv4_dst'>): void => {
    if (flow.get(KEY.eth_type) !== ETH_TYPE_IP) return;
    wildcards.setAllOnes(KEY.nw_proto).setAllOnes(field);
    flow.setBytes(field, address);
  };
export const setIpv4Src = setIpv4(KEY.ipv4_src);
export const setIpv4Dst = setIpv4(KEY.ipv4_dst);

function setTosBits(ctx: XlateContext, mask: number, bits: number): void {
  const { flow } = ctx;
  if (!isIp(flow)) return;
  ctx.unwildcard(KEY.nw_proto);
  ctx.unwildcardBits(KEY.nw_tos, mask);
  flow.set(KEY.nw_tos, (flow.get(KEY.nw_tos) & ~mask) | (bits & mask));
}
export const setIpDscp = (ctx: XlateContext, { tos }: ActionOf<'set_ip_dscp'>): void => setTosBits(ctx, DSCP, tos);
export const setIpEcn = (ctx: XlateContext, { ecn }: ActionOf<'set_ip_ecn'>): void => setTosBits(ctx, ECN, ecn);

export function setIpTtl({ flow, wildcards }: XlateContext, { ttl }: ActionOf<'set_ip_ttl'>): void {
  if (!isIp(flow)) return;
  wildcards.setAllOnes(KEY.nw_proto).setAllOnes(KEY.nw_ttl);
  flow.set(KEY.nw_ttl, ttl);
}

const setL4Port =
  (field: KeyField) =>
  (ctx: XlateContext, { port }: ActionOf<'set_l4_src_port' | 'set_l4_dst_port'>): void => {
    const { flow } = ctx;
    if (!isIp(flow) || (flow.get(KEY.nw_frag) & FRAG_LATER) !== 0) return;
    ctx.unwildcard(KEY.nw_proto, field);
    flow.set(field, port);
  };
export const setL4SrcPort = setL4Port(KEY.tp_src);
export const setL4DstPort = setL4Port(KEY.tp_dst);

export function setTunnel({ flow }: XlateContext, { id }: ActionOf<'set_tunnel'>): void {
  flow.setU64(KEY.tun_id, id);
}
