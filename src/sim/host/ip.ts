/** IPv4 and IPv6 of a host: source address and next hop, ARP and neighbour discovery, and who gets what arrives. */
import { formatIpv4, formatIpv6 } from '../../lib/addresses.ts';
import { equalBytes } from '../../lib/bytes.ts';
import {
  ARP_REPLY,
  ARP_REQUEST,
  BROADCAST_MAC,
  buildArp,
  buildIpv4,
  buildIpv6,
  buildNeighbor,
  ETH_TYPE,
  IP_PROTO,
  multicastMac4,
  multicastMac6,
  type Neighbor,
  type PseudoHeader,
  parseArp,
  parseIpv4Header,
  parseIpv6Header,
  parseNeighbor,
  solicitedNode,
} from '../../packet/index.ts';
import type { Scheduler } from '../scheduler.ts';
import { type HostAddress, type HostConfig, samePrefix } from './config.ts';
import { Neighbors } from './neighbors.ts';
import type { Nic } from './nic.ts';

const TTL = 64;
/** Neighbour discovery must not have crossed a router (RFC 4861 §7.1). */
const HOP_LIMIT_ND = 255;
const HEADER_SIZE_4 = 20;
const HEADER_SIZE_6 = 40;

/** A packet for this host. */
export interface IpPacket extends PseudoHeader {
  readonly payload: Uint8Array;
  /** Sent to a group or to everybody: no errors are sent back. */
  readonly isMulticast: boolean;
  /** The whole datagram, for errors that quote it. */
  readonly datagram: Uint8Array;
}

export type SendError = 'no_address' | 'no_route' | 'too_big';

export interface IpCounters {
  rxBadChecksum: number;
  rxMalformed: number;
  rxOtherAddress: number;
  /** Fragments: they are not put together. */
  rxFragments: number;
  rxUnknownProtocol: number;
  txNoRoute: number;
  txTooBig: number;
}

export const formatAddress = (address: Uint8Array): string =>
  address.length === 4 ? formatIpv4(address) : formatIpv6(address);

const isMulticast = (address: Uint8Array): boolean =>
  address.length === 4 ? (address[0]! & 0xf0) === 0xe0 : address[0] === 0xff;

const isLinkLocal = (address: Uint8Array): boolean =>
  address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;

const isLimitedBroadcast = (address: Uint8Array): boolean => address.length === 4 && address.every((b) => b === 0xff);

export class Ip {
  readonly #nic: Nic;
  readonly #config: HostConfig;
  readonly #neighbors: Neighbors;
  readonly #handlers = new Map<number, (packet: IpPacket) => void>();
  #id = 0;
  readonly counters: IpCounters = {
    rxBadChecksum: 0,
    rxMalformed: 0,
    rxOtherAddress: 0,
    rxFragments: 0,
    rxUnknownProtocol: 0,
    txNoRoute: 0,
    txTooBig: 0,
  };

  constructor(nic: Nic, config: HostConfig, scheduler: Scheduler) {
    this.#nic = nic;
    this.#config = config;
    this.#neighbors = new Neighbors(scheduler, (address) => this.#solicit(address));
  }

  /** Packets that found no neighbour to go to. */
  get unresolved(): number {
    return this.#neighbors.unresolved;
  }

  handle(protocol: number, handler: (packet: IpPacket) => void): void {
    this.#handlers.set(protocol, handler);
  }

  /** Bytes that a packet to this address may carry behind its IP header. */
  payloadMax(address: Uint8Array): number {
    return this.#nic.mtu - (address.length === 4 ? HEADER_SIZE_4 : HEADER_SIZE_6);
  }

  /** The address that packets to `dst` come from; null when there is none of the kind. */
  source(dst: Uint8Array): Uint8Array | null {
    const candidates = this.#config.addresses.filter((own) => own.address.length === dst.length);
    const wantsLinkLocal = isLinkLocal(dst) || (dst[0] === 0xff && dst[1] === 0x02);
    const onLink = candidates.find((own) => samePrefix(own.address, dst, own.prefixLength));
    const fitting = wantsLinkLocal ? candidates.find((own) => isLinkLocal(own.address)) : undefined;
    return (fitting ?? onLink ?? candidates[0])?.address ?? null;
  }

