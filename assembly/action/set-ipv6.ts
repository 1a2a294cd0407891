/** set_ipv6: addresses, traffic class, flow label and hop limit (RFC 8200); the transport checksum follows. */
import {
  ACT_SET_IPV6_DST,
  ACT_SET_IPV6_DST_MASK,
  ACT_SET_IPV6_HLIMIT,
  ACT_SET_IPV6_HLIMIT_MASK,
  ACT_SET_IPV6_LABEL,
  ACT_SET_IPV6_LABEL_MASK,
  ACT_SET_IPV6_SRC,
  ACT_SET_IPV6_SRC_MASK,
  ACT_SET_IPV6_TCLASS,
  ACT_SET_IPV6_TCLASS_MASK,
} from '../../src/gen/actions';
import { PACKET_L3_OFFSET, PACKET_L4_OFFSET } from '../../src/gen/layout';
import { listGet, listSet } from '../layout/worker';
import { applyPseudoDelta, delta128 } from './delta';
import { dataOf, dropUnfit, hasL3, masked } from './frame';

const HEADER_SIZE: u32 = 40;
const NEXT_HEADER: usize = 6;
const HOP_LIMIT: usize = 7;
const SRC: usize = 8;
const DST: usize = 24;
const LABEL_MASK: u32 = 0xfffff;
// extension headers (RFC 8200 §4, RFC 4302)
const NEXT_ROUTING: u32 = 43;
const NEXT_FRAGMENT: u32 = 44;
const NEXT_AUTHENTICATION: u32 = 51;
/** Set in the answer of transportOf when a routing header has segments left: the checksum is over another destination. */
const VIA_ROUTE: u32 = 0x100;

/** The transport protocol, by way of the extension headers; the parser has found that they end at the transport header. */
function transportOf(p: usize, ip: usize): u32 {
  const l4 = dataOf(p) + <usize>load<u16>(p, PACKET_L4_OFFSET);
  let next = <u32>load<u8>(ip, NEXT_HEADER);
  let at = ip + HEADER_SIZE;
  let route: u32 = 0;
  while (at < l4) {
    let size = ((<u32>load<u8>(at, 1)) << 3) + 8;
    if (next == NEXT_ROUTING && load<u8>(at, 3) != 0) route = VIA_ROUTE;
    else if (next == NEXT_FRAGMENT) size = 8;
    else if (next == NEXT_AUTHENTICATION) size = ((<u32>load<u8>(at, 1)) << 2) + 8;
    next = load<u8>(at);
    at += size;
  }
  return next | route;
}

/** Sets an address; returns the delta, 0 when nothing changed. */
// @inline
function setAddress(at: usize, value: v128, mask: v128): u32 {
  const old = v128.load(at);
  const now = v128.bitselect(value, old, mask);
  if (!v128.any_true(v128.xor(old, now))) return 0;
  v128.store(at, now);
  return delta128(old, now);
}

function setAddresses(p: usize, ip: usize, at: usize): void {
  const src = setAddress(ip + SRC, v128.load(at, ACT_SET_IPV6_SRC), v128.load(at, ACT_SET_IPV6_SRC_MASK));
  const dst = setAddress(ip + DST, v128.load(at, ACT_SET_IPV6_DST), v128.load(at, ACT_SET_IPV6_DST_MASK));
  // without a transport header the walk over extension headers would have no end
  if ((src | dst) == 0 || load<u16>(p, PACKET_L4_OFFSET) == 0xffff) return;
  const transport = transportOf(p, ip);
  const delta = transport & VIA_ROUTE ? src : src + dst;
  if (delta != 0) applyPseudoDelta(p, transport & 0xff, true, delta);
}

/** Returns how many packets are left in the list. */
export function setIpv6(w: usize, list: usize, count: u32, at: usize): u32 {
  const anyMask = v128.or(v128.load(at, ACT_SET_IPV6_SRC_MASK), v128.load(at, ACT_SET_IPV6_DST_MASK));
  const hasAddresses = v128.any_true(anyMask);
  const word =
    ((<u32>load<u8>(at, ACT_SET_IPV6_TCLASS)) << 20) | (bswap(load<u32>(at, ACT_SET_IPV6_LABEL)) & LABEL_MASK);
  const wordMask =
    ((<u32>load<u8>(at, ACT_SET_IPV6_TCLASS_MASK)) << 20) |
    (bswap(load<u32>(at, ACT_SET_IPV6_LABEL_MASK)) & LABEL_MASK);
  const hopLimit = <u32>load<u8>(at, ACT_SET_IPV6_HLIMIT);
  const hopLimitMask = <u32>load<u8>(at, ACT_SET_IPV6_HLIMIT_MASK);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const ip = dataOf(p) + <usize>load<u16>(p, PACKET_L3_OFFSET);
    if (!hasL3(p, HEADER_SIZE) || load<u8>(ip) >>> 4 != 6) {
      dropUnfit(w, p, false);
      continue;
    }
    listSet(list, kept++, p);
    if (hasAddresses) setAddresses(p, ip, at);
    if (wordMask != 0) store<u32>(ip, bswap(masked(bswap(load<u32>(ip)), word, wordMask)));
    if (hopLimitMask != 0) store<u8>(ip, <u8>masked(load<u8>(ip, HOP_LIMIT), hopLimit, hopLimitMask), HOP_LIMIT);
  }
  return kept;
}
