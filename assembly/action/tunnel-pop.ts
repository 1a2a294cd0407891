/**
 * tnl_pop: outer headers off, their contents into the tunnel metadata, and round again as a packet of the tunnel's port.
 * VXLAN (RFC 7348, group policy bits), Geneve (RFC 8926), GRE (RFC 2784, RFC 2890).
 *
 * The don't-fragment bit of the outer header is not kept, as Open vSwitch's userspace datapath does not keep it.
 * Padding behind the outer IP datagram is not part of the inner packet and goes. IPv4 options on a tunnel packet are
 * refused, as Open vSwitch does. Critical Geneve options are passed on to the flow table, as Open vSwitch does; a list of
 * options whose lengths do not add up is refused.
 */
import { ACT_TNL_POP_PORT, TUNNEL_TYPE_GENEVE, TUNNEL_TYPE_GRE, TUNNEL_TYPE_VXLAN } from '../../src/gen/actions';
import {
  DROP_TUNNEL_POP,
  DROP_TUNNEL_POP_CHECKSUM,
  DROP_TUNNEL_POP_LENGTH,
  DROP_TUNNEL_POP_OPTIONS,
} from '../../src/gen/counters';
import {
  KEY_TUN_FLAGS,
  KEY_TUN_GBP_FLAGS,
  KEY_TUN_GBP_ID,
  KEY_TUN_ID,
  KEY_TUN_IPV6_DST,
  KEY_TUN_IPV6_SRC,
  KEY_TUN_OPTS_LEN,
  KEY_TUN_SRC,
  KEY_TUN_TOS,
  KEY_TUN_TP_SRC,
  KEY_TUN_TTL,
  TUNNEL_FLAG_CSUM,
  TUNNEL_FLAG_KEY,
  TUNNEL_FLAG_OAM,
} from '../../src/gen/key';
import {
  PACKET_IN_PORT,
  PACKET_KEY,
  PACKET_L2_PAD,
  PACKET_L3_OFFSET,
  PACKET_L4_OFFSET,
  PACKET_PACKET_TYPE,
  PACKET_SIZE,
  PORT_TUNNEL_FLAGS,
  PORT_TUNNEL_TYPE,
  TUNNEL_PORT_GBP,
} from '../../src/gen/layout';
import { dropPacket } from '../layout/packets';
import { portAt } from '../layout/ports';
import { listGet, listSet } from '../layout/worker';
import { finishSum, headerSum4, onesSum, pseudoSum4, pseudoSum6 } from '../packet/checksum';
import { applyCut, dataOf, l4Size, resizeUnparsed, sizeOf, swap16 } from './frame';
import { clearConnection, clearTunnel, noteTunnel, putTunnelOptions } from './metadata';

const PROTO_UDP: u32 = 17;
const PROTO_GRE: u32 = 47;
const UDP_SIZE: u32 = 8;
const VXLAN_SIZE: u32 = 8;
const VXLAN_FLAG_VNI_LE: u32 = 0x00000008;
const VXLAN_FLAG_GBP: u32 = 0x80000000;
/** Don't-learn and policy-applied bits of a group policy header. */
const VXLAN_GBP_FLAGS: u32 = 0x00480000;
const GENEVE_SIZE: u32 = 8;
const GENEVE_PORT_LE: u32 = 0xc117;
const ETH_TYPE_TEB_LE: u32 = 0x5865;
const GRE_CSUM_LE: u32 = 0x0080;
const GRE_KEY_LE: u32 = 0x0020;
const GRE_SEQ_LE: u32 = 0x0010;
/** packet_type: the high half in network order says that the low half is an Ethertype. */
const NAMESPACE_ETHERTYPE_LE: u32 = 0x0100;

/** Decapsulates all packets. Returns how many are left in the list; they must be recirculated. */
export function tunnelPop(w: usize, list: usize, count: u32, at: usize): u32 {
  const number = load<u32>(at, ACT_TNL_POP_PORT);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    applyCut(p);
    const reason = popOne(p, portAt(w, number));
    if (reason != 0) {
      dropPacket(w, p, reason);
      continue;
    }
    // recirc_id 0 with it
    store<u64>(p, <u64>number, PACKET_IN_PORT);
    listSet(list, kept++, p);
  }
  return kept;
}

/** @returns 0, or the reason to drop the packet for */
function popOne(p: usize, port: usize): u32 {
  const size = l4Size(p);
  const l4 = dataOf(p) + <usize>load<u16>(p, PACKET_L4_OFFSET);
  if (load<u32>(p, PACKET_PACKET_TYPE) != 0 || size < 4) return DROP_TUNNEL_POP;
  clearTunnel(p);
  clearConnection(p);
  const reason = popHeaders(p, port, l4, size);
  // also when it ends in a drop: the key slot outlives the packet
  noteTunnel(p);
  return reason;
}

