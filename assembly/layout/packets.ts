/**
 * Packet slots: take, give back, copy, drop.
 *
 * A Packet is a frame on its way. Its key slot belongs to it for ever; blocks of the key slot that are not in key_map are
 * zero, also while the slot is free, so a slot taken anew needs no clearing beyond what the map names.
 */

import { COUNTER_COPIED_PACKETS, DROP_NO_FRAME } from '../../src/gen/counters';
import { KEY_META_BLOCK_FIRST } from '../../src/gen/key';
import {
  KEY_SIZE,
  NONE_U16,
  NONE_U32,
  PACKET_CHUNK,
  PACKET_CSUM_START,
  PACKET_CUT_SIZE,
  PACKET_DATA,
  PACKET_DEPTH,
  PACKET_FLOW,
  PACKET_IN_PORT,
  PACKET_KEY,
  PACKET_KEY_MAP,
  PACKET_NEXT,
  PACKET_PACKET_TYPE,
  PACKET_SIZE,
  PACKET_SIZEOF,
  WORKER_KEYS,
  WORKER_PACKET_FREE,
  WORKER_PACKET_SLOTS,
  WORKER_PACKETS,
} from '../../src/gen/layout';
import { copyBytes } from './copy';
import { countDrop, counterAdd, giveChunk, takeChunk } from './worker';

/** Bits of the key map that belong to metadata. */
// @inline
export function metaBlocks(map: u64): u64 {
  return map & ~(((<u64>1) << KEY_META_BLOCK_FIRST) - 1);
}

/** Chains all Packet slots into the free list; the memory must be zero. */
export function initPackets(w: usize): void {
  const packets = <usize>load<u32>(w, WORKER_PACKETS);
  const keys = <usize>load<u32>(w, WORKER_KEYS);
  const slots = load<u32>(w, WORKER_PACKET_SLOTS);
  let free: usize = 0;
  for (let i = slots; i > 0; i--) {
    const p = packets + <usize>(i - 1) * PACKET_SIZEOF;
    store<u32>(p, <u32>(keys + <usize>(i - 1) * <usize>KEY_SIZE), PACKET_KEY);
    store<u32>(p, <u32>free, PACKET_NEXT);
    free = p;
  }
  store<u32>(w, <u32>free, WORKER_PACKET_FREE);
}

/** A Packet slot without frame, 0 when none is free. Only its key slot and key_map mean anything. */
// @inline
export function allocPacket(w: usize): usize {
  const p = <usize>load<u32>(w, WORKER_PACKET_FREE);
  if (p != 0) store<u32>(w, load<u32>(p, PACKET_NEXT), WORKER_PACKET_FREE);
  return p;
}

/** Gives the slot back; the chunk is the caller's. */
// @inline
export function releaseSlot(w: usize, p: usize): void {
  store<u32>(p, load<u32>(w, WORKER_PACKET_FREE), PACKET_NEXT);
  store<u32>(w, <u32>p, WORKER_PACKET_FREE);
}

/** Gives slot and chunk back. */
export function freePacket(w: usize, p: usize): void {
  giveChunk(w, load<u32>(p, PACKET_CHUNK));
  releaseSlot(w, p);
}

/** The frame ends here: counted under its reason, slot and chunk given back. */
export function dropPacket(w: usize, p: usize, reason: u32): void {
  countDrop(w, reason);
  freePacket(w, p);
}

/** Makes a taken slot a frame that just came in by a port: no metadata, nothing parsed. */
// @inline
export function initPacket(p: usize, data: usize, size: u32, chunk: usize, inPort: u32): void {
  const meta = metaBlocks(load<u64>(p, PACKET_KEY_MAP));
  if (meta != 0) clearBlocks(p, meta);
  store<u32>(p, <u32>data, PACKET_DATA);
  store<u32>(p, size, PACKET_SIZE);
  store<u32>(p, <u32>chunk, PACKET_CHUNK);
  store<u64>(p, <u64>inPort, PACKET_IN_PORT); // recirc_id 0 with it
  store<u32>(p, 0, PACKET_PACKET_TYPE);
  store<u16>(p, 0, PACKET_DEPTH);
  store<u64>(p, <u64>NONE_U32, PACKET_CUT_SIZE); // upcall 0 with it
  store<u64>(p, <u64>NONE_U16, PACKET_CSUM_START); // csum_offset, gso_size, gso_type 0 with it
}

/** Zeroes the blocks of the key slot that `blocks` names and takes them out of key_map. */
export function clearBlocks(p: usize, blocks: u64): void {
  const key = <usize>load<u32>(p, PACKET_KEY);
  let rest = blocks;
  while (rest != 0) {
    v128.store(key + ((<usize>ctz(rest)) << 4), i64x2.splat(0));
    rest &= rest - 1;
  }
  store<u64>(p, load<u64>(p, PACKET_KEY_MAP) & ~blocks, PACKET_KEY_MAP);
}

/** Copies the blocks of a whole key (KEY_SIZE bytes) that `map` names into the key slot and zeroes the others. */
export function setKeyBlocks(p: usize, from: usize, map: u64): void {
  const stale = load<u64>(p, PACKET_KEY_MAP) & ~map;
  if (stale != 0) clearBlocks(p, stale);
  const key = <usize>load<u32>(p, PACKET_KEY);
  let rest = map;
  while (rest != 0) {
    const offset = (<usize>ctz(rest)) << 4;
    v128.store(key + offset, v128.load(from + offset));
    rest &= rest - 1;
  }
  store<u64>(p, map, PACKET_KEY_MAP);
}

/**
 * A second Packet with the same frame, key and state, in a chunk of its own at the same place in the chunk.
 * Returns 0 when no slot or chunk is free: the copy then counts as made and dropped (no_frame).
 */
export function copyPacket(w: usize, p: usize): usize {
  counterAdd(w, COUNTER_COPIED_PACKETS, 1);
  const chunk = takeChunk(w);
  if (chunk == 0) {
    countDrop(w, DROP_NO_FRAME);
    return 0;
  }
  const q = allocPacket(w);
  if (q == 0) {
    giveChunk(w, chunk);
    countDrop(w, DROP_NO_FRAME);
    return 0;
  }
  const data = <usize>load<u32>(p, PACKET_DATA);
  const to = chunk + (data - <usize>load<u32>(p, PACKET_CHUNK));
  copyBytes(to, data, <usize>load<u32>(p, PACKET_SIZE));
  setKeyBlocks(q, load<u32>(p, PACKET_KEY), load<u64>(p, PACKET_KEY_MAP));
  store<u64>(q, load<u64>(p, PACKET_FLOW), PACKET_FLOW); // and hash
  v128.store(q, v128.load(p, PACKET_IN_PORT), PACKET_IN_PORT); // to l25_offset
  v128.store(q, v128.load(p, PACKET_IN_PORT + 16), PACKET_IN_PORT + 16); // to upcall
  store<u64>(q, load<u64>(p, PACKET_CSUM_START), PACKET_CSUM_START);
  store<u32>(q, <u32>to, PACKET_DATA);
  store<u32>(q, load<u32>(p, PACKET_SIZE), PACKET_SIZE);
  store<u32>(q, <u32>chunk, PACKET_CHUNK);
  return q;
}
