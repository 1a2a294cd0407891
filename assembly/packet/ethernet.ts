/** Ethernet, VLAN tags, 802.2 and MPLS. Ethertypes stand as a little-endian load reads them off the wire. */
import {
  ETH_TYPE_NONE,
  KEY_ETH_DST,
  KEY_ETH_TYPE,
  KEY_MPLS_LSE0,
  KEY_VLAN_TPID,
  KEY_VLAN2_TPID,
} from '../../src/gen/key';
import { MPLS_LABELS_MAX } from '../../src/gen/limits';

export const ETH_IPV4: u16 = 0x0008;
export const ETH_IPV6: u16 = 0xdd86;
export const ETH_ARP: u16 = 0x0608;
export const ETH_RARP: u16 = 0x3580;
export const ETH_NSH: u16 = 0x4f89;
const ETH_VLAN: u16 = 0x0081;
const ETH_QINQ: u16 = 0xa888;
const ETH_MPLS: u16 = 0x4788;
const ETH_MPLS_MULTICAST: u16 = 0x4888;
/** What is smaller is an 802.3 length. */
const ETH_TYPE_MIN: u16 = 0x600;
/** Bit 0x1000 of the TCI in a tag that was loaded as a whole, TPID first. */
export const TAG_CFI: u32 = 0x0010_0000;
/** Bottom of stack in a label stack entry that was loaded little-endian (RFC 3032 §2.1). */
const MPLS_BOTTOM: u32 = 0x0001_0000;

// @inline
export function isVlan(type: u16): bool {
  return (type == ETH_VLAN) | (type == ETH_QINQ);
}

// @inline
export function isMpls(type: u16): bool {
  return (type == ETH_MPLS) | (type == ETH_MPLS_MULTICAST);
}

/** Addresses, tags and type of a frame of 14 bytes or more; returns the address behind the type or the SNAP header. */
// @inline
export function parseEthernet(key: usize, data: usize, end: usize): usize {
  store<u64>(key, load<u64>(data), KEY_ETH_DST);
  store<u32>(key, load<u32>(data, 8), KEY_ETH_DST + 8);
  let at = data + 12;
  // a tag counts only when an Ethertype follows it
  if (isVlan(load<u16>(at)) && end - at >= 6) {
    store<u32>(key, load<u32>(at) | TAG_CFI, KEY_VLAN_TPID);
    at += 4;
    if (isVlan(load<u16>(at)) && end - at >= 6) {
      store<u32>(key, load<u32>(at) | TAG_CFI, KEY_VLAN2_TPID);
      at += 4;
    }
  }
  const type = load<u16>(at);
  at += 2;
  if (bswap<u16>(type) < ETH_TYPE_MIN) return parseLlc(key, at, end);
  store<u16>(key, type, KEY_ETH_TYPE);
  return at;
}

/** What follows an 802.3 length: the Ethertype of a SNAP header (RFC 1042), or ETH_TYPE_NONE. */
function parseLlc(key: usize, at: usize, end: usize): usize {
  let type = bswap<u16>(<u16>ETH_TYPE_NONE);
  let next = at;
  if (end - at >= 8 && load<u32>(at) == 0x0003aaaa && load<u16>(at, 4) == 0) {
    const snapType = load<u16>(at, 6);
    if (bswap<u16>(snapType) >= ETH_TYPE_MIN) type = snapType;
    next = at + 8;
  }
  store<u16>(key, type, KEY_ETH_TYPE);
  return next;
}

/** Keeps the first labels and passes over all of the stack (RFC 3032); returns the address behind it. */
export function parseMpls(key: usize, start: usize, end: usize): usize {
  const keptEnd = start + ((<usize>MPLS_LABELS_MAX) << 2);
  let at = start;
  while (end - at >= 4) {
    const entry = load<u32>(at);
    if (at < keptEnd) store<u32>(key + (at - start), entry, KEY_MPLS_LSE0);
    at += 4;
    if ((entry & MPLS_BOTTOM) != 0) break;
  }
  return at;
}
