/** The twin's tunnel push and pop. */
import { FlowKey, KEY } from '../../src/flow/key.ts';
import type { DpAction, TunnelHeader } from '../../src/flow/odp/action.ts';
import { TUNNEL_FLAG_CSUM, TUNNEL_FLAG_KEY, TUNNEL_FLAG_OAM } from '../../src/gen/key.ts';
import { concatBytes, putU16, putU32, u16At, u32At } from '../../src/lib/bytes.ts';
import {
  complement,
  dropped,
  forgetOffsets,
  insertBytes,
  l4Bytes,
  removeBytes,
  type TwinPacket,
  wordSum,
} from './packet.ts';

const UDP = 17;
const GRE = 47;

export interface TwinTunnels {
  /** Next GRE sequence number by tunnel port. */
  readonly sequences: Map<number, number>;
  /** Kind of each tunnel port; guessed from the outer headers when it is not there. */
  readonly types: Map<number, TunnelHeader['type']>;
  /** VXLAN ports that take group policies. */
  readonly policyPorts: Set<number>;
}

const isV6At = (frame: Uint8Array, ip: number): boolean => frame[ip]! >>> 4 === 6;

/** Sum of addresses, protocol and length. */
function pseudoSum(frame: Uint8Array, ip: number, protocol: number, size: number): number {
  const addresses = isV6At(frame, ip) ? frame.subarray(ip + 8, ip + 40) : frame.subarray(ip + 12, ip + 20);
  return wordSum(addresses) + protocol + size;
}

/** Fills the UDP checksum in, when the header asks for one. */
function fillUdpChecksum(frame: Uint8Array, ip: number, udp: number): void {
  if (u16At(frame, udp + 6) === 0) return;
  putU16(frame, udp + 6, 0);
  const covered = frame.subarray(udp, udp + u16At(frame, udp + 4));
  putU16(frame, udp + 6, complement(wordSum(covered) + pseudoSum(frame, ip, UDP, covered.length)) || 0xffff);
}

function fillGreChecksum(frame: Uint8Array, gre: number): void {
  if ((u16At(frame, gre) & 0x8000) === 0) return;
  putU32(frame, gre + 4, 0);
  putU16(frame, gre + 4, complement(wordSum(frame.subarray(gre))));
}

function fillSequence(frame: Uint8Array, gre: number, port: number, sequences: Map<number, number>): void {
  const flags = u16At(frame, gre);
  if ((flags & 0x1000) === 0) return;
  const sequence = sequences.get(port) ?? 0;
  sequences.set(port, sequence + 1);
  putU32(frame, gre + 4 + (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0), sequence);
}

export function tunnelPush(
  packet: TwinPacket,
  action: Extract<DpAction, { type: 'tnl_push' }>,
  { sequences }: TwinTunnels,
): void {
  const { bytes, l3Offset: ip } = action.header;
  const isV6 = bytes.length > ip && isV6At(bytes, ip);
  const l4 = ip + (isV6 ? 40 : 20);
  const protocol = bytes.length >= l4 ? bytes[ip + (isV6 ? 6 : 9)]! : 0;
  if (!((protocol === UDP && bytes.length >= l4 + 8) || (protocol === GRE && bytes.length >= l4 + 4))) {
    throw dropped('action_invalid');
  }
  insertBytes(packet, 0, bytes);
  const { frame } = packet;
  forgetOffsets(packet);
  packet.l3 = ip;
  packet.l4 = l4;
  packet.packetType = 0;
  packet.inPort = action.outPort;
  packet.recircId = 0;
  packet.meta = new FlowKey();
  if (isV6) putU16(frame, ip + 4, frame.length - l4);
  else {
    putU16(frame, ip + 2, frame.length - ip);
    putU16(frame, ip + 10, 0);
    putU16(frame, ip + 10, complement(wordSum(frame.subarray(ip, l4))));
  }
  packet.tunnels.push({ ip, l4 });
  packet.isSourcePortChosen = false;
  if (protocol === GRE) {
    fillSequence(frame, l4, action.tunnelPort, sequences);
    fillGreChecksum(frame, l4);
  } else {
    putU16(frame, l4 + 4, frame.length - l4);
    fillUdpChecksum(frame, ip, l4);
  }
}

