/** IPv4 and IPv6, up to the transport header. */
import {
  FRAG_ANY,
  FRAG_LATER,
  KEY_IPV4_SRC,
  KEY_IPV6_DST,
  KEY_IPV6_LABEL,
  KEY_IPV6_SRC,
  KEY_NW_FRAG,
  KEY_NW_PROTO,
  KEY_NW_TOS,
  KEY_NW_TTL,
} from '../../src/gen/key';
import { PACKET_L2_PAD } from '../../src/gen/layout';

export const ICMP: u32 = 1;
export const IGMP: u32 = 2;
export const TCP: u32 = 6;
export const UDP: u32 = 17;
export const ICMPV6: u32 = 58;
export const SCTP: u32 = 132;

const IPV6_SIZE: usize = 40;
const HOP_BY_HOP: u32 = 0;
const ROUTING: u32 = 43;
const FRAGMENT: u32 = 44;
const AUTHENTICATION: u32 = 51;
const DESTINATION: u32 = 60;
/** One bit a protocol number: the extension headers with a number below 64 (they all have one). */
const EXTENSIONS: u64 =
  ((1 as u64) << HOP_BY_HOP) |
  ((1 as u64) << ROUTING) |
  ((1 as u64) << FRAGMENT) |
  ((1 as u64) << AUTHENTICATION) |
  ((1 as u64) << DESTINATION);

/** Protocol, fragment bits, TOS and TTL; the first two lie side by side, and so do the others. */
// @inline
function storeIp(key: usize, proto: u32, frag: u32, tos: u32, ttl: u32): void {
  if (KEY_NW_FRAG != KEY_NW_PROTO + 1 || KEY_NW_TTL != KEY_NW_TOS + 1) ERROR('storeIp stores pairs');
  store<u16>(key, <u16>(proto | (frag << 8)), KEY_NW_PROTO);
  store<u16>(key, <u16>(tos | (ttl << 8)), KEY_NW_TOS);
}

/**
 * RFC 791. Writes l2_pad. The version is not looked at: the Ethertype said it.
 * @returns the address of the transport header, or 0
 */
// @inline
export function parseIpv4(p: usize, key: usize, at: usize, end: usize): usize {
  const left = end - at;
  if (left < 20) return 0;
  const headerSize = (<usize>load<u8>(at) & 15) << 2;
  const total = <usize>bswap<u16>(load<u16>(at, 2));
  if ((headerSize < 20) | (total > left) | (headerSize > total) | (left - total > 0xffff)) return 0;
  store<u16>(p, <u16>(left - total), PACKET_L2_PAD);
  store<u64>(key, load<u64>(at, 12), KEY_IPV4_SRC);
  const fragment = <u32>bswap<u16>(load<u16>(at, 6)) & 0x3fff;
  const frag = fragment == 0 ? 0 : (fragment & 0x1fff) != 0 ? FRAG_ANY | FRAG_LATER : FRAG_ANY;
  storeIp(key, load<u8>(at, 9), frag, load<u8>(at, 1), load<u8>(at, 8));
  return at + headerSize;
}

/**
 * RFC 8200. Writes l2_pad. The addresses stay in the key when an extension header is cut short.
 * @returns the address of the transport header (for a later fragment: behind the fragment header), or 0
 */
// @inline
export function parseIpv6(p: usize, key: usize, at: usize, end: usize): usize {
  const left = end - at;
  if (left < IPV6_SIZE) return 0;
  const total = <usize>bswap<u16>(load<u16>(at, 4)) + IPV6_SIZE;
  if ((total > left) | (left - total > 0xffff)) return 0;
  store<u16>(p, <u16>(left - total), PACKET_L2_PAD);
  v128.store(key, v128.load(at, 8), KEY_IPV6_SRC);
  v128.store(key, v128.load(at, 24), KEY_IPV6_DST);
  let proto: u32 = load<u8>(at, 6);
  let frag: u32 = 0;
  let next = at + IPV6_SIZE;
  if (isExtension(proto)) {
    // protocol and fragment bits come back in the key
    next = skipExtensions(key, proto, next, at + total);
    if (next == 0) return 0;
    proto = load<u8>(key, KEY_NW_PROTO);
    frag = load<u8>(key, KEY_NW_FRAG);
  }
  const first = bswap<u32>(load<u32>(at));
  storeIp(key, proto, frag, (first >>> 20) & 0xff, load<u8>(at, 7));
  store<u32>(key, bswap<u32>(first & 0xfffff), KEY_IPV6_LABEL);
  return next;
}

// @inline
function isExtension(proto: u32): bool {
  return (proto < 64) & (((EXTENSIONS >>> proto) & 1) != 0);
}

/**
 * Passes over extension headers (RFC 8200 §4, RFC 4302) up to the first that is not one, or to a later fragment.
 * @returns the address behind them with nw_proto and nw_frag in the key, or 0 with neither
 */
function skipExtensions(key: usize, first: u32, start: usize, end: usize): usize {
  let proto = first;
  let frag: u32 = 0;
  let at = start;
  while (isExtension(proto)) {
    const left = end - at;
    if (left < 8) return 0;
    const type = proto;
    const units = <usize>load<u8>(at, 1);
    const size: usize = type == FRAGMENT ? 8 : type == AUTHENTICATION ? (units + 2) << 2 : (units + 1) << 3;
    if (size > left) return 0;
    proto = load<u8>(at);
    if (type == FRAGMENT) {
      const offset = bswap<u16>(load<u16>(at, 2));
      if (offset != 0) frag = FRAG_ANY;
      if ((offset & 0xfff8) != 0) {
        frag = FRAG_ANY | FRAG_LATER;
        proto = FRAGMENT;
        at += size;
        break;
      }
    }
    at += size;
  }
  store<u16>(key, <u16>(proto | (frag << 8)), KEY_NW_PROTO);
  return at;
}
