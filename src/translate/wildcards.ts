/** What every translation looks at, and what is left of the wildcards at its end. */
import { type FlowKey, KEY, PIPELINE, type PipelineKey } from '../flow/key.ts';
import { FRAG_LATER, TUNNEL_FLAG_CSUM, TUNNEL_FLAG_DONT_FRAGMENT, TUNNEL_FLAG_KEY } from '../gen/key.ts';
import type { XlateContext } from './context.ts';
import { clearTunnel, ETH_TYPE_IP, ETH_TYPE_IPV6, hasTunnel, isIp, isMpls } from './protocols.ts';
import { VLAN_CFI, VLAN_TAGS } from './tags.ts';

const ECN = 0x03;
const CONGESTION = 0x03;

/** Fields that are looked at whatever the tables say. */
export function startWildcards(ctx: XlateContext): void {
  const { flow } = ctx;
  ctx.unwildcard(KEY.packet_type, KEY.in_port, KEY.eth_type, KEY.recirc_id);
  if (isIp(flow)) ctx.unwildcardBits(KEY.nw_frag, 3);
  if (!hasTunnel(flow)) return;
  ctx.unwildcard(KEY.tun_id, KEY.tun_tos);
  if (flow.isZero(KEY.tun_dst)) ctx.unwildcard(KEY.tun_ipv6_src, KEY.tun_ipv6_dst);
  else ctx.unwildcard(KEY.tun_src, KEY.tun_dst);
  ctx.unwildcardBits(KEY.tun_flags, TUNNEL_FLAG_DONT_FRAGMENT | TUNNEL_FLAG_CSUM | TUNNEL_FLAG_KEY);
  if (isIp(flow) && (flow.get(KEY.tun_tos) & ECN) === CONGESTION) ctx.unwildcardBits(KEY.nw_tos, ECN);
}

/** ICMP's type and code are eight bits in sixteen. */
function isIcmp(flow: FlowKey): boolean {
  const proto = flow.get(KEY.nw_proto);
  const type = flow.get(KEY.eth_type);
  return (proto === 1 && type === ETH_TYPE_IP) || (proto === 58 && type === ETH_TYPE_IPV6);
}

/**
 * Takes out what tables and actions added for what the packet, or the datapath, does not have.
 * @param key the packet as it came in @param flow as it is at the end
 */
export function finishWildcards(wildcards: PipelineKey, key: FlowKey, flow: FlowKey): void {
  wildcards.bytes.fill(0, PIPELINE.metadata.offset);
  if (!hasTunnel(key)) clearTunnel(wildcards);
  if (key.get(KEY.packet_type) !== 0) wildcards.setZero(KEY.eth_dst).setZero(KEY.eth_src);
  if (isIcmp(flow) || isIcmp(key)) {
    for (const field of [KEY.tp_src, KEY.tp_dst]) wildcards.set(field, wildcards.get(field) & 0xff);
  }
  for (const { tpid, tci } of VLAN_TAGS) {
    const isPresent = key.get(tpid) !== 0;
    if (!isPresent) {
      wildcards.set(tpid, 0);
      wildcards.set(tci, 0);
    } else if (wildcards.get(tci) !== 0) {
      wildcards.set(tci, wildcards.get(tci) | VLAN_CFI);
    }
  }
  if (!isMpls(key)) {
    for (const lse of [KEY.mpls_lse0, KEY.mpls_lse1, KEY.mpls_lse2]) wildcards.set(lse, 0);
  }
  if ((flow.get(KEY.nw_frag) & FRAG_LATER) !== 0) {
    wildcards.set(KEY.tp_src, 0);
    wildcards.set(KEY.tp_dst, 0);
  }
}

/**
 * The mask that the datapath is given. Beside the wildcards: the first tag that is not there must stay away, since eth_type
 * is what follows the tags; and a tag whose masked bits are zero must show why it is kept (one bit of it) or that it is
 * empty, since an empty tag is taken off on output. The claims are written over.
 */
export function installedMask(wildcards: PipelineKey, claims: PipelineKey, key: FlowKey): PipelineKey {
  const mask = claims;
  const [to, from] = [mask.words, wildcards.words];
  for (let i = 0; i < to.length; i++) to[i]! |= from[i]!;
  for (const { tci } of VLAN_TAGS) {
    const bits = key.get(tci);
    if ((bits & VLAN_CFI) === 0) {
      mask.set(tci, 0xffff);
      break;
    }
    const content = bits & ~VLAN_CFI;
    const lowest = content & -content;
    const isShown = (content & mask.get(tci)) !== 0;
    mask.set(tci, mask.get(tci) | VLAN_CFI | (isShown ? 0 : content === 0 ? 0xffff : lowest));
  }
  return mask;
}