/** Outer headers off, into the metadata. The packet is to be recirculated. */
export function tunnelPop(packet: TwinPacket, port: number, tunnels: TwinTunnels): void {
  const l4 = l4Bytes(packet);
  if (packet.packetType !== 0 || l4.length < 4) throw dropped('tunnel_pop');
  packet.meta.bytes.fill(0, KEY.tun_id.offset);
  packet.meta.bytes.fill(0, KEY.ct_state.offset, KEY.tun_id.offset);
  packet.meta.set(KEY.ct_mark, 0);
  const isOwn = packet.tunnels.at(-1)?.l4 === packet.l4;
  if (isOwn) packet.tunnels.pop();
  const protocol = popIp(packet);
  packet.isSourcePortChosen = isOwn && protocol === UDP;
  const type = tunnels.types.get(port) ?? guessType(protocol, l4);
  if ((type === 'gre') !== (protocol === GRE)) throw dropped('tunnel_pop');
  if (type === 'gre') popGre(packet, l4);
  else {
    if (protocol !== UDP) throw dropped('tunnel_pop');
    popUdp(packet, l4);
    if (type === 'geneve') popGeneve(packet, l4);
    else popVxlan(packet, l4, tunnels.policyPorts.has(port));
  }
  packet.inPort = port;
  packet.recircId = 0;
}

function guessType(protocol: number, l4: Uint8Array): TunnelHeader['type'] {
  if (protocol === GRE) return 'gre';
  return l4.length >= 8 && u16At(l4, 2) === 6081 ? 'geneve' : 'vxlan';
}

function addFlag({ meta }: TwinPacket, flag: number): void {
  meta.set(KEY.tun_flags, meta.get(KEY.tun_flags) | flag);
}

function popIp(packet: TwinPacket): number {
  const { meta } = packet;
  const ip = packet.frame.subarray(packet.l3!);
  if (ip[0]! >>> 4 === 6) {
    meta.setBytes(KEY.tun_ipv6_src, ip.subarray(8, 24)).setBytes(KEY.tun_ipv6_dst, ip.subarray(24, 40));
    meta.set(KEY.tun_tos, (u16At(ip, 0) >>> 4) & 0xff).set(KEY.tun_ttl, ip[7]!);
    return ip[6]!;
  }
  if (ip[0] !== 0x45) throw dropped('tunnel_pop');
  if (complement(wordSum(ip.subarray(0, 20))) !== 0) throw dropped('tunnel_pop_checksum');
  meta.setBytes(KEY.tun_src, ip.subarray(12, 16)).setBytes(KEY.tun_dst, ip.subarray(16, 20));
  meta.set(KEY.tun_tos, ip[1]!).set(KEY.tun_ttl, ip[8]!);
  return ip[9]!;
}

function popUdp(packet: TwinPacket, udp: Uint8Array): void {
  const length = udp.length < 8 ? 0 : u16At(udp, 4);
  if (length < 8 || length > udp.length) throw dropped('tunnel_pop_length');
  if (u16At(udp, 6) !== 0) {
    const sum = wordSum(udp.subarray(0, length)) + pseudoSum(packet.frame, packet.l3!, UDP, length);
    if (complement(sum) !== 0) throw dropped('tunnel_pop_checksum');
    addFlag(packet, TUNNEL_FLAG_CSUM);
  }
  packet.meta.set(KEY.tun_tp_src, u16At(udp, 0)).set(KEY.tun_tp_dst, u16At(udp, 2));
}

/** The inner packet is what lies behind the tunnel header, without the padding of the outer frame. */
function strip(packet: TwinPacket, headerSize: number, packetType: number): void {
  packet.frame = packet.frame.slice(0, packet.frame.length - packet.l2Pad);
  removeBytes(packet, 0, packet.l4! + headerSize);
  forgetOffsets(packet);
  packet.packetType = packetType;
}

