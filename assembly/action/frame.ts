/**
 * What every action does with packets and lists: make and take room in front of a frame, keep offsets right, drop,
 * copy and cut.
 */
import { DROP_ACTION_INVALID, DROP_HEADROOM } from '../../src/gen/counters';
import {
  NONE_U16,
  NONE_U32,
  PACKET_CHUNK,
  PACKET_CSUM_START,
  PACKET_CUT_SIZE,
  PACKET_DATA,
  PACKET_KEY,
  PACKET_KEY_MAP,
  PACKET_L2_PAD,
  PACKET_L3_OFFSET,
  PACKET_L4_OFFSET,
  PACKET_L25_OFFSET,
  PACKET_SIZE,
} from '../../src/gen/layout';
import { copyPacket, dropPacket } from '../layout/packets';
import { listGet, listSet } from '../layout/worker';

// @inline
export function dataOf(p: usize): usize {
  return <usize>load<u32>(p, PACKET_DATA);
}

// @inline
export function sizeOf(p: usize): u32 {
  return load<u32>(p, PACKET_SIZE);
}

// @inline
export function swap16(value: u32): u32 {
  return ((value << 8) | ((value >>> 8) & 0xff)) & 0xffff;
}

/** value under mask, old elsewhere. */
// @inline
export function masked(old: u32, value: u32, mask: u32): u32 {
  return (old & ~mask) | (value & mask);
}

/** True when the network header starts inside the frame and `bytes` of it are there. */
// @inline
export function hasL3(p: usize, bytes: u32): bool {
  // an offset of NONE_U16 is beyond every frame
  return <u32>load<u16>(p, PACKET_L3_OFFSET) + bytes <= sizeOf(p);
}

/** Bytes from the transport header to the end of the IP datagram; 0 without a transport header. */
// @inline
export function l4Size(p: usize): u32 {
  const start = <u32>load<u16>(p, PACKET_L4_OFFSET) + <u32>load<u16>(p, PACKET_L2_PAD);
  const size = sizeOf(p);
  return start < size ? size - start : 0;
}

// @inline
function shiftOffset(field: usize, by: i32): void {
  const offset = <u32>load<u16>(field);
  if (offset != NONE_U16) store<u16>(field, <u16>(<i32>offset + by));
}

/** Moves the first byte of the frame by -by: positive makes room in front, negative takes bytes off. */
// @inline
function moveStart(p: usize, by: i32): void {
  store<u32>(p, <u32>(<i32>load<u32>(p, PACKET_DATA) - by), PACKET_DATA);
  store<u32>(p, <u32>(<i32>load<u32>(p, PACKET_SIZE) + by), PACKET_SIZE);
  shiftOffset(p + PACKET_CSUM_START, by);
  // trunc cuts off so many bytes at the end, whatever is put in front
  const cut = load<u32>(p, PACKET_CUT_SIZE);
  if (cut != NONE_U32) store<u32>(p, <u32>max<i32>(<i32>cut + by, 0), PACKET_CUT_SIZE);
}

/** True when a header of so many bytes fits in front of the frame. */
// @inline
export function hasHeadroom(p: usize, bytes: u32): bool {
  return load<u32>(p, PACKET_DATA) - load<u32>(p, PACKET_CHUNK) >= bytes;
}

/** Makes the part before the MPLS stack longer (or shorter) by so many bytes; the contents are the caller's. */
export function resizeL2(p: usize, by: i32): void {
  moveStart(p, by);
  shiftOffset(p + PACKET_L25_OFFSET, by);
  shiftOffset(p + PACKET_L3_OFFSET, by);
  shiftOffset(p + PACKET_L4_OFFSET, by);
}

/** The same for the part before the network header: the MPLS stack grows, its start stays. */
export function resizeL25(p: usize, by: i32): void {
  moveStart(p, by);
  shiftOffset(p + PACKET_L3_OFFSET, by);
  shiftOffset(p + PACKET_L4_OFFSET, by);
}

/** Makes (or takes) so many bytes in front and forgets where the headers are, until the packet is parsed again. */
export function resizeUnparsed(p: usize, by: i32): void {
  moveStart(p, by);
  resetOffsets(p);
}

// @inline
export function resetOffsets(p: usize): void {
  // l2_pad 0, l25, l3 and l4 none
  store<u64>(p, 0xffffffffffff0000, PACKET_L2_PAD);
}

/** Keeps key_map true to a block of the key slot that was written. */
export function noteBlock(p: usize, block: u32): void {
  const key = <usize>load<u32>(p, PACKET_KEY);
  const bit = (<u64>1) << (<u64>block);
  const map = load<u64>(p, PACKET_KEY_MAP) & ~bit;
  const any = v128.any_true(v128.load(key + ((<usize>block) << 4)));
  store<u64>(p, any ? map | bit : map, PACKET_KEY_MAP);
}

export function dropList(w: usize, list: usize, count: u32, reason: u32): void {
  for (let i: u32 = 0; i < count; i++) dropPacket(w, listGet(list, i), reason);
}

/** Drops a packet that an action does not fit, or for which there is no headroom. */
export function dropUnfit(w: usize, p: usize, isHeadroom: bool): void {
  dropPacket(w, p, isHeadroom ? DROP_HEADROOM : DROP_ACTION_INVALID);
}

/** Copies of all packets; returns how many there was room for (the others are counted as no_frame). */
export function copyList(w: usize, list: usize, count: u32, out: usize): u32 {
  let copied: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const q = copyPacket(w, listGet(list, i));
    if (q != 0) listSet(out, copied++, q);
  }
  return copied;
}

/** Carries out what trunc asked for. */
// @inline
export function applyCut(p: usize): void {
  const cut = load<u32>(p, PACKET_CUT_SIZE);
  if (cut == NONE_U32) return;
  if (cut < sizeOf(p)) store<u32>(p, cut, PACKET_SIZE);
  store<u32>(p, NONE_U32, PACKET_CUT_SIZE);
}

/** Bytes that an output would send. */
// @inline
export function sendSize(p: usize): u32 {
  return min<u32>(sizeOf(p), load<u32>(p, PACKET_CUT_SIZE));
}
