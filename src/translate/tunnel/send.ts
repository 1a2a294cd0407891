/**
 * Sending by a tunnel port: the port's settings become outer headers, the routing table says which bridge carries them,
 * and translation goes on in that bridge with the encapsulated packet.
 */
import { type FlowKey, KEY } from '../../flow/key.ts';
import type { DpAction } from '../../flow/odp/action.ts';
import { TUNNEL_FLAG_CSUM, TUNNEL_FLAG_DONT_FRAGMENT, TUNNEL_FLAG_KEY } from '../../gen/key.ts';
import { formatIpv4, formatIpv6, formatMac } from '../../lib/addresses.ts';
import { equalBytes } from '../../lib/bytes.ts';
import type { XlateContext } from '../context.ts';
import { ETH_TYPE_IP, ETH_TYPE_IPV6, isIp } from '../protocols.ts';
import { VLAN_TAGS } from '../tags.ts';
import { OFPP_LOCAL, type PortPicture, type TunnelConfig } from '../types.ts';
import { buildTunnelHeader } from './header.ts';

/** Outer TTL of a packet that has none to copy. */
const TTL_DEFAULT = 64;
const DSCP = 0xfc;
const ECN = 0x03;
const ECN_CE = 0x03;
const ECN_ECT0 = 0x02;

const formatAddress = (address: Uint8Array): string =>
  address.length === 4 ? formatIpv4(address) : formatIpv6(address);

/** The outer destination in a flow's tunnel metadata: 4 or 16 bytes. */
const outerDestination = (flow: FlowKey): Uint8Array =>
  flow.isZero(KEY.tun_dst) ? flow.at(KEY.tun_ipv6_dst) : flow.at(KEY.tun_dst);

const outerSource = (flow: FlowKey): Uint8Array | null => {
  for (const field of [KEY.tun_src, KEY.tun_ipv6_src]) if (!flow.isZero(field)) return flow.at(field);
  return null;
};

/** Writes the port's settings into the flow's tunnel metadata. False when the packet does not go out. */
export function tunnelSend(ctx: XlateContext, port: PortPicture): boolean {
  const config = port.tunnel!;
  const { flow } = ctx;
  setAddresses(flow, config);
  if (config.outKey !== 'flow') flow.setU64(KEY.tun_id, config.outKey ?? 0n);
  setTtlAndTos(ctx, config);
  const flags =
    (config.dontFragment ? TUNNEL_FLAG_DONT_FRAGMENT : 0) |
    (config.csum ? TUNNEL_FLAG_CSUM : 0) |
    (config.outKey === null ? 0 : TUNNEL_FLAG_KEY);
  flow.set(KEY.tun_flags, flow.get(KEY.tun_flags) | flags);
  // Both are zero when the packet was not tunnelled and the port does not know where to
  if (flow.sameField(ctx.initial, KEY.tun_dst) && flow.sameField(ctx.initial, KEY.tun_ipv6_dst)) {
    ctx.report('warning', 'Not tunneling to our own address');
    ctx.noteDrop('split_horizon');
    return false;
  }
  return true;
}

function setAddresses(flow: FlowKey, { localIp, remoteIp }: TunnelConfig): void {
  if (localIp !== 'flow') {
    flow.setZero(KEY.tun_src).setZero(KEY.tun_ipv6_src);
    if (localIp) flow.setBytes(localIp.length === 4 ? KEY.tun_src : KEY.tun_ipv6_src, localIp);
  }
  if (remoteIp !== 'flow') {
    flow.setZero(KEY.tun_dst).setZero(KEY.tun_ipv6_dst);
    flow.setBytes(remoteIp.length === 4 ? KEY.tun_dst : KEY.tun_ipv6_dst, remoteIp);
  }
}

/** Congestion marks are always copied outwards; a mark of congestion itself becomes a mere capability (RFC 6040 §4.1). */
function setTtlAndTos(ctx: XlateContext, { ttl, tos }: TunnelConfig): void {
  const { flow } = ctx;
  const inherits = isIp(flow);
  if (ttl === 'inherit' && inherits) {
    ctx.unwildcard(KEY.nw_ttl);
    flow.set(KEY.tun_ttl, flow.get(KEY.nw_ttl));
  } else {
    flow.set(KEY.tun_ttl, ttl === 'inherit' ? TTL_DEFAULT : ttl);
  }
  const inner = flow.get(KEY.nw_tos);
  let outer = tos === 'inherit' ? 0 : tos;
  if (tos === 'inherit' && inherits) {
    ctx.unwildcardBits(KEY.nw_tos, DSCP);
    outer = inner & DSCP;
  }
  if (inherits) {
    ctx.unwildcardBits(KEY.nw_tos, ECN);
    outer |= (inner & ECN) === ECN_CE ? ECN_ECT0 : inner & ECN;
  }
  flow.set(KEY.tun_tos, outer);
}

/** Where outer packets leave, and between which addresses. */
interface Underlay {
  readonly port: PortPicture;
  readonly source: Uint8Array;
  readonly sourceMac: Uint8Array;
  readonly destinationMac: Uint8Array;
}

