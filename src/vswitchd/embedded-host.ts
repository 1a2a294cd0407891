/**
 * The smallest host that can stand behind a bridge's local port: it answers ARP (RFC 826), neighbour solicitations
 * (RFC 4861) and echo requests (RFC 792, RFC 4443) for the bridge's addresses, and asks for the next hops of its tunnels.
 * It keeps no state: an answer goes back to where the question came from.
 */
import { equalBytes } from '../lib/bytes.ts';
import {
  ARP_REPLY,
  ARP_REQUEST,
  BROADCAST_MAC,
  buildArp,
  buildEthernet,
  buildIcmp,
  buildIcmpv6,
  buildIpv4,
  buildIpv6,
  buildNeighbor,
  ETH_TYPE,
  type Ethernet,
  ICMP,
  ICMPV6,
  IP_PROTO,
  isMulticastMac,
  multicastMac6,
  parseArp,
  parseEthernet,
  parseIcmp,
  parseIcmpv6,
  parseIpv4Header,
  parseIpv6Header,
  parseNeighbor,
  solicitedNode,
} from '../packet/index.ts';
import type { LocalHost } from './local-port.ts';

/** Hop limit that neighbour discovery must have (RFC 4861 §7.1). */
const ND_HOP_LIMIT = 255;
const TTL = 64;
const NO_OPTIONS = new Uint8Array(0);
const UNKNOWN_MAC = new Uint8Array(6);

interface Identity {
  readonly mac: Uint8Array;
  /** 4 or 16 bytes each. */
  readonly addresses: readonly Uint8Array[];
}

const owns = ({ addresses }: Identity, address: Uint8Array): boolean =>
  addresses.some((own) => equalBytes(own, address));

export function embeddedHost(identity: Identity): LocalHost {
  return (frame) => {
    const parsed = parseEthernet(frame);
    if (!parsed || parsed.header.tags.length > 0) return [];
    const { header, payload } = parsed;
    if (!isMulticastMac(header.dst) && !equalBytes(header.dst, identity.mac)) return [];
    const answer = answerTo(identity, header, payload);
    return answer ? [answer] : [];
  };
}

function answerTo(identity: Identity, header: Ethernet, payload: Uint8Array): Uint8Array | null {
  switch (header.ethType) {
    case ETH_TYPE.ARP:
      return answerArp(identity, payload);
    case ETH_TYPE.IPV4:
      return answerEcho4(identity, header, payload);
    case ETH_TYPE.IPV6:
      return answerIpv6(identity, header, payload);
    default:
      return null;
  }
}

const frameTo = (dst: Uint8Array, { mac }: Pick<Identity, 'mac'>, ethType: number, payload: Uint8Array): Uint8Array =>
  buildEthernet({ dst, src: mac, tags: [], ethType }, payload);

function answerArp(identity: Identity, payload: Uint8Array): Uint8Array | null {
  const arp = parseArp(payload);
  if (arp?.operation !== ARP_REQUEST || !owns(identity, arp.tpa)) return null;
  const reply = { operation: ARP_REPLY, sha: identity.mac, spa: arp.tpa, tha: arp.sha, tpa: arp.spa };
  return frameTo(arp.sha, identity, ETH_TYPE.ARP, buildArp(reply));
}

const ipv4Header = (src: Uint8Array, dst: Uint8Array, protocol: number) => ({
  tos: 0,
  id: 0,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: TTL,
  protocol,
  src,
  dst,
  options: NO_OPTIONS,
});

function answerEcho4(identity: Identity, ethernet: Ethernet, payload: Uint8Array): Uint8Array | null {
  const ip = parseIpv4Header(payload);
  if (!ip?.checksumOk || ip.header.protocol !== IP_PROTO.ICMP || !owns(identity, ip.header.dst)) return null;
  if (ip.header.moreFragments || ip.header.fragmentOffset > 0) return null;
  const icmp = parseIcmp(ip.payload);
  if (!icmp?.checksumOk || icmp.header.type !== ICMP.ECHO_REQUEST) return null;
  const reply = buildIcmp({ ...icmp.header, type: ICMP.ECHO_REPLY }, icmp.payload);
  const { src, dst } = ip.header;
  return frameTo(ethernet.src, identity, ETH_TYPE.IPV4, buildIpv4(ipv4Header(dst, src, IP_PROTO.ICMP), reply));
}

const ipv6Header = (src: Uint8Array, dst: Uint8Array, hopLimit: number) => ({
  trafficClass: 0,
  flowLabel: 0,
  protocol: IP_PROTO.ICMPV6,
  hopLimit,
  src,
  dst,
  isFragment: false,
});

function answerIpv6(identity: Identity, ethernet: Ethernet, payload: Uint8Array): Uint8Array | null {
  const ip = parseIpv6Header(payload);
  if (!ip || ip.header.protocol !== IP_PROTO.ICMPV6 || ip.header.isFragment) return null;
  const { src, dst, hopLimit } = ip.header;
  const pseudo = { src, dst, protocol: IP_PROTO.ICMPV6 };
  const neighbor = hopLimit === ND_HOP_LIMIT ? parseNeighbor(ip.payload, pseudo) : null;
  if (neighbor) {
    if (neighbor.kind !== 'solicitation' || !owns(identity, neighbor.target)) return null;
    return advertise(identity, neighbor.target, src, neighbor.mac ?? ethernet.src);
  }
  const echo = parseIcmpv6(ip.payload, pseudo);
  if (!echo?.checksumOk || echo.header.type !== ICMPV6.ECHO_REQUEST || !owns(identity, dst)) return null;
  const back = { src: dst, dst: src, protocol: IP_PROTO.ICMPV6 };
  const reply = buildIcmpv6({ ...echo.header, type: ICMPV6.ECHO_REPLY }, echo.payload, back);
  return frameTo(ethernet.src, identity, ETH_TYPE.IPV6, buildIpv6(ipv6Header(dst, src, TTL), reply));
}

function advertise(identity: Identity, target: Uint8Array, to: Uint8Array, toMac: Uint8Array): Uint8Array {
  const pseudo = { src: target, dst: to, protocol: IP_PROTO.ICMPV6 };
  const advertisement = buildNeighbor(
    { kind: 'advertisement', target, mac: identity.mac, isRouter: false, isSolicited: true, isOverride: true },
    pseudo,
  );
  return frameTo(toMac, identity, ETH_TYPE.IPV6, buildIpv6(ipv6Header(target, to, ND_HOP_LIMIT), advertisement));
}

/** The question for a next hop: an ARP request or a neighbour solicitation, by the family of the address. */
export function neighborQuestion(mac: Uint8Array, source: Uint8Array, target: Uint8Array): Uint8Array {
  if (target.length === 4) {
    const request = { operation: ARP_REQUEST, sha: mac, spa: source, tha: UNKNOWN_MAC, tpa: target };
    return frameTo(BROADCAST_MAC, { mac }, ETH_TYPE.ARP, buildArp(request));
  }
  const group = solicitedNode(target);
  const pseudo = { src: source, dst: group, protocol: IP_PROTO.ICMPV6 };
  const solicitation = buildNeighbor(
    { kind: 'solicitation', target, mac, isRouter: false, isSolicited: false, isOverride: false },
    pseudo,
  );
  const packet = buildIpv6(ipv6Header(source, group, ND_HOP_LIMIT), solicitation);
  return frameTo(multicastMac6(group), { mac }, ETH_TYPE.IPV6, packet);
}
