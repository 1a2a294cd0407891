/**
 * The receiving end of tunnels. A packet on its way to a bridge's own port, addressed to the bridge and to a tunnel,
 * is not delivered: the datapath takes its outer headers off and looks it up again as a packet of the tunnel's port.
 *
 * What is looked at grows in stages, as in Open vSwitch's classifier: first the MAC address, then, when it is ours, the
 * network header, then, when that is ours too, as much of the destination port as tells the answer.
 */
import { KEY } from '../../flow/key.ts';
import type { DpPort } from '../../flow/odp/action.ts';
import { equalBytes } from '../../lib/bytes.ts';
import type { XlateContext } from '../context.ts';
import { ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6 } from '../protocols.ts';
import type { LocalAddress, PortPicture, TunnelEndpoint } from '../types.ts';

const PROTO_UDP = 17;
const PROTO_GRE = 47;
const PROTO_ICMPV6 = 58;
const NEIGHBOR_ADVERTISEMENT = 136;
const ARP_REPLY = 2;

/** The datapath port of the tunnel that this packet is for; null when it is for none. Learns neighbours on the way. */
export function terminateTunnel(ctx: XlateContext, port: PortPicture): DpPort | null {
  const { picture } = ctx;
  const own = picture.localAddresses.filter(({ bridge }) => bridge === port.bridge);
  if (port.kind !== 'local' || own.length === 0) return null;
  const endpoint = findEndpoint(ctx);
  if (endpoint) {
    const { flow } = ctx;
    const from = flow.get(KEY.eth_type) === ETH_TYPE_IP ? KEY.ipv4_src : KEY.ipv6_src;
    ctx.effects.learnNeighbor(port.bridge, flow.at(from), flow.at(KEY.eth_src));
    return endpoint.dpPort;
  }
  snoop(ctx, port.bridge, own);
  return null;
}

/** Endpoints that share a form of packet: one address family, one protocol. */
interface Form {
  readonly addressSize: 4 | 16;
  readonly proto: number;
}

const forms: readonly Form[] = [
  { addressSize: 4, proto: PROTO_UDP },
  { addressSize: 16, proto: PROTO_UDP },
  { addressSize: 4, proto: PROTO_GRE },
  { addressSize: 16, proto: PROTO_GRE },
];

const protoOf = ({ type }: TunnelEndpoint): number => (type === 'gre' ? PROTO_GRE : PROTO_UDP);

function findEndpoint(ctx: XlateContext): TunnelEndpoint | null {
  for (const form of forms) {
    const endpoints = ctx.picture.endpoints.filter((endpoint) => protoOf(endpoint) === form.proto);
    const found = endpoints.length > 0 ? findOfForm(ctx, form, endpoints) : null;
    if (found) return found;
  }
  return null;
}

function findOfForm(ctx: XlateContext, form: Form, endpoints: readonly TunnelEndpoint[]): TunnelEndpoint | null {
  const { flow } = ctx;
  const addresses = ctx.picture.localAddresses.filter(({ address }) => address.length === form.addressSize);
  if (addresses.length === 0) return null;
  ctx.unwildcard(KEY.eth_dst);
  const etherType = form.addressSize === 4 ? ETH_TYPE_IP : ETH_TYPE_IPV6;
  const ours = addresses.filter(({ mac }) => equalBytes(mac, flow.at(KEY.eth_dst)));
  if (flow.get(KEY.eth_type) !== etherType || ours.length === 0) return null;
  const destination = form.addressSize === 4 ? KEY.ipv4_dst : KEY.ipv6_dst;
  ctx.unwildcard(destination, KEY.nw_proto);
  ctx.unwildcardBits(KEY.nw_frag, 3);
  const isOurs = ours.some(({ address }) => equalBytes(address, flow.at(destination)));
  if (!isOurs || flow.get(KEY.nw_proto) !== form.proto || flow.get(KEY.nw_frag) !== 0) return null;
  if (form.proto === PROTO_GRE) return endpoints[0]!;
  return findByPort(ctx, endpoints);
}

function findByPort(ctx: XlateContext, endpoints: readonly TunnelEndpoint[]): TunnelEndpoint | null {
  const port = ctx.flow.get(KEY.tp_dst);
  const found = endpoints.find(({ dstPort }) => dstPort === port);
  let bits = 16;
  if (!found) {
    // Down to the first bit in which the port differs from all of them
    const common = endpoints.map(({ dstPort }) => Math.clz32((dstPort ^ port) << 16));
    bits = Math.max(...common) + 1;
  }
  ctx.unwildcardBits(KEY.tp_dst, (0xffff0000 >>> bits) & 0xffff);
  return found ?? null;
}

/** ARP replies and neighbour advertisements to the bridge itself resolve the next hops of its tunnels. */
function snoop(ctx: XlateContext, bridge: string, own: readonly LocalAddress[]): void {
  const { flow } = ctx;
  if (flow.get(KEY.eth_type) === ETH_TYPE_ARP) {
    snoopArp(ctx, bridge, own);
  } else if (flow.get(KEY.eth_type) === ETH_TYPE_IPV6 && flow.get(KEY.nw_proto) === PROTO_ICMPV6) {
    if (own.some(({ address }) => isForAddress(flow.at(KEY.ipv6_dst), address))) snoopNeighborDiscovery(ctx, bridge);
  }
}

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** Replies to one of our addresses, and announcements: those say sender and target alike (RFC 5227 §3). */
function snoopArp(ctx: XlateContext, bridge: string, own: readonly LocalAddress[]): void {
  const { flow } = ctx;
  ctx.unwildcard(KEY.ipv4_src, KEY.ipv4_dst);
  const target = flow.at(KEY.ipv4_dst);
  if (!equalBytes(flow.at(KEY.ipv4_src), target)) {
    if (!own.some(({ address }) => equalBytes(address, target))) return;
    ctx.unwildcard(KEY.nw_proto);
    if (flow.get(KEY.nw_proto) !== ARP_REPLY) return;
  }
  ctx.unwildcard(KEY.arp_sha);
  if (isZero(flow.at(KEY.arp_sha))) return;
  ctx.effects.learnNeighbor(bridge, flow.at(KEY.ipv4_src), flow.at(KEY.arp_sha));
}

/** The address itself, or its solicited-node group (RFC 4291 §2.7.1). */
function isForAddress(destination: Uint8Array, address: Uint8Array): boolean {
  if (address.length !== 16) return false;
  if (equalBytes(destination, address)) return true;
  const isLinkLocalGroup = destination[0] === 0xff && (destination[1]! & 0x0f) === 2;
  const isSolicited = destination[11] === 1 && destination[12] === 0xff;
  return isLinkLocalGroup && isSolicited && [13, 14, 15].every((i) => destination[i] === address[i]);
}

function snoopNeighborDiscovery(ctx: XlateContext, bridge: string): void {
  const { flow } = ctx;
  ctx.unwildcard(KEY.nw_proto, KEY.tp_src, KEY.tp_dst);
  if (flow.get(KEY.tp_src) !== NEIGHBOR_ADVERTISEMENT || flow.get(KEY.tp_dst) !== 0) return;
  ctx.unwildcard(KEY.arp_tha);
  if (isZero(flow.at(KEY.arp_tha))) return;
  ctx.unwildcard(KEY.ipv6_src, KEY.ipv6_dst, KEY.nd_target);
  ctx.effects.learnNeighbor(bridge, flow.at(KEY.nd_target), flow.at(KEY.arp_tha));
}