function popHeaders(p: usize, port: usize, l4: usize, size: u32): u32 {
  const outer = popIp(p);
  if (outer > 0xff) return outer >>> 8;
  const type = tunnelTypeOf(port, outer, l4, size);
  if (type == TUNNEL_TYPE_GRE) return outer == PROTO_GRE ? popGre(p, l4, size) : DROP_TUNNEL_POP;
  if (outer != PROTO_UDP) return DROP_TUNNEL_POP;
  const reason = popUdp(p, l4, size);
  if (reason != 0) return reason;
  if (type == TUNNEL_TYPE_GENEVE) return popGeneve(p, l4, size);
  return popVxlan(p, l4, size, port == 0 ? 0 : load<u32>(port, PORT_TUNNEL_FLAGS));
}

/** What the port says, or else what the outer headers look like. */
function tunnelTypeOf(port: usize, protocol: u32, l4: usize, size: u32): u32 {
  const type = port == 0 ? 0 : load<u32>(port, PORT_TUNNEL_TYPE);
  if (type != 0) return type;
  if (protocol == PROTO_GRE) return TUNNEL_TYPE_GRE;
  return size >= UDP_SIZE && <u32>load<u16>(l4, 2) == GENEVE_PORT_LE ? TUNNEL_TYPE_GENEVE : TUNNEL_TYPE_VXLAN;
}

/** Outer addresses, TOS and TTL. @returns the protocol, or a drop reason << 8 */
function popIp(p: usize): u32 {
  const key = <usize>load<u32>(p, PACKET_KEY);
  const ip = dataOf(p) + <usize>load<u16>(p, PACKET_L3_OFFSET);
  const version = load<u8>(ip) >>> 4;
  if (version == 4) {
    if ((load<u8>(ip) & 0xf) != 5) return DROP_TUNNEL_POP << 8;
    if (finishSum(headerSum4(ip)) != 0) return DROP_TUNNEL_POP_CHECKSUM << 8;
    store<u64>(key, load<u64>(ip, 12), KEY_TUN_SRC); // and the destination
    store<u8>(key, load<u8>(ip, 1), KEY_TUN_TOS);
    store<u8>(key, load<u8>(ip, 8), KEY_TUN_TTL);
    return load<u8>(ip, 9);
  }
  if (version != 6) return DROP_TUNNEL_POP << 8;
  v128.store(key, v128.load(ip, 8), KEY_TUN_IPV6_SRC);
  v128.store(key, v128.load(ip, 24), KEY_TUN_IPV6_DST);
  store<u8>(key, <u8>((bswap(load<u32>(ip)) >>> 20) & 0xff), KEY_TUN_TOS);
  store<u8>(key, load<u8>(ip, 7), KEY_TUN_TTL);
  // an extension header is none of the protocols that a tunnel may have
  return load<u8>(ip, 6);
}

/** Ports, length and checksum. @returns 0 or a drop reason */
function popUdp(p: usize, udp: usize, size: u32): u32 {
  const key = <usize>load<u32>(p, PACKET_KEY);
  if (size < UDP_SIZE) return DROP_TUNNEL_POP_LENGTH;
  const length = swap16(load<u16>(udp, 4));
  if (length < UDP_SIZE || length > size) return DROP_TUNNEL_POP_LENGTH;
  if (load<u16>(udp, 6) != 0) {
    const ip = dataOf(p) + <usize>load<u16>(p, PACKET_L3_OFFSET);
    const isV4 = load<u8>(ip) >>> 4 == 4;
    const pseudo = isV4 ? pseudoSum4(ip, PROTO_UDP, length) : pseudoSum6(ip, PROTO_UDP, length);
    if (finishSum(onesSum(udp, length, pseudo)) != 0) return DROP_TUNNEL_POP_CHECKSUM;
    addFlags(key, TUNNEL_FLAG_CSUM);
  }
  store<u32>(key, load<u32>(udp), KEY_TUN_TP_SRC); // and the destination port
  return 0;
}

// @inline
function addFlags(key: usize, flags: u32): void {
  store<u16>(key, load<u16>(key, KEY_TUN_FLAGS) | <u16>flags, KEY_TUN_FLAGS);
}

/** The upper 24 bits of a word in network order: a VNI. */
// @inline
function putVni(key: usize, word: u32): void {
  store<u64>(key, bswap(<u64>(bswap(word) >>> 8)), KEY_TUN_ID);
}

