/** set_ipv4: addresses, TOS and TTL (RFC 791), with header and transport checksums kept right (RFC 1624). */
import {
  ACT_SET_IPV4_DST,
  ACT_SET_IPV4_DST_MASK,
  ACT_SET_IPV4_SRC,
  ACT_SET_IPV4_SRC_MASK,
  ACT_SET_IPV4_TOS,
  ACT_SET_IPV4_TOS_MASK,
  ACT_SET_IPV4_TTL,
  ACT_SET_IPV4_TTL_MASK,
} from '../../src/gen/actions';
import { PACKET_L3_OFFSET } from '../../src/gen/layout';
import { applyDelta, applyPseudoDelta, delta16, delta32 } from './delta';
import { dataOf, dropUnfit, hasL3, masked } from './frame';

const HEADER_SIZE: u32 = 20;
const TOS: usize = 1;
const TTL: usize = 8;
const PROTOCOL: usize = 9;
const CHECKSUM: usize = 10;
const SRC: usize = 12;
const DST: usize = 16;

/** Sets an address; returns the delta, 0 when nothing changed. */
// @inline
function setAddress(at: usize, value: u32, mask: u32): u32 {
  const old = load<u32>(at);
  const now = masked(old, value, mask);
  if (now == old) return 0;
  store<u32>(at, now);
  return delta32(old, now);
}

/** Returns how many packets are left in the list. */
export function setIpv4(w: usize, list: usize, count: u32, at: usize): u32 {
  const hasAddresses = (load<u32>(at, ACT_SET_IPV4_SRC_MASK) | load<u32>(at, ACT_SET_IPV4_DST_MASK)) != 0;
  const tosMask = <u32>load<u8>(at, ACT_SET_IPV4_TOS_MASK);
  const tos = <u32>load<u8>(at, ACT_SET_IPV4_TOS) & tosMask;
  const ttlMask = <u32>load<u8>(at, ACT_SET_IPV4_TTL_MASK);
  const ttl = <u32>load<u8>(at, ACT_SET_IPV4_TTL) & ttlMask;
  const end = list + ((<usize>count) << 2);
  let out = list;
  for (let next = list; next < end; next += 4) {
    const p = <usize>load<u32>(next);
    const ip = dataOf(p) + <usize>load<u16>(p, PACKET_L3_OFFSET);
    if (!hasL3(p, HEADER_SIZE) || load<u8>(ip) >>> 4 != 4) {
      dropUnfit(w, p, false);
      continue;
    }
    store<u32>(out, <u32>p);
    out += 4;
    let delta: u32 = hasAddresses ? setAddresses(p, ip, at) : 0;
    if (tosMask != 0) {
      const old = <u32>load<u8>(ip, TOS);
      const now = (old & ~tosMask) | tos;
      store<u8>(ip, <u8>now, TOS);
      if (now != old) delta += delta16(old << 8, now << 8);
    }
    if (ttlMask != 0) {
      const old = <u32>load<u8>(ip, TTL);
      const now = (old & ~ttlMask) | ttl;
      store<u8>(ip, <u8>now, TTL);
      if (now != old) delta += delta16(old, now);
    }
    if (delta != 0) applyDelta(ip + CHECKSUM, delta);
  }
  return <u32>((out - list) >> 2);
}

/** Sets both addresses; returns the delta, which the transport checksum has got already. */
function setAddresses(p: usize, ip: usize, at: usize): u32 {
  const src = setAddress(ip + SRC, load<u32>(at, ACT_SET_IPV4_SRC), load<u32>(at, ACT_SET_IPV4_SRC_MASK));
  const dst = setAddress(ip + DST, load<u32>(at, ACT_SET_IPV4_DST), load<u32>(at, ACT_SET_IPV4_DST_MASK));
  const delta = src + dst;
  if (delta != 0) applyPseudoDelta(p, load<u8>(ip, PROTOCOL), false, delta);
  return delta;
}
