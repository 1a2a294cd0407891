/**
 * Headers → flow key.
 *
 * What. parsePacket reads a frame from the outside in and writes the header blocks of its key, the key map, the key's hash,
 * the offsets of the layers and the TCP flags. Most frames (two tags at the most, IPv4 without options or IPv6 without extension headers, whole TCP or UDP) take a straight way of
 * three 16-byte loads and stores; every other frame goes through parseAny, header by header, a file for each subject.
 *
 * Terms. *header blocks*: blocks 0 to KEY_META_BLOCK_FIRST - 1 of the key. *at*: address of the next byte to read; *end*:
 * address behind the last byte that may be read. A parser that returns 0 instead of an address found a header that is cut
 * short or lies about its size: what was read before stays in the key, and the rest of the frame is not looked at.
 *
 * Invariants. No byte outside [data, data + size) is read, nor padding behind an IP datagram. A bit of the key map is set
 * exactly when its block is not all zero; blocks whose bit is clear are zero in memory. The keys are those of Open vSwitch
 * 3.1's userspace datapath, held against it by test/differential; src/flow/extract.ts is the slow twin.
 *
 * Not supported: checksums are not checked; NSH context headers of MD type 2 are not read; more than VLAN_TAGS_MAX tags (the
 * next TPID is then the Ethertype) and MPLS_LABELS_MAX labels (passed over).
 */
import { DROP_RX_RUNT } from '../../src/gen/counters';
import {
  BLOCK_ARP_ND,
  BLOCK_ETHERNET,
  BLOCK_INNER_TAGS,
  BLOCK_IPV4,
  BLOCK_IPV6_DST,
  BLOCK_IPV6_SRC,
  KEY_ETH_TYPE,
  KEY_NW_PROTO,
  KEY_VLAN2_TPID,
} from '../../src/gen/key';
import {
  PACKET_DATA,
  PACKET_HASH,
  PACKET_IN_PORT,
  PACKET_KEY,
  PACKET_KEY_MAP,
  PACKET_L2_PAD,
  PACKET_L3_OFFSET,
  PACKET_L4_OFFSET,
  PACKET_L25_OFFSET,
  PACKET_PACKET_TYPE,
  PACKET_RECIRC_ID,
  PACKET_SIZE,
  PACKET_TCP_FLAGS,
} from '../../src/gen/layout';
import { hashBlocks, hashKey } from '../flow/hash';
import { parseArp } from './arp';
import {
  arpBit,
  BASE_BIT,
  baseBit,
  clearBlocks,
  clearHeader,
  controlBits,
  ethernetBit,
  HEADER_MAP,
  ipv4Bit,
  ipv6Bits,
  nshBits,
  PLAIN_MAP,
  tagsBit,
} from './blocks';
import {
  ETH_ARP,
  ETH_IPV4,
  ETH_IPV6,
  ETH_NSH,
  ETH_RARP,
  isMpls,
  isVlan,
  parseEthernet,
  parseMpls,
  TAG_CFI,
} from './ethernet';
import { ICMPV6, IGMP, parseIpv4, parseIpv6, TCP, UDP } from './ip';
import { parseNsh } from './nsh';
import { parseTransport } from './transport';

/** Bytes of the Ethernet header without tags. */
const ETHERNET_SIZE: u32 = 14;
/** Two tags, IPv4 without options, UDP: with so many bytes the straight way's wide loads stay inside the frame. */
const PLAIN_SIZE_MIN: u32 = 22 + 20 + 8;
/** Bits of the blocks that parsePlain6 writes. */
const PLAIN6_MAP: u64 = PLAIN_MAP | (1 << BLOCK_IPV6_SRC) | (1 << BLOCK_IPV6_DST) | (1 << BLOCK_ARP_ND);
/** l2_pad 0, and no offset of l25, l3 and l4. */
const NO_OFFSETS: u64 = 0xffff_ffff_ffff_0000;

/**
 * Parses one frame.
 * @param w the worker
 * @param p a Packet with data, size, in_port, recirc_id, packet_type, key, and its metadata blocks in key and key_map
 * @returns 0, or the reason to drop the frame for
 */