function popVxlan(packet: TwinPacket, udp: Uint8Array, takesPolicies: boolean): void {
  if (udp.length < 16) throw dropped('tunnel_pop_length');
  const word = u32At(udp, 8);
  if (word !== 0x08000000 || udp[15] !== 0) {
    if (!takesPolicies || (word & 0x80000008) >>> 0 === 0) throw dropped('tunnel_pop');
    if (word >>> 31 === 0 || (word & 0x08000000) === 0) throw dropped('tunnel_pop');
    packet.meta.set(KEY.tun_gbp_id, word & 0xffff).set(KEY.tun_gbp_flags, (word >>> 16) & 0x48);
  }
  packet.meta.setU64(KEY.tun_id, BigInt(u32At(udp, 12) >>> 8));
  addFlag(packet, TUNNEL_FLAG_KEY);
  strip(packet, 16, 0);
}

function popGeneve(packet: TwinPacket, udp: Uint8Array): void {
  if (udp.length < 16) throw dropped('tunnel_pop_length');
  const size = (udp[8]! & 0x3f) * 4;
  if (16 + size > udp.length) throw dropped('tunnel_pop_length');
  if (udp[8]! >>> 6 !== 0 || u16At(udp, 10) !== 0x6558) throw dropped('tunnel_pop');
  const options = udp.slice(16, 16 + size);
  let end = 0;
  while (end < size) end += 4 + (options[end + 3]! & 0x1f) * 4;
  if (end !== size) throw dropped('tunnel_pop_options');
  if (udp[9]! & 0x80) addFlag(packet, TUNNEL_FLAG_OAM);
  addFlag(packet, TUNNEL_FLAG_KEY);
  packet.meta.setU64(KEY.tun_id, BigInt(u32At(udp, 12) >>> 8));
  packet.meta.set(KEY.tun_opts_len, size).setBytes(KEY.tun_opts, options);
  strip(packet, 16 + size, 0);
}

function popGre(packet: TwinPacket, gre: Uint8Array): void {
  const flags = u16At(gre, 0);
  if (flags & ~0xb000) throw dropped('tunnel_pop');
  const [hasChecksum, hasKey, hasSequence] = [flags & 0x8000, flags & 0x2000, flags & 0x1000].map(Boolean);
  const keyAt = hasChecksum ? 8 : 4;
  const size = keyAt + (hasKey ? 4 : 0) + (hasSequence ? 4 : 0);
  if (size > gre.length) throw dropped('tunnel_pop_length');
  if (hasChecksum) {
    if (complement(wordSum(gre)) !== 0) throw dropped('tunnel_pop_checksum');
    addFlag(packet, TUNNEL_FLAG_CSUM);
  }
  if (hasKey) {
    packet.meta.setU64(KEY.tun_id, BigInt(u32At(gre, keyAt)));
    addFlag(packet, TUNNEL_FLAG_KEY);
  }
  const protocol = u16At(gre, 2);
  strip(packet, size, protocol === 0x6558 ? 0 : 0x10000 + protocol);
}

/** The frame as it should be, had the datapath chosen the source ports that `seen` has. */
export function withSourcePorts(frame: Uint8Array, tunnels: TwinPacket['tunnels'], seen: Uint8Array): Uint8Array {
  const out = concatBytes(frame);
  if (seen.length !== out.length) return out;
  for (const { ip, l4 } of tunnels) {
    const isUdp = out[ip + (isV6At(out, ip) ? 6 : 9)] === UDP;
    if (isUdp) out.set(seen.subarray(l4, l4 + 2), Math.min(l4, out.length));
    // the checksum of a frame that was cut since is over bytes that are gone
    const ipSize = isV6At(out, ip) ? 40 + u16At(out, ip + 4) : u16At(out, ip + 2);
    const isWhole = l4 < out.length && ip + ipSize <= out.length;
    const at = Math.min(out.length, l4 + (isUdp ? 6 : 4));
    if (!isWhole) out.set(seen.subarray(at, at + 2), at);
    else if (isUdp) fillUdpChecksum(out, ip, l4);
    else fillGreChecksum(out, l4);
  }
  return out;
}
