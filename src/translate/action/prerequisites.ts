/** Whether a packet has what a field is part of; what that was decided by is looked at. */
import { KEY } from '../../flow/key.ts';
import { FRAG_LATER } from '../../gen/key.ts';
import type { OfFieldSpec } from '../../openflow/field/index.ts';
import type { XlateContext } from '../context.ts';
import { ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6, isIp, isMpls } from '../protocols.ts';
import { VLAN_CFI } from '../tags.ts';

type Prerequisite = OfFieldSpec['needs'];
type Check = (ctx: XlateContext) => boolean;

const ofType =
  (...types: readonly number[]): Check =>
  ({ flow }) =>
    types.includes(flow.get(KEY.eth_type));

const ofProtocol =
  (protocol: number, isOfType: Check): Check =>
  (ctx) => {
    if (!isOfType(ctx)) return false;
    ctx.wildcards.setAllOnes(KEY.nw_proto);
    return ctx.flow.get(KEY.nw_proto) === protocol;
  };

const ofTransport = (protocol: number): Check => {
  const isProtocol = ofProtocol(protocol, ({ flow }) => isIp(flow));
  return (ctx) => isProtocol(ctx) && (ctx.flow.get(KEY.nw_frag) & FRAG_LATER) === 0;
};

const isIcmpv6 = ofProtocol(58, ofType(ETH_TYPE_IPV6));

/** Neighbour discovery has code 0 (RFC 4861 §4.3, §4.4). */
const ofNeighborDiscovery =
  (...types: readonly number[]): Check =>
  (ctx) => {
    if (!isIcmpv6(ctx)) return false;
    const { flow, wildcards } = ctx;
    wildcards.setAllOnes(KEY.tp_dst);
    if (flow.get(KEY.tp_dst) !== 0) return false;
    wildcards.setAllOnes(KEY.tp_src);
    return types.includes(flow.get(KEY.tp_src));
  };

const CT_INVALID = 0x10;
const CT_TRACKED = 0x20;

const checks: Readonly<Record<Prerequisite, Check>> = {
  none: () => true,
  ethernet: ({ flow, wildcards }) => {
    wildcards.setAllOnes(KEY.packet_type);
    return flow.get(KEY.packet_type) === 0;
  },
  ct: (ctx) => {
    ctx.unwildcardBits(KEY.ct_state, CT_TRACKED | CT_INVALID);
    return (ctx.flow.get(KEY.ct_state) & (CT_TRACKED | CT_INVALID)) === CT_TRACKED;
  },
  vlan: (ctx) => {
    ctx.unwildcardBits(KEY.vlan_tci, VLAN_CFI);
    return (ctx.flow.get(KEY.vlan_tci) & VLAN_CFI) !== 0;
  },
  ipv4: ofType(ETH_TYPE_IP),
  ipv6: ofType(ETH_TYPE_IPV6),
  ip: ({ flow }) => isIp(flow),
  arp: ofType(ETH_TYPE_ARP, 0x8035),
  mpls: ({ flow }) => isMpls(flow),
  nsh: ofType(0x894f),
  tcp: ofTransport(6),
  udp: ofTransport(17),
  sctp: ofTransport(132),
  icmpv4: ofProtocol(1, ofType(ETH_TYPE_IP)),
  icmpv6: isIcmpv6,
  nd: ofNeighborDiscovery(135, 136),
  nd_solicit: ofNeighborDiscovery(135),
  nd_advert: ofNeighborDiscovery(136),
};

export const hasField = (ctx: XlateContext, field: OfFieldSpec): boolean => checks[field.needs](ctx);
