/** set_tcp, set_udp, set_sctp, set_icmp and set_icmpv6. A packet without a whole such header stays as it is. */
import {
  ACT_SET_ICMP_TYPE,
  ACT_SET_ICMP_TYPE_MASK,
  ACT_SET_TCP_SRC,
  ACT_SET_TCP_SRC_MASK,
} from '../../src/gen/actions';
import { PACKET_L4_OFFSET } from '../../src/gen/layout';
import { listGet } from '../layout/worker';
import { crc32c } from '../packet/checksum';
import { applyDelta, applyUdpDelta, delta16, delta32 } from './delta';
import { dataOf, l4Size, masked } from './frame';

const TCP_HEADER_SIZE: u32 = 20;
const UDP_HEADER_SIZE: u32 = 8;
const SCTP_HEADER_SIZE: u32 = 12;
const ICMP_HEADER_SIZE: u32 = 8;
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;
const SCTP_CHECKSUM: usize = 8;

// @inline
function l4Of(p: usize): usize {
  return dataOf(p) + <usize>load<u16>(p, PACKET_L4_OFFSET);
}

/** True when the TCP header is there with all its options (RFC 9293 §3.1). */
// @inline
function hasTcp(p: usize): bool {
  const size = l4Size(p);
  if (size < TCP_HEADER_SIZE) return false;
  const headerSize = (<u32>load<u8>(l4Of(p), 12) >>> 4) << 2;
  return headerSize >= TCP_HEADER_SIZE && headerSize <= size;
}

/** Both ports are one word, in TCP, UDP and SCTP alike. */
export function setTcp(list: usize, count: u32, at: usize): void {
  const value = load<u32>(at, ACT_SET_TCP_SRC);
  const mask = load<u32>(at, ACT_SET_TCP_SRC_MASK);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (!hasTcp(p)) continue;
    const tcp = l4Of(p);
    const old = load<u32>(tcp);
    const now = masked(old, value, mask);
    if (now == old) continue;
    store<u32>(tcp, now);
    applyDelta(tcp + TCP_CHECKSUM, delta32(old, now));
  }
}

export function setUdp(list: usize, count: u32, at: usize): void {
  const value = load<u32>(at, ACT_SET_TCP_SRC);
  const mask = load<u32>(at, ACT_SET_TCP_SRC_MASK);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (l4Size(p) < UDP_HEADER_SIZE) continue;
    const udp = l4Of(p);
    const old = load<u32>(udp);
    const now = masked(old, value, mask);
    if (now == old) continue;
    store<u32>(udp, now);
    applyUdpDelta(udp + UDP_CHECKSUM, delta32(old, now));
  }
}

/** The checksum moves by the difference of the right ones, so that a wrong one stays wrong for the receiver to see. */
export function setSctp(list: usize, count: u32, at: usize): void {
  const value = load<u32>(at, ACT_SET_TCP_SRC);
  const mask = load<u32>(at, ACT_SET_TCP_SRC_MASK);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const size = l4Size(p);
    if (size < SCTP_HEADER_SIZE) continue;
    const sctp = l4Of(p);
    const checksum = load<u32>(sctp, SCTP_CHECKSUM);
    store<u32>(sctp, 0, SCTP_CHECKSUM);
    const before = crc32c(sctp, size);
    store<u32>(sctp, masked(load<u32>(sctp), value, mask));
    store<u32>(sctp, checksum ^ before ^ crc32c(sctp, size), SCTP_CHECKSUM);
  }
}

/** ICMP and ICMPv6 begin alike: type, code, checksum. */
export function setIcmp(list: usize, count: u32, at: usize): void {
  const value = <u32>load<u16>(at, ACT_SET_ICMP_TYPE);
  const mask = <u32>load<u16>(at, ACT_SET_ICMP_TYPE_MASK);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (l4Size(p) < ICMP_HEADER_SIZE) continue;
    const icmp = l4Of(p);
    const old = <u32>load<u16>(icmp);
    const now = masked(old, value, mask);
    if (now == old) continue;
    store<u16>(icmp, <u16>now);
    applyDelta(icmp + 2, delta16(old, now));
  }
}