  /** @param payload the transport packet, its checksum made with `source(dst)` */
  send(src: Uint8Array, dst: Uint8Array, protocol: number, payload: Uint8Array): SendError | null {
    if (payload.length > this.payloadMax(dst)) {
      this.counters.txTooBig++;
      return 'too_big';
    }
    const packet = this.#wrap(src, dst, protocol, payload);
    const ethType = dst.length === 4 ? ETH_TYPE.IPV4 : ETH_TYPE.IPV6;
    const group = this.#groupMac(dst);
    if (group) {
      this.#nic.send(group, ethType, packet);
      return null;
    }
    const hop = this.#nextHop(dst);
    if (!hop) {
      this.counters.txNoRoute++;
      return 'no_route';
    }
    this.#neighbors.resolve(hop, (mac) => mac && this.#nic.send(mac, ethType, packet));
    return null;
  }

  receive(ethType: number, bytes: Uint8Array): void {
    if (ethType === ETH_TYPE.ARP) this.#receiveArp(bytes);
    else if (ethType === ETH_TYPE.IPV4) this.#receive4(bytes);
    else if (ethType === ETH_TYPE.IPV6) this.#receive6(bytes);
    else this.counters.rxUnknownProtocol++;
  }

  flushNeighbors(): void {
    this.#neighbors.flush();
  }

  #wrap(src: Uint8Array, dst: Uint8Array, protocol: number, payload: Uint8Array): Uint8Array {
    if (dst.length === 16) {
      const ttl = isMulticast(dst) && protocol !== IP_PROTO.ICMPV6 ? 1 : TTL;
      return buildIpv6(
        { trafficClass: 0, flowLabel: 0, protocol, hopLimit: ttl, src, dst, isFragment: false },
        payload,
      );
    }
    this.#id = (this.#id + 1) & 0xffff;
    const header = { tos: 0, id: this.#id, dontFragment: true, moreFragments: false, fragmentOffset: 0 };
    const ttl = isMulticast(dst) ? 1 : TTL;
    return buildIpv4({ ...header, ttl, protocol, src, dst, options: new Uint8Array() }, payload);
  }

  /** The Ethernet address of a group or of everybody; null for one host. */
  #groupMac(dst: Uint8Array): Uint8Array | null {
    if (isLimitedBroadcast(dst) || this.#isSubnetBroadcast(dst)) return BROADCAST_MAC;
    if (!isMulticast(dst)) return null;
    return dst.length === 4 ? multicastMac4(dst) : multicastMac6(dst);
  }

