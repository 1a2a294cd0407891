/**
 * Header blocks of the key: clearing them, and which of them are not all zero.
 *
 * Each function reads the fields just as wide as the parser stores them: a wider load would have to wait until the narrow
 * stores have left the store buffer, which costs more than parsing the header did.
 */
import {
  BLOCK_ARP_ND,
  BLOCK_BASE,
  BLOCK_ETHERNET,
  BLOCK_IGMP_ND,
  BLOCK_INNER_TAGS,
  BLOCK_IPV4,
  BLOCK_IPV6_DST,
  BLOCK_IPV6_SRC,
  BLOCK_ND_TARGET,
  BLOCK_NSH,
  BLOCK_NSH_MORE,
  KEY_ARP_SHA,
  KEY_ARP_THA,
  KEY_ETH_DST,
  KEY_IGMP_GROUP,
  KEY_IPV4_SRC,
  KEY_IPV6_DST,
  KEY_IPV6_LABEL,
  KEY_IPV6_SRC,
  KEY_META_BLOCK_FIRST,
  KEY_MPLS_LSE0,
  KEY_MPLS_LSE1,
  KEY_MPLS_LSE2,
  KEY_ND_OPTIONS_TYPE,
  KEY_ND_RESERVED,
  KEY_ND_TARGET,
  KEY_NSH_C1,
  KEY_NSH_C3,
  KEY_NSH_FLAGS,
  KEY_NSH_MDTYPE,
  KEY_NSH_PATH,
  KEY_NSH_TTL,
  KEY_NW_TOS,
  KEY_TCP_FLAGS,
  KEY_TP_SRC,
  KEY_VLAN_TPID,
  KEY_VLAN2_TPID,
} from '../../src/gen/key';

/** Bits of the key map that belong to header blocks. */
export const HEADER_MAP: u64 = (1 << KEY_META_BLOCK_FIRST) - 1;
/** Bits of the blocks that a plain packet has: base, ethernet, ipv4. */
export const PLAIN_MAP: u64 = (1 << BLOCK_BASE) | (1 << BLOCK_ETHERNET) | (1 << BLOCK_IPV4);
/** A frame with headers has an Ethertype: its base block is never zero. */
export const BASE_BIT: u32 = 1 << BLOCK_BASE;

/** Zeroes the blocks of `map`. */
export function clearBlocks(key: usize, map: u64): void {
  let rest = map;
  while (rest != 0) {
    v128.store(key + ((<usize>ctz(rest)) << 4), i64x2.splat(0));
    rest &= rest - 1;
  }
}

/** Zeroes the blocks of `map`, and the plain blocks whatever it says. */
// @inline
export function clearHeader(key: usize, map: u64): void {
  v128.store(key, i64x2.splat(0), BLOCK_ETHERNET << 4);
  v128.store(key, i64x2.splat(0), BLOCK_IPV4 << 4);
  const rest = map & ~PLAIN_MAP;
  if (rest != 0) clearBlocks(key, rest);
}

// @inline
function bit(isSet: bool, block: u32): u32 {
  return u32(isSet) << block;
}

/** For a frame too short for headers: the base block as it was stored, whole. */
export function baseBit(key: usize): u32 {
  return bit(v128.any_true(v128.load(key)), BLOCK_BASE);
}

// @inline
export function ethernetBit(key: usize): u32 {
  const rest = load<u32>(key, KEY_ETH_DST + 8) | load<u32>(key, KEY_VLAN_TPID);
  return bit((load<u64>(key, KEY_ETH_DST) | <u64>rest) != 0, BLOCK_ETHERNET);
}

/** The second tag and the labels. */
// @inline
export function tagsBit(key: usize): u32 {
  const tags = load<u32>(key, KEY_VLAN2_TPID) | load<u32>(key, KEY_MPLS_LSE0);
  return bit((tags | load<u32>(key, KEY_MPLS_LSE1) | load<u32>(key, KEY_MPLS_LSE2)) != 0, BLOCK_INNER_TAGS);
}

// @inline
export function ipv4Bit(key: usize): u32 {
  const rest = load<u32>(key, KEY_TP_SRC) | <u32>load<u16>(key, KEY_NW_TOS) | <u32>load<u16>(key, KEY_TCP_FLAGS);
  return bit((load<u64>(key, KEY_IPV4_SRC) | <u64>rest) != 0, BLOCK_IPV4);
}

/** Hardware addresses and flow label. */
// @inline
export function arpBit(key: usize): u32 {
  const sha = load<u32>(key, KEY_ARP_SHA) | <u32>load<u16>(key, KEY_ARP_SHA + 4);
  const tha = load<u32>(key, KEY_ARP_THA) | <u32>load<u16>(key, KEY_ARP_THA + 4);
  return bit((sha | tha | load<u32>(key, KEY_IPV6_LABEL)) != 0, BLOCK_ARP_ND);
}

/** Both addresses and the flow label's block. */
// @inline
export function ipv6Bits(key: usize): u32 {
  const src = bit(v128.any_true(v128.load(key, KEY_IPV6_SRC)), BLOCK_IPV6_SRC);
  const dst = bit(v128.any_true(v128.load(key, KEY_IPV6_DST)), BLOCK_IPV6_DST);
  return src | dst | arpBit(key);
}

/** The blocks that IGMP and neighbour discovery write. */
export function controlBits(key: usize): u32 {
  const rest =
    load<u32>(key, KEY_IGMP_GROUP) | load<u32>(key, KEY_ND_RESERVED) | <u32>load<u8>(key, KEY_ND_OPTIONS_TYPE);
  const target = bit(v128.any_true(v128.load(key, KEY_ND_TARGET)), BLOCK_ND_TARGET);
  return target | bit(rest != 0, BLOCK_IGMP_ND) | arpBit(key);
}

export function nshBits(key: usize): u32 {
  const bytes =
    <u32>load<u8>(key, KEY_NSH_FLAGS) | <u32>load<u8>(key, KEY_NSH_TTL) | <u32>load<u16>(key, KEY_NSH_MDTYPE);
  const first = load<u64>(key, KEY_NSH_C1) | <u64>(bytes | load<u32>(key, KEY_NSH_PATH));
  return bit(first != 0, BLOCK_NSH) | bit(load<u64>(key, KEY_NSH_C3) != 0, BLOCK_NSH_MORE);
}