// @inline
export function parsePacket(_w: usize, p: usize): u32 {
  const data = <usize>load<u32>(p, PACKET_DATA);
  const size = load<u32>(p, PACKET_SIZE);
  const length = size - PLAIN_SIZE_MIN;
  // one comparison for both ends: what is shorter than PLAIN_SIZE_MIN wraps
  if ((length > 0xffff - PLAIN_SIZE_MIN) | (load<u32>(p, PACKET_PACKET_TYPE) != 0)) return parseAny(p);

  const ethernet = v128.load(data);
  let type = load<u16>(data, 12);
  let tag: u32 = 0;
  let inner: u32 = 0;
  let l3: u32 = 14;
  if (isVlan(type)) {
    tag = load<u32>(data, 12) | TAG_CFI;
    type = load<u16>(data, 16);
    l3 = 18;
    if (isVlan(type)) {
      inner = load<u32>(data, 16) | TAG_CFI;
      type = load<u16>(data, 20);
      l3 = 22;
    }
  }
  if (type != ETH_IPV4) return type == ETH_IPV6 ? parsePlain6(p, data, l3, tag, inner) : parseAny(p);

  const ip = data + <usize>l3;
  const first = load<u32>(ip);
  const total = <u32>bswap<u16>(<u16>(first >>> 16));
  const left = size - l3;
  const fragment = load<u16>(ip, 6) & 0xff3f;
  const isOdd = ((first & 15) ^ 5) | fragment | u32(total > left);
  const proto = load<u8>(ip, 9);
  let flags: u32 = 0;
  if (proto == UDP) {
    if (isOdd | u32(total < 28)) return parseAny(p);
  } else {
    if (isOdd | u32(total < 40) | u32(proto != TCP)) return parseAny(p);
    flags = load<u16>(ip, 32);
    const headerSize = (flags & 0xf0) >>> 2;
    if (u32(headerSize < 20) | u32(headerSize + 20 > total)) return parseAny(p);
    flags = flags & 0xff0f;
  }

  const tosTtl = ((first >>> 8) & 0xff) | ((<u32>load<u8>(ip, 8)) << 8);
  const block1 = i32x4.replace_lane(ethernet, 3, tag);
  const addresses = v128.load(ip, 12);
  const block2 = i32x4.replace_lane(addresses, 3, tosTtl | (flags << 16));
  const key = <usize>load<u32>(p, PACKET_KEY);
  const block0 = baseBlock(p, <u32>ETH_IPV4 | ((<u32>proto) << 16));
  v128.store(key, block0);
  v128.store(key, block1, BLOCK_ETHERNET << 4);
  v128.store(key, block2, BLOCK_IPV4 << 4);
  storeOffsets(p, left - total, l3, 20, flags);
  const ethernetBit = u32(v128.any_true(block1)) << BLOCK_ETHERNET;
  let mine: u32 = BASE_BIT | ethernetBit | (u32(v128.any_true(block2)) << BLOCK_IPV4);
  if (inner != 0) mine |= storeInnerTag(key, inner);
  const map = storeMap(p, key, mine, PLAIN_MAP | <u64>mine);
  const counted = i32x4.replace_lane(addresses, 3, tosTtl & 0xff);
  store<u32>(p, hashBlocks(block0, block1, counted, key, map), PACKET_HASH);
  return 0;
}

/**
 * Base block of an Ethernet frame that is no fragment. Made of scalars: the pipeline has only just stored in_port and
 * recirc_id, and a 16-byte load would have to wait for both stores.
 * @param typeAndProto Ethertype as loaded off the wire | protocol << 16
 */
// @inline
function baseBlock(p: usize, typeAndProto: u32): v128 {
  const low = <u64>load<u32>(p, PACKET_IN_PORT) | ((<u64>load<u32>(p, PACKET_RECIRC_ID)) << 32);
  return i64x2.replace_lane(i64x2.splat(<i64>low), 1, <i64>((<u64>typeAndProto) << 32));
}

