/**
 * The worker: counters, scratch lists, free chunks.
 *
 * Terms. *chunk*: a fixed piece of memory that holds one frame. *list*: an array of u32 Packet pointers in the worker's
 * scratch; lists are taken and given back like a stack, so that nested passes (recirculation, clone) cannot collide.
 *
 * Invariants. A chunk is in exactly one place: the free stack, a ring, a Packet, or held by an upcall. The free stack has
 * room for every chunk of the switch, so a push never fails.
 */
import {
  SWITCH_CHUNK_SIZE,
  SWITCH_FRAMES,
  SWITCH_FRAMES_COUNT,
  WORKER_COUNTERS,
  WORKER_DROPS,
  WORKER_FREE_CHUNKS,
  WORKER_FREE_COUNT,
  WORKER_LISTS,
  WORKER_LISTS_SIZE,
  WORKER_LISTS_USED,
  WORKER_SWITCH,
} from '../../src/gen/layout';

/** @param counter COUNTER_X: byte offset of the counter */
// @inline
export function counterAdd(w: usize, counter: usize, n: u64): void {
  const at = w + WORKER_COUNTERS + counter;
  store<u64>(at, load<u64>(at) + n);
}

/** Counts a frame that ended here; the frame itself is the caller's. */
// @inline
export function countDrop(w: usize, reason: u32): void {
  const at = w + WORKER_DROPS + ((<usize>(reason & 63)) << 3);
  store<u64>(at, load<u64>(at) + 1);
}

/** Where the scratch stands: pass it to listRelease when done with every list taken since. */
// @inline
export function listMark(w: usize): u32 {
  return load<u32>(w, WORKER_LISTS_USED);
}

/** Scratch of `bytes` bytes (16-aligned); 0 when there is no room. */
export function scratchReserve(w: usize, bytes: u32): usize {
  const used = load<u32>(w, WORKER_LISTS_USED);
  const next = used + ((bytes + 15) & ~15);
  if (next > load<u32>(w, WORKER_LISTS_SIZE)) return 0;
  store<u32>(w, next, WORKER_LISTS_USED);
  return <usize>load<u32>(w, WORKER_LISTS) + used;
}

/** A list with room for `count` Packet pointers; 0 when there is no room. */
// @inline
export function listReserve(w: usize, count: u32): usize {
  return scratchReserve(w, count << 2);
}

// @inline
export function listRelease(w: usize, mark: u32): void {
  store<u32>(w, mark, WORKER_LISTS_USED);
}

// @inline
export function listGet(list: usize, index: u32): usize {
  return <usize>load<u32>(list + ((<usize>index) << 2));
}

// @inline
export function listSet(list: usize, index: u32, p: usize): void {
  store<u32>(list + ((<usize>index) << 2), <u32>p);
}

/** A free chunk (its first byte), 0 when none is left. */
// @inline
export function takeChunk(w: usize): usize {
  const count = load<u32>(w, WORKER_FREE_COUNT);
  if (count == 0) return 0;
  store<u32>(w, count - 1, WORKER_FREE_COUNT);
  return <usize>load<u32>(<usize>load<u32>(w, WORKER_FREE_CHUNKS) + ((<usize>(count - 1)) << 2));
}

/** @param chunk its first byte */
// @inline
export function giveChunk(w: usize, chunk: usize): void {
  const count = load<u32>(w, WORKER_FREE_COUNT);
  store<u32>(<usize>load<u32>(w, WORKER_FREE_CHUNKS) + ((<usize>count) << 2), <u32>chunk);
  store<u32>(w, count + 1, WORKER_FREE_COUNT);
}

/** Bytes of all chunks together: they lie in one memory, so 32 bits hold it. */
// @inline
export function framesSizeOf(w: usize): u32 {
  const sw = <usize>load<u32>(w, WORKER_SWITCH);
  return load<u32>(sw, SWITCH_FRAMES_COUNT) * load<u32>(sw, SWITCH_CHUNK_SIZE);
}

// @inline
export function framesOf(w: usize): usize {
  return <usize>load<u32>(<usize>load<u32>(w, WORKER_SWITCH), SWITCH_FRAMES);
}

/** The chunk that an address lies in; 0 when it lies outside the frames. */
// @inline
export function chunkOf(w: usize, address: usize): usize {
  const frames = framesOf(w);
  const within = address - frames;
  if (within >= <usize>framesSizeOf(w)) return 0;
  return frames + (within & ~(<usize>(chunkSizeOf(w) - 1)));
}

// @inline
export function chunkSizeOf(w: usize): u32 {
  return load<u32>(<usize>load<u32>(w, WORKER_SWITCH), SWITCH_CHUNK_SIZE);
}