/**
 * Pushes the outer headers and goes on in the underlay's bridge; takes the push back when nothing comes of it there.
 * @param enterUnderlay translates the packet as one that comes in by the underlay's local port
 */
export function nativeTunnelOutput(
  ctx: XlateContext,
  port: PortPicture,
  enterUnderlay: (underlay: PortPicture) => void,
): void {
  const underlay = findUnderlay(ctx);
  if (!underlay) return;
  const { flow, base, actions, wildcards, claims } = ctx;
  const header = buildTunnelHeader(flow, port.tunnel!, {
    source: underlay.source,
    destination: outerDestination(flow),
    sourceMac: underlay.sourceMac,
    destinationMac: underlay.destinationMac,
  });
  const push: DpAction = { type: 'tnl_push', tunnelPort: port.dpPort!, outPort: underlay.port.dpPort!, header };
  const { mark } = ctx.keys;
  const [outerFlow, outerBase] = [ctx.keys.copy(flow), ctx.keys.copy(base)];
  becomeOuter(base, outerFlow, underlay, header.type);
  becomeOuter(flow, outerFlow, underlay, header.type);
  const inside: DpAction[] = [push];
  ctx.actions = inside;
  // What is looked at from here on is the outer packet, which is the same for every packet of the megaflow
  ctx.wildcards = ctx.keys.zero();
  ctx.claims = ctx.keys.zero();
  enterUnderlay(underlay.port);
  ctx.wildcards = wildcards;
  ctx.claims = claims;
  ctx.actions = actions;
  flow.copyFrom(outerFlow);
  base.copyFrom(outerBase);
  ctx.keys.release(mark);
  if (inside.length === 1) return;
  actions.push({ type: 'clone', actions: inside });
  ctx.effects.creditPort(port.bridge, port.ofport, 'tx');
}

const hasAddress = ({ picture }: XlateContext, wanted: Uint8Array): boolean =>
  picture.localAddresses.some(({ address }) => equalBytes(address, wanted));

function findUnderlay(ctx: XlateContext): Underlay | null {
  const { flow, picture } = ctx;
  const destination = outerDestination(flow);
  const route = picture.routes.lookup(destination);
  const port = route && picture.bridges.get(route.device)?.ports.get(OFPP_LOCAL);
  const wanted = outerSource(flow);
  const isOurs = !wanted || (wanted.length === destination.length && hasAddress(ctx, wanted));
  if (!route || !port || !isOurs) {
    ctx.report('warning', 'native tunnel routing failed');
    ctx.noteDrop('tunnel_no_route');
    return null;
  }
  const nextHop = route.gateway ?? destination;
  const source = wanted ?? route.source;
  if (ctx.isTracing) ctx.report('detail', `tunneling to ${formatAddress(nextHop)} via ${route.device}`);
  const destinationMac = picture.neighbors.lookup(port.bridge, nextHop, ctx.now);
  if (!destinationMac) {
    const question = nextHop.length === 4 ? 'ARP' : 'ND';
    ctx.report(
      'detail',
      `neighbor cache miss for ${formatAddress(nextHop)} on bridge ${port.bridge}, sending ${question} request`,
    );
    ctx.effects.requestNeighbor(port.bridge, nextHop, route.source);
    ctx.installable = false;
    ctx.noteDrop('tunnel_no_neighbor');
    return null;
  }
  ctx.effects.refreshNeighbor(port.bridge, nextHop);
  if (ctx.isTracing) {
    const [from, to] = [`${formatMac(port.mac)} ${formatAddress(source)}`, formatMac(destinationMac)];
    ctx.report('detail', `tunneling from ${from} to ${to} ${formatAddress(nextHop)}`);
  }
  return { port, source: source.slice(), sourceMac: port.mac, destinationMac };
}

/** Turns a key into that of the encapsulated packet. `inner` is the packet with its tunnel metadata. */
function becomeOuter(key: FlowKey, inner: FlowKey, underlay: Underlay, type: TunnelConfig['type']): void {
  const isIpv6 = underlay.source.length === 16;
  key.setBytes(KEY.eth_dst, underlay.destinationMac).setBytes(KEY.eth_src, underlay.sourceMac);
  for (const { tpid, tci } of VLAN_TAGS) key.set(tpid, 0).set(tci, 0);
  key.set(KEY.packet_type, 0).set(KEY.eth_type, isIpv6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
  key.set(KEY.nw_proto, type === 'gre' ? 47 : 17).set(KEY.nw_frag, 0);
  key.set(KEY.nw_tos, inner.get(KEY.tun_tos)).set(KEY.nw_ttl, inner.get(KEY.tun_ttl));
  key.set(KEY.tp_src, inner.get(KEY.tun_tp_src)).set(KEY.tp_dst, inner.get(KEY.tun_tp_dst));
  key
    .setBytes(KEY.ipv4_dst, inner.at(KEY.tun_dst))
    .setBytes(KEY.ipv4_src, isIpv6 ? new Uint8Array(4) : underlay.source);
  key.setBytes(KEY.ipv6_dst, inner.at(KEY.tun_ipv6_dst));
  key.setBytes(KEY.ipv6_src, isIpv6 ? underlay.source : new Uint8Array(16));
}