/** l2_pad, no label stack, l3 and l4 offset in one store; TCP flags (as on the wire) in another. */
// @inline
function storeOffsets(p: usize, pad: u32, l3: u32, headerSize: u32, flags: u32): void {
  const layers = l3 | ((l3 + headerSize) << 16);
  store<u64>(p, <u64>pad | 0xffff0000 | ((<u64>layers) << 32), PACKET_L2_PAD);
  store<u16>(p, bswap<u16>(<u16>flags), PACKET_TCP_FLAGS);
}

/** The block of a second tag without labels; returns its bit. */
// @inline
function storeInnerTag(key: usize, tag: u32): u32 {
  if (KEY_VLAN2_TPID != BLOCK_INNER_TAGS << 4) ERROR('the second tag stands first in its block');
  v128.store(key, i32x4.replace_lane(i32x4.splat(0), 0, tag), BLOCK_INNER_TAGS << 4);
  return 1 << BLOCK_INNER_TAGS;
}

/** The straight way of IPv6: whole TCP or UDP without extension headers, two tags at the most. */
function parsePlain6(p: usize, data: usize, l3: u32, tag: u32, inner: u32): u32 {
  const ip = data + <usize>l3;
  const left = load<u32>(p, PACKET_SIZE) - l3;
  if (left < 48) return parseAny(p);
  const total = <u32>bswap<u16>(load<u16>(ip, 4)) + 40;
  const proto = <u32>load<u8>(ip, 6);
  let flags: u32 = 0;
  if (proto == UDP) {
    if (u32(total > left) | u32(total < 48)) return parseAny(p);
  } else {
    if (u32(total > left) | u32(total < 60) | u32(proto != TCP)) return parseAny(p);
    flags = load<u16>(ip, 52);
    const headerSize = (flags & 0xf0) >>> 2;
    if (u32(headerSize < 20) | u32(headerSize + 40 > total)) return parseAny(p);
    flags = flags & 0xff0f;
  }
  const first = bswap<u32>(load<u32>(ip));
  const label = bswap<u32>(first & 0xfffff);
  const tosTtl = ((first >>> 20) & 0xff) | ((<u32>load<u8>(ip, 7)) << 8);
  const block1 = i32x4.replace_lane(v128.load(data), 3, tag);
  const high = <u64>load<u32>(ip, 40) | ((<u64>(tosTtl | (flags << 16))) << 32);
  const block2 = i64x2.replace_lane(i64x2.splat(0), 1, <i64>high);
  const src = v128.load(ip, 8);
  const dst = v128.load(ip, 24);
  const key = <usize>load<u32>(p, PACKET_KEY);
  const block0 = baseBlock(p, <u32>ETH_IPV6 | (proto << 16));
  v128.store(key, block0);
  v128.store(key, block1, BLOCK_ETHERNET << 4);
  v128.store(key, block2, BLOCK_IPV4 << 4);
  v128.store(key, src, BLOCK_IPV6_SRC << 4);
  v128.store(key, dst, BLOCK_IPV6_DST << 4);
  v128.store(key, i64x2.replace_lane(i64x2.splat(0), 1, <i64>((<u64>label) << 32)), BLOCK_ARP_ND << 4);
  storeOffsets(p, left - total, l3, 40, flags);
  let mine: u32 = BASE_BIT | (u32(v128.any_true(block1)) << BLOCK_ETHERNET) | (u32(high != 0) << BLOCK_IPV4);
  mine |= (u32(v128.any_true(src)) << BLOCK_IPV6_SRC) | (u32(v128.any_true(dst)) << BLOCK_IPV6_DST);
  mine |= u32(label != 0) << BLOCK_ARP_ND;
  if (inner != 0) mine |= storeInnerTag(key, inner);
  const map = storeMap(p, key, mine, PLAIN6_MAP | <u64>mine);
  const counted = i32x4.replace_lane(block2, 3, tosTtl & 0xff);
  store<u32>(p, hashBlocks(block0, block1, counted, key, map), PACKET_HASH);
  return 0;
}

/** The key map with these header bits; zeroes header blocks that were there before and are not in `written`. */
// @inline
function storeMap(p: usize, key: usize, header: u32, written: u64): u64 {
  const old = load<u64>(p, PACKET_KEY_MAP);
  const map = (old & ~HEADER_MAP) | <u64>header;
  store<u64>(p, map, PACKET_KEY_MAP);
  const stale = old & HEADER_MAP & ~written;
  if (stale != 0) clearBlocks(key, stale);
  return map;
}

