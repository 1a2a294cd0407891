/**
 * tnl_push: outer headers before a packet. They come ready made in the action; what differs from packet to packet is
 * filled in here: IP lengths and header checksum (RFC 791), UDP length, source port and checksum (RFC 768, RFC 7348 §5),
 * GRE checksum and sequence number (RFC 2784, RFC 2890).
 *
 * A UDP or GRE checksum is computed when the header asks for one: a UDP checksum that is not 0, a GRE header with C set.
 */
import {
  ACT_TNL_PUSH_HEADER_SIZE,
  ACT_TNL_PUSH_L3_OFFSET,
  ACT_TNL_PUSH_OUT_PORT,
  ACT_TNL_PUSH_SIZEOF,
  ACT_TNL_PUSH_TNL_PORT,
} from '../../src/gen/actions';
import { KEY_META_BLOCK_FIRST } from '../../src/gen/key';
import {
  PACKET_IN_PORT,
  PACKET_KEY,
  PACKET_KEY_MAP,
  PACKET_L3_OFFSET,
  PACKET_L4_OFFSET,
  PACKET_PACKET_TYPE,
  PORT_TUNNEL_SEQUENCE,
} from '../../src/gen/layout';
import { flowHash5 } from '../flow/fivetuple';
import { copyBytes } from '../layout/copy';
import { clearBlocks } from '../layout/packets';
import { portAt } from '../layout/ports';
import { listGet, listSet } from '../layout/worker';
import { finishSum, headerSum4, onesSum, pseudoSum4, pseudoSum6 } from '../packet/checksum';
import { applyCut, dataOf, dropUnfit, hasHeadroom, resizeUnparsed, sizeOf, swap16 } from './frame';

const IPV4_SIZE: u32 = 20;
const IPV6_SIZE: u32 = 40;
const UDP_SIZE: u32 = 8;
const GRE_SIZE: u32 = 4;
const PROTO_GRE: u32 = 47;
const PROTO_UDP: u32 = 17;
const GRE_CSUM_LE: u32 = 0x0080;
const GRE_KEY_LE: u32 = 0x0020;
const GRE_SEQ_LE: u32 = 0x0010;
/** Source ports are taken from here: the ephemeral ports that Open vSwitch and Linux use. */
const SOURCE_PORT_MIN: u32 = 32768;
const SOURCE_PORT_MAX: u32 = 61000;
const META_BLOCKS: u64 = ~(((<u64>1) << KEY_META_BLOCK_FIRST) - 1);

/** Puts the headers before all packets. Returns how many packets are left in the list. */
export function tunnelPush(w: usize, list: usize, count: u32, at: usize): u32 {
  const headerSize = <u32>load<u16>(at, ACT_TNL_PUSH_HEADER_SIZE);
  const l3 = <u32>load<u16>(at, ACT_TNL_PUSH_L3_OFFSET);
  const ip = at + ACT_TNL_PUSH_SIZEOF + l3;
  // the version and the size that the rest takes for granted are looked at once, in the action
  const isV6 = headerSize > l3 && load<u8>(ip) >>> 4 == 6;
  const l4 = l3 + (isV6 ? IPV6_SIZE : IPV4_SIZE);
  const protocol = headerSize >= l4 ? <u32>load<u8>(ip + (isV6 ? 6 : 9)) : 0;
  const l4Min = protocol == PROTO_UDP ? UDP_SIZE : GRE_SIZE;
  const isSane = headerSize >= l4 + l4Min && (protocol == PROTO_UDP || protocol == PROTO_GRE);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (!isSane || !hasHeadroom(p, headerSize)) {
      dropUnfit(w, p, isSane);
      continue;
    }
    applyCut(p);
    const hash = flowHash5(<usize>load<u32>(p, PACKET_KEY));
    resizeUnparsed(p, <i32>headerSize);
    const data = dataOf(p);
    copyBytes(data, at + ACT_TNL_PUSH_SIZEOF, headerSize);
    const payloadSize = finishIp(data + l3, sizeOf(p) - l3, isV6);
    if (protocol == PROTO_UDP) finishUdp(data + l3, data + l4, payloadSize, isV6, hash);
    else finishGre(w, at, data + l4, payloadSize);
    becomeOuter(p, at, l3, l4);
    listSet(list, kept++, p);
  }
  return kept;
}

/** Lengths and the IPv4 header checksum; returns the bytes behind the IP header. */
function finishIp(ip: usize, size: u32, isV6: bool): u32 {
  if (isV6) {
    store<u16>(ip, <u16>swap16(size - IPV6_SIZE), 4);
    return size - IPV6_SIZE;
  }
  store<u16>(ip, <u16>swap16(size), 2);
  store<u16>(ip, 0, 10);
  store<u16>(ip, <u16>finishSum(headerSum4(ip)), 10);
  return size - IPV4_SIZE;
}

function finishUdp(ip: usize, udp: usize, size: u32, isV6: bool, hash: u32): void {
  const port = SOURCE_PORT_MIN + <u32>((<u64>hash * <u64>(SOURCE_PORT_MAX - SOURCE_PORT_MIN)) >>> 32);
  store<u16>(udp, <u16>swap16(port));
  store<u16>(udp, <u16>swap16(size), 4);
  if (load<u16>(udp, 6) == 0) return;
  store<u16>(udp, 0, 6);
  const pseudo = isV6 ? pseudoSum6(ip, PROTO_UDP, size) : pseudoSum4(ip, PROTO_UDP, size);
  const checksum = finishSum(onesSum(udp, size, pseudo));
  store<u16>(udp, <u16>(checksum == 0 ? 0xffff : checksum), 6);
}

/** The sequence number first, for the checksum covers it. */
function finishGre(w: usize, at: usize, gre: usize, size: u32): void {
  const flags = <u32>load<u16>(gre);
  if (flags & GRE_SEQ_LE) {
    const port = portAt(w, load<u32>(at, ACT_TNL_PUSH_TNL_PORT));
    const offset: usize = 4 + (flags & GRE_CSUM_LE ? 4 : 0) + (flags & GRE_KEY_LE ? 4 : 0);
    if (port != 0 && offset + 4 <= <usize>size) {
      // a tunnel is every worker's
      store<u32>(gre + offset, bswap(atomic.add<u32>(port, 1, PORT_TUNNEL_SEQUENCE)));
    }
  }
  if ((flags & GRE_CSUM_LE) == 0 || size < 8) return;
  store<u32>(gre, 0, 4);
  store<u16>(gre, <u16>finishSum(onesSum(gre, size, 0)), 4);
}

/** From here on it is a packet of its own, as if it came from the port it is sent by, with no past. */
function becomeOuter(p: usize, at: usize, l3: u32, l4: u32): void {
  store<u16>(p, <u16>l3, PACKET_L3_OFFSET);
  store<u16>(p, <u16>l4, PACKET_L4_OFFSET);
  store<u32>(p, 0, PACKET_PACKET_TYPE);
  // recirc_id 0 with it
  store<u64>(p, <u64>load<u32>(at, ACT_TNL_PUSH_OUT_PORT), PACKET_IN_PORT);
  const past = load<u64>(p, PACKET_KEY_MAP) & META_BLOCKS;
  if (past != 0) clearBlocks(p, past);
}
