/**
 * TCP, UDP, SCTP, ICMP, IGMP and ICMPv6. As in Open vSwitch the protocol number alone decides, not the IP version: ICMPv6
 * over IPv4 is read, and ICMP over IPv6.
 */
import { FRAG_LATER, KEY_IGMP_GROUP, KEY_NW_FRAG, KEY_NW_PROTO, KEY_TCP_FLAGS, KEY_TP_SRC } from '../../src/gen/key';
import { NONE_U16, PACKET_L4_OFFSET, PACKET_TCP_FLAGS } from '../../src/gen/layout';
import { parseNeighbourDiscovery } from './icmp6';
import { ICMP, ICMPV6, IGMP, SCTP, TCP, UDP } from './ip';

/** Reads the transport header at `at`. A later fragment has none: l4_offset becomes NONE_U16. */
// @inline
export function parseTransport(p: usize, key: usize, at: usize, end: usize): void {
  if ((load<u8>(key, KEY_NW_FRAG) & FRAG_LATER) != 0) {
    store<u16>(p, <u16>NONE_U16, PACKET_L4_OFFSET);
    return;
  }
  const proto = <u32>load<u8>(key, KEY_NW_PROTO);
  const left = end - at;
  // the shortest of these headers has eight bytes
  if (left < 8) return;
  if (proto == TCP) parseTcp(p, key, at, left);
  else if (proto == UDP || (proto == SCTP && left >= 12)) store<u32>(key, load<u32>(at), KEY_TP_SRC);
  else if (proto == ICMP) storeTypeAndCode(key, at);
  else if (proto == ICMPV6) {
    storeTypeAndCode(key, at);
    parseNeighbourDiscovery(key, at, end);
  } else if (proto == IGMP) {
    storeTypeAndCode(key, at);
    store<u32>(key, load<u32>(at, 4), KEY_IGMP_GROUP);
  }
}

/** RFC 9293 §3.1; nothing of a header whose data offset lies. */
// @inline
function parseTcp(p: usize, key: usize, at: usize, left: usize): void {
  if (left < 20) return;
  const control = load<u16>(at, 12);
  const headerSize = <usize>(control & 0xf0) >>> 2;
  if ((headerSize < 20) | (headerSize > left)) return;
  const flags = control & 0xff0f;
  store<u32>(key, load<u32>(at), KEY_TP_SRC);
  store<u16>(key, flags, KEY_TCP_FLAGS);
  store<u16>(p, bswap<u16>(flags), PACKET_TCP_FLAGS);
}

/** A type and a code of a byte each, as 16-bit numbers in network order. */
// @inline
function storeTypeAndCode(key: usize, at: usize): void {
  store<u32>(key, ((<u32>load<u8>(at)) << 8) | ((<u32>load<u8>(at, 1)) << 24), KEY_TP_SRC);
}