/** parsePacket for `count` packets of `list` (u32 Packet pointers); returns how many of them were given a drop reason. */
export function parseList(w: usize, list: usize, count: u32): u32 {
  let drops: u32 = 0;
  for (let i: u32 = 0; i < count; i++) drops += u32(parsePacket(w, load<u32>(list + ((<usize>i) << 2))) != 0);
  return drops;
}

/** The way of every frame that is not plain. */
export function parseAny(p: usize): u32 {
  const data = <usize>load<u32>(p, PACKET_DATA);
  const end = data + <usize>load<u32>(p, PACKET_SIZE);
  const key = <usize>load<u32>(p, PACKET_KEY);
  const old = load<u64>(p, PACKET_KEY_MAP);
  if (PACKET_RECIRC_ID != PACKET_IN_PORT + 4 || PACKET_PACKET_TYPE != PACKET_IN_PORT + 8) {
    ERROR('the base block starts with in_port, recirc_id and packet_type as they lie in Packet');
  }
  clearHeader(key, old & HEADER_MAP);
  v128.store(key, i32x4.replace_lane(v128.load(p, PACKET_IN_PORT), 3, 0));
  store<u64>(p, NO_OFFSETS, PACKET_L2_PAD);
  store<u16>(p, 0, PACKET_TCP_FLAGS);
  const isRunt = end - data < <usize>ETHERNET_SIZE;
  const hasHeaders = !isRunt || load<u32>(p, PACKET_PACKET_TYPE) != 0;
  const header = hasHeaders ? parseHeaders(p, key, data, end) : baseBit(key);
  const map = (old & ~HEADER_MAP) | <u64>header;
  store<u64>(p, map, PACKET_KEY_MAP);
  store<u32>(p, hashKey(key, map), PACKET_HASH);
  return isRunt ? DROP_RX_RUNT : 0;
}

/** Writes the fields and offsets; returns the key map's bits of the header blocks. */
function parseHeaders(p: usize, key: usize, data: usize, end: usize): u32 {
  let at = data;
  if (load<u32>(p, PACKET_PACKET_TYPE) == 0) at = parseEthernet(key, at, end);
  else store<u16>(key, load<u16>(p, PACKET_PACKET_TYPE + 2), KEY_ETH_TYPE);
  const type = load<u16>(key, KEY_ETH_TYPE);
  if (isMpls(type)) {
    store<u16>(p, <u16>(at - data), PACKET_L25_OFFSET);
    at = parseMpls(key, at, end);
  }
  store<u16>(p, <u16>(at - data), PACKET_L3_OFFSET);
  let map = BASE_BIT | ethernetBit(key) | tagsBit(key);
  if (type == ETH_IPV4) {
    at = parseIpv4(p, key, at, end);
    if (at != 0) map |= finishIp(p, key, data, at, end);
  } else if (type == ETH_IPV6) {
    at = parseIpv6(p, key, at, end);
    if (at != 0) map |= finishIp(p, key, data, at, end);
    map |= ipv6Bits(key);
  } else if (type == ETH_ARP || type == ETH_RARP) {
    parseArp(key, at, end);
    map |= ipv4Bit(key) | arpBit(key);
    // the opcode is in the base block
  } else if (type == ETH_NSH) {
    parseNsh(key, at, end);
    map |= nshBits(key);
  }
  return map;
}

/** The transport header at `at`; returns the bits of the blocks that IPv4 and transport headers write. */
// @inline
function finishIp(p: usize, key: usize, data: usize, at: usize, end: usize): u32 {
  store<u16>(p, <u16>(at - data), PACKET_L4_OFFSET);
  parseTransport(p, key, at, end - <usize>load<u16>(p, PACKET_L2_PAD));
  const proto = <u32>load<u8>(key, KEY_NW_PROTO);
  const map = ipv4Bit(key);
  return proto == IGMP || proto == ICMPV6 ? map | controlBits(key) : map;
}
