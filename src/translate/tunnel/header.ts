/**
 * The headers that a tunnel puts before a packet: Ethernet, IPv4 or IPv6, and VXLAN (RFC 7348), Geneve (RFC 8926) or GRE
 * (RFC 2784, RFC 2890). The datapath fills in lengths, the UDP source port and checksums; a UDP checksum that is to be
 * computed reads 0xffff here, one that is not 0.
 */
import { type FlowKey, KEY } from '../../flow/key.ts';
import type { TunnelHeader } from '../../flow/odp/action.ts';
import { TUNNEL_FLAG_CSUM, TUNNEL_FLAG_DONT_FRAGMENT, TUNNEL_FLAG_OAM } from '../../gen/key.ts';
import { concatBytes, putU16, putU32 } from '../../lib/bytes.ts';
import { checksum } from '../../packet/index.ts';
import { ETH_TYPE_IP, ETH_TYPE_IPV6 } from '../protocols.ts';
import type { TunnelConfig } from '../types.ts';

/** Between whom: addresses of 4 or 16 bytes, both alike. */
export interface TunnelEnds {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourceMac: Uint8Array;
  readonly destinationMac: Uint8Array;
}

const ETHERNET_SIZE = 14;
/** Ethertype of an Ethernet frame inside a tunnel (RFC 1701). */
const TRANSPARENT_ETHERNET = 0x6558;
const PROTO_UDP = 17;
const PROTO_GRE = 47;

/** @param flow a key whose tunnel metadata says what goes into the outer headers */
export function buildTunnelHeader(flow: FlowKey, config: TunnelConfig, ends: TunnelEnds): TunnelHeader {
  const isIpv6 = ends.source.length === 16;
  const proto = config.type === 'gre' ? PROTO_GRE : PROTO_UDP;
  const ip = isIpv6 ? ipv6Header(flow, ends, proto) : ipv4Header(flow, ends, proto);
  const ethernet = new Uint8Array(ETHERNET_SIZE);
  ethernet.set(ends.destinationMac, 0);
  ethernet.set(ends.sourceMac, 6);
  putU16(ethernet, 12, isIpv6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
  const hasChecksum = (flow.get(KEY.tun_flags) & TUNNEL_FLAG_CSUM) !== 0;
  const rest = {
    vxlan: () => concatBytes(udpHeader(config, hasChecksum || isIpv6), vxlanHeader(flow)),
    geneve: () => concatBytes(udpHeader(config, hasChecksum || isIpv6), geneveHeader(flow)),
    gre: () => greHeader(flow, config, hasChecksum),
  }[config.type]();
  return { type: config.type, bytes: concatBytes(ethernet, ip, rest), l3Offset: ETHERNET_SIZE };
}

function ipv4Header(flow: FlowKey, { source, destination }: TunnelEnds, proto: number): Uint8Array {
  const ip = new Uint8Array(20);
  ip[0] = 0x45;
  ip[1] = flow.get(KEY.tun_tos);
  putU16(ip, 6, (flow.get(KEY.tun_flags) & TUNNEL_FLAG_DONT_FRAGMENT) === 0 ? 0 : 0x4000);
  ip[8] = flow.get(KEY.tun_ttl);
  ip[9] = proto;
  ip.set(source, 12);
  ip.set(destination, 16);
  // Over a total length of zero: the datapath adds the length to it
  putU16(ip, 10, checksum(ip));
  return ip;
}

function ipv6Header(flow: FlowKey, { source, destination }: TunnelEnds, proto: number): Uint8Array {
  const ip = new Uint8Array(40);
  putU32(ip, 0, ((6 << 28) | (flow.get(KEY.tun_tos) << 20)) >>> 0);
  ip[6] = proto;
  ip[7] = flow.get(KEY.tun_ttl);
  ip.set(source, 8);
  ip.set(destination, 24);
  return ip;
}

function udpHeader(config: TunnelConfig, hasChecksum: boolean): Uint8Array {
  const udp = new Uint8Array(8);
  putU16(udp, 2, config.dstPort);
  if (hasChecksum) putU16(udp, 6, 0xffff);
  return udp;
}

const keyOf = (flow: FlowKey): number => Number(flow.getU64(KEY.tun_id) & 0xffffffffn);

function vxlanHeader(flow: FlowKey): Uint8Array {
  const vxlan = new Uint8Array(8);
  putU32(vxlan, 0, 0x08000000);
  putU32(vxlan, 4, (keyOf(flow) << 8) >>> 0);
  return vxlan;
}

function geneveHeader(flow: FlowKey): Uint8Array {
  const options = flow.at(KEY.tun_opts).subarray(0, flow.get(KEY.tun_opts_len));
  const geneve = new Uint8Array(8 + options.length);
  geneve[0] = options.length / 4;
  geneve[1] = ((flow.get(KEY.tun_flags) & TUNNEL_FLAG_OAM) === 0 ? 0 : 0x80) | (hasCriticalOption(options) ? 0x40 : 0);
  putU16(geneve, 2, TRANSPARENT_ETHERNET);
  putU32(geneve, 4, (keyOf(flow) << 8) >>> 0);
  geneve.set(options, 8);
  return geneve;
}

/** RFC 8926 §3.5.1: the high bit of an option's type. */
function hasCriticalOption(options: Uint8Array): boolean {
  for (let at = 0; at + 4 <= options.length; at += 4 + 4 * (options[at + 3]! & 0x1f)) {
    if ((options[at + 2]! & 0x80) !== 0) return true;
  }
  return false;
}

function greHeader(flow: FlowKey, config: TunnelConfig, hasChecksum: boolean): Uint8Array {
  const hasKey = config.outKey !== null;
  const gre = new Uint8Array(4 + (hasChecksum ? 4 : 0) + (hasKey ? 4 : 0));
  putU16(gre, 0, (hasChecksum ? 0x8000 : 0) | (hasKey ? 0x2000 : 0));
  putU16(gre, 2, TRANSPARENT_ETHERNET);
  if (hasKey) putU32(gre, hasChecksum ? 8 : 4, keyOf(flow));
  return gre;
}