  #isSubnetBroadcast(dst: Uint8Array): boolean {
    if (dst.length !== 4) return false;
    return this.#config.addresses.some(({ address, prefixLength }) => {
      if (prefixLength >= 31 || !samePrefix(address, dst, prefixLength)) return false;
      const hostMask = 0xffffffff >>> prefixLength;
      const value = ((dst[0]! << 24) | (dst[1]! << 16) | (dst[2]! << 8) | dst[3]!) >>> 0;
      return (value & hostMask) >>> 0 === hostMask;
    });
  }

  #nextHop(dst: Uint8Array): Uint8Array | null {
    const isOnLink = ({ address, prefixLength }: HostAddress): boolean => samePrefix(address, dst, prefixLength);
    if (this.#config.addresses.some(isOnLink)) return dst;
    return this.#config.gateways.find((gateway) => gateway.length === dst.length) ?? null;
  }

  #isOwn(address: Uint8Array): boolean {
    return this.#config.addresses.some((own) => equalBytes(own.address, address));
  }

  #solicit(address: Uint8Array): void {
    const src = this.source(address);
    if (!src) return;
    if (address.length === 4) {
      const arp = { operation: ARP_REQUEST, sha: this.#nic.mac, spa: src, tha: new Uint8Array(6), tpa: address };
      this.#nic.send(BROADCAST_MAC, ETH_TYPE.ARP, buildArp(arp));
      return;
    }
    const group = solicitedNode(address);
    const solicitation = { kind: 'solicitation', target: address, mac: this.#nic.mac } as const;
    const flags = { isRouter: false, isSolicited: false, isOverride: false };
    this.#sendNeighbor({ ...solicitation, ...flags }, src, group, multicastMac6(group));
  }

  #sendNeighbor(neighbor: Neighbor, src: Uint8Array, dst: Uint8Array, mac: Uint8Array): void {
    const payload = buildNeighbor(neighbor, { src, dst, protocol: IP_PROTO.ICMPV6 });
    const header = { trafficClass: 0, flowLabel: 0, protocol: IP_PROTO.ICMPV6, hopLimit: HOP_LIMIT_ND, src, dst };
    this.#nic.send(mac, ETH_TYPE.IPV6, buildIpv6({ ...header, isFragment: false }, payload));
  }

  #receiveArp(bytes: Uint8Array): void {
    const arp = parseArp(bytes);
    if (!arp) {
      this.counters.rxMalformed++;
      return;
    }
    const isForMe = this.#isOwn(arp.tpa);
    const isProbe = arp.spa.every((b) => b === 0);
    if (!isProbe) this.#neighbors.confirm(arp.spa, arp.sha, isForMe);
    if (!isForMe || arp.operation !== ARP_REQUEST) return;
    const reply = { operation: ARP_REPLY, sha: this.#nic.mac, spa: arp.tpa, tha: arp.sha, tpa: arp.spa };
    this.#nic.send(arp.sha, ETH_TYPE.ARP, buildArp(reply));
  }

  #receive4(bytes: Uint8Array): void {
    const ip = parseIpv4Header(bytes);
    if (!ip) {
      this.counters.rxMalformed++;
      return;
    }
    if (!ip.checksumOk) {
      this.counters.rxBadChecksum++;
      return;
    }
    const { header } = ip;
    const toAll = isLimitedBroadcast(header.dst) || this.#isSubnetBroadcast(header.dst) || isMulticast(header.dst);
    if (!toAll && !this.#isOwn(header.dst)) this.counters.rxOtherAddress++;
    else if (header.moreFragments || header.fragmentOffset > 0) this.counters.rxFragments++;
    else this.#dispatch(header, ip.payload, bytes, toAll);
  }

  #receive6(bytes: Uint8Array): void {
    const ip = parseIpv6Header(bytes);
    if (!ip) {
      this.counters.rxMalformed++;
      return;
    }
    const { header } = ip;
    const toGroup = isMulticast(header.dst);
    if (toGroup ? !this.#listensTo(header.dst) : !this.#isOwn(header.dst)) {
      this.counters.rxOtherAddress++;
      return;
    }
    if (header.isFragment) {
      this.counters.rxFragments++;
      return;
    }
    if (header.protocol === IP_PROTO.ICMPV6 && header.hopLimit === HOP_LIMIT_ND) {
      const neighbor = parseNeighbor(ip.payload, header);
      if (neighbor) {
        this.#receiveNeighbor(neighbor, header.src);
        return;
      }
    }
    this.#dispatch(header, ip.payload, bytes, toGroup);
  }

  /** All nodes, every group outside link scope (nobody joins or leaves here), and the solicited-node groups of our own. */
  #listensTo(group: Uint8Array): boolean {
    const solicited = this.#config.addresses.some(
      ({ address }) => address.length === 16 && equalBytes(solicitedNode(address), group),
    );
    const isSolicitedGroup = group[11] === 1 && group[12] === 0xff && group[1] === 2;
    return solicited || !isSolicitedGroup;
  }

  #receiveNeighbor(neighbor: Neighbor, src: Uint8Array): void {
    if (neighbor.kind === 'advertisement') {
      if (neighbor.mac) this.#neighbors.confirm(neighbor.target, neighbor.mac, false);
      return;
    }
    if (!this.#isOwn(neighbor.target)) return;
    const isProbe = src.every((b) => b === 0);
    if (!isProbe && neighbor.mac) this.#neighbors.confirm(src, neighbor.mac, true);
    const dst = isProbe ? Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) : src;
    const answer = { kind: 'advertisement', target: neighbor.target, mac: this.#nic.mac } as const;
    const flags = { isRouter: false, isSolicited: !isProbe, isOverride: true };
    const mac = isProbe || !neighbor.mac ? multicastMac6(dst) : neighbor.mac;
    this.#sendNeighbor({ ...answer, ...flags }, neighbor.target, dst, mac);
  }

  #dispatch(pseudo: PseudoHeader, payload: Uint8Array, datagram: Uint8Array, toMany: boolean): void {
    const { src, dst, protocol } = pseudo;
    const handler = this.#handlers.get(protocol);
    if (!handler) this.counters.rxUnknownProtocol++;
    else handler({ src, dst, protocol, payload, isMulticast: toMany, datagram });
  }
}
