/**
 * Incremental Internet checksums (RFC 1624, equation 3): HC' = ~(~HC + ~m + m').
 *
 * A *delta* is the sum of all ~m + m' of a change, not yet folded; one's complement sums do not care for byte order, so
 * words are taken as they lie. Several changes of one packet add up their deltas and are applied once.
 */
import { PACKET_L4_OFFSET } from '../../src/gen/layout';
import { finishSum } from '../packet/checksum';
import { dataOf, l4Size } from './frame';

const PROTO_TCP: u32 = 6;
const PROTO_UDP: u32 = 17;
const PROTO_ICMPV6: u32 = 58;

// @inline
export function delta16(old: u32, now: u32): u32 {
  return (~old & 0xffff) + (now & 0xffff);
}

// @inline
export function delta32(old: u32, now: u32): u32 {
  return delta16(old, now) + (~old >>> 16) + (now >>> 16);
}

/** Of sixteen bytes. */
// @inline
export function delta128(old: v128, now: v128): u32 {
  const sum = i32x4.add(i32x4.extadd_pairwise_i16x8_u(v128.not(old)), i32x4.extadd_pairwise_i16x8_u(now));
  return (
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3)
  );
}

/** Applies a delta to the checksum at `at`; returns the new one. */
// @inline
export function applyDelta(at: usize, delta: u32): u32 {
  const checksum = finishSum((<u32>load<u16>(at) ^ 0xffff) + delta);
  store<u16>(at, <u16>checksum);
  return checksum;
}

/** For UDP: no checksum (0) stays none, and a checksum never becomes none by accident (RFC 768). */
// @inline
export function applyUdpDelta(at: usize, delta: u32): void {
  if (load<u16>(at) == 0) return;
  if (applyDelta(at, delta) == 0) store<u16>(at, 0xffff);
}

/** A change of the pseudo-header reaches the transport checksum, if there is a transport header. */
export function applyPseudoDelta(p: usize, protocol: u32, isV6: bool, delta: u32): void {
  const size = l4Size(p);
  const l4 = dataOf(p) + <usize>load<u16>(p, PACKET_L4_OFFSET);
  if (protocol == PROTO_TCP) {
    if (size >= 20) applyDelta(l4 + 16, delta);
  } else if (protocol == PROTO_UDP) {
    if (size >= 8) applyUdpDelta(l4 + 6, delta);
  } else if (isV6 && protocol == PROTO_ICMPV6 && size >= 4) applyDelta(l4 + 2, delta);
}