function popVxlan(p: usize, udp: usize, size: u32, portFlags: u32): u32 {
  if (size < UDP_SIZE + VXLAN_SIZE) return DROP_TUNNEL_POP_LENGTH;
  const key = <usize>load<u32>(p, PACKET_KEY);
  const flags = load<u32>(udp, 8);
  const vni = load<u32>(udp, 12);
  if (flags != VXLAN_FLAG_VNI_LE || load<u8>(udp, 15) != 0) {
    const word = bswap(flags);
    const isPolicy = portFlags & TUNNEL_PORT_GBP && word & VXLAN_FLAG_GBP;
    if (!isPolicy || (flags & VXLAN_FLAG_VNI_LE) == 0) return DROP_TUNNEL_POP;
    store<u16>(key, <u16>(flags >>> 16), KEY_TUN_GBP_ID);
    store<u8>(key, <u8>((word & VXLAN_GBP_FLAGS) >>> 16), KEY_TUN_GBP_FLAGS);
  }
  putVni(key, vni);
  addFlags(key, TUNNEL_FLAG_KEY);
  strip(p, udp, UDP_SIZE + VXLAN_SIZE, 0);
  return 0;
}

function popGeneve(p: usize, udp: usize, size: u32): u32 {
  if (size < UDP_SIZE + GENEVE_SIZE) return DROP_TUNNEL_POP_LENGTH;
  const key = <usize>load<u32>(p, PACKET_KEY);
  const first = <u32>load<u8>(udp, 8);
  const optionsSize = (first & 0x3f) << 2;
  if (UDP_SIZE + GENEVE_SIZE + optionsSize > size) return DROP_TUNNEL_POP_LENGTH;
  if (first >>> 6 != 0 || <u32>load<u16>(udp, 10) != ETH_TYPE_TEB_LE) return DROP_TUNNEL_POP;
  const options = udp + UDP_SIZE + GENEVE_SIZE;
  if (!areOptionsWhole(options, optionsSize)) return DROP_TUNNEL_POP_OPTIONS;
  addFlags(key, TUNNEL_FLAG_KEY | (load<u8>(udp, 9) & 0x80 ? TUNNEL_FLAG_OAM : 0));
  putVni(key, load<u32>(udp, 12));
  store<u8>(key, <u8>optionsSize, KEY_TUN_OPTS_LEN);
  if (optionsSize != 0) putTunnelOptions(p, options, optionsSize);
  strip(p, udp, UDP_SIZE + GENEVE_SIZE + optionsSize, 0);
  return 0;
}

/** True when the options' lengths add up to the size of the list (RFC 8926 §3.5). */
function areOptionsWhole(options: usize, size: u32): bool {
  let at: u32 = 0;
  while (at < size) at += 4 + ((<u32>load<u8>(options + at, 3) & 0x1f) << 2);
  return at == size;
}

function popGre(p: usize, gre: usize, size: u32): u32 {
  const key = <usize>load<u32>(p, PACKET_KEY);
  const flags = <u32>load<u16>(gre);
  if (flags & ~(GRE_CSUM_LE | GRE_KEY_LE | GRE_SEQ_LE)) return DROP_TUNNEL_POP;
  let headerSize: u32 = 4;
  if (flags & GRE_CSUM_LE) headerSize += 4;
  const keyOffset = headerSize;
  if (flags & GRE_KEY_LE) headerSize += 4;
  if (flags & GRE_SEQ_LE) headerSize += 4;
  if (headerSize > size) return DROP_TUNNEL_POP_LENGTH;
  if (flags & GRE_CSUM_LE) {
    if (finishSum(onesSum(gre, size, 0)) != 0) return DROP_TUNNEL_POP_CHECKSUM;
    addFlags(key, TUNNEL_FLAG_CSUM);
  }
  if (flags & GRE_KEY_LE) {
    store<u32>(key, load<u32>(gre + keyOffset), KEY_TUN_ID + 4);
    addFlags(key, TUNNEL_FLAG_KEY);
  }
  const protocol = <u32>load<u16>(gre, 2);
  strip(p, gre, headerSize, protocol == ETH_TYPE_TEB_LE ? 0 : NAMESPACE_ETHERTYPE_LE | (protocol << 16));
  return 0;
}

/** Takes off everything up to and with the tunnel header, and the padding. */
function strip(p: usize, l4: usize, headerSize: u32, packetType: u32): void {
  store<u32>(p, sizeOf(p) - <u32>load<u16>(p, PACKET_L2_PAD), PACKET_SIZE);
  resizeUnparsed(p, -(<i32>(l4 - dataOf(p) + headerSize)));
  store<u32>(p, packetType, PACKET_PACKET_TYPE);
}
