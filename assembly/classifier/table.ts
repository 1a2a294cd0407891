/**
 * A subtable's hash table: buckets of one cache line.
 *
 *   u32 hash[7]     of the packed masked keys; 0 where the place is free
 *   u32 overflowed  entries whose way from their home bucket led past this one
 *   u32 flow[7]     Flow pointers; 0 for a free place
 *   u32 unused
 *
 * An entry goes to its home bucket (hash & mask) or, when that is full, to the next one with a free place. A lookup ends at
 * the first bucket that nothing overflowed from, so a miss reads one line nearly always; a deletion undoes the counts on
 * its entry's way, so there are no tombstones. The table doubles when a bucket would hold 4.375 entries on average; when
 * the arena has no memory for that, it fills up to six a bucket before it refuses.
 *
 * Not supported: shrinking. An emptied subtable gives its table back whole. Doubling happens at once, in the call that
 * needs it.
 */
import {
  SUBTABLE_BUCKET_MASK,
  SUBTABLE_BUCKETS,
  SUBTABLE_FLOW_COUNT,
  SUBTABLE_SIZE_CLASS,
} from '../../src/gen/layout';
import { equalMasked } from '../flow/masked';
import { allocRegion, freeRegion } from '../layout/arena';

export const BUCKET_SHIFT: usize = 6;
export const BUCKET_OVERFLOWED: usize = 28;
export const BUCKET_FLOWS: usize = 32;
export const BUCKET_PLACES: u32 = 7;
/** Bits of the places in a bitmask of eight lanes. */
export const PLACES_MASK: u32 = 0x7f;
const FILL_WANTED_EIGHTHS: u64 = 35;
const FILL_MAX_EIGHTHS: u64 = 48;

/** Gives the subtable a table of one bucket; false when the arena is full. */
export function createTable(w: usize, subtable: usize): bool {
  const region = allocRegion(w, <u32>BUCKET_SHIFT);
  store<u32>(subtable, <u32>region, SUBTABLE_BUCKETS);
  store<u32>(subtable, 0, SUBTABLE_BUCKET_MASK);
  store<u32>(subtable, <u32>BUCKET_SHIFT, SUBTABLE_SIZE_CLASS);
  return region != 0;
}

export function destroyTable(w: usize, subtable: usize): void {
  freeRegion(w, load<u32>(subtable, SUBTABLE_BUCKETS), load<u32>(subtable, SUBTABLE_SIZE_CLASS));
}

/** Makes room for one more entry; false when the arena is full and so is the table. */
export function ensureRoom(w: usize, subtable: usize): bool {
  const entries = (<u64>load<u32>(subtable, SUBTABLE_FLOW_COUNT) + 1) << 3;
  const buckets = <u64>load<u32>(subtable, SUBTABLE_BUCKET_MASK) + 1;
  if (entries <= buckets * FILL_WANTED_EIGHTHS) return true;
  return grow(w, subtable) || entries <= buckets * FILL_MAX_EIGHTHS;
}

function grow(w: usize, subtable: usize): bool {
  const log2 = load<u32>(subtable, SUBTABLE_SIZE_CLASS);
  const region = allocRegion(w, log2 + 1);
  if (region == 0) return false;
  const old = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  const end = old + (<usize>1 << log2);
  const mask = ((<u32>1 << (log2 + 1)) >> <u32>BUCKET_SHIFT) - 1;
  store<u32>(subtable, <u32>region, SUBTABLE_BUCKETS);
  store<u32>(subtable, mask, SUBTABLE_BUCKET_MASK);
  store<u32>(subtable, log2 + 1, SUBTABLE_SIZE_CLASS);
  for (let bucket = old; bucket < end; bucket += 1 << BUCKET_SHIFT) {
    for (let place: usize = 0; place < <usize>BUCKET_PLACES << 2; place += 4) {
      const flow = load<u32>(bucket + place, BUCKET_FLOWS);
      if (flow != 0) tableInsert(subtable, flow, load<u32>(bucket + place));
    }
  }
  freeRegion(w, old, log2);
  return true;
}

/** Enters a flow; ensureRoom has said that there is room. */
export function tableInsert(subtable: usize, flow: usize, hash: u32): void {
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const buckets = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  for (let i = hash & mask; ; i = (i + 1) & mask) {
    const bucket = buckets + ((<usize>i) << BUCKET_SHIFT);
    for (let place: usize = 0; place < <usize>BUCKET_PLACES << 2; place += 4) {
      if (load<u32>(bucket + place, BUCKET_FLOWS) != 0) continue;
      store<u32>(bucket + place, hash);
      store<u32>(bucket + place, <u32>flow, BUCKET_FLOWS);
      return;
    }
    store<u32>(bucket, load<u32>(bucket, BUCKET_OVERFLOWED) + 1, BUCKET_OVERFLOWED);
  }
}

/** Takes a flow out that is there. */
export function tableRemove(subtable: usize, flow: usize, hash: u32): void {
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const buckets = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  for (let i = hash & mask; ; i = (i + 1) & mask) {
    const bucket = buckets + ((<usize>i) << BUCKET_SHIFT);
    for (let place: usize = 0; place < <usize>BUCKET_PLACES << 2; place += 4) {
      if (<usize>load<u32>(bucket + place, BUCKET_FLOWS) != flow) continue;
      store<u32>(bucket + place, 0);
      store<u32>(bucket + place, 0, BUCKET_FLOWS);
      return;
    }
    store<u32>(bucket, load<u32>(bucket, BUCKET_OVERFLOWED) - 1, BUCKET_OVERFLOWED);
  }
}

/** A bit for each place of the bucket with this hash. */
// @ts-expect-error: decorator
@inline
export function placesOf(bucket: usize, hash: u32): u32 {
  const wanted = i32x4.splat(<i32>hash);
  const low = i32x4.bitmask(i32x4.eq(v128.load(bucket), wanted));
  const high = i32x4.bitmask(i32x4.eq(v128.load(bucket, 16), wanted));
  return (<u32>low | (<u32>high << 4)) & PLACES_MASK;
}

/** The flow that a key falls under, 0 for none. `hash` is that of the masked key. */
export function tableFind(subtable: usize, hash: u32, key: usize): usize {
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const buckets = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  // bounded, because churn can leave every bucket with an overflow
  for (let i: u32 = 0; i <= mask; i++) {
    const bucket = buckets + ((<usize>((hash + i) & mask)) << BUCKET_SHIFT);
    for (let places = placesOf(bucket, hash); places != 0; places &= places - 1) {
      const flow = <usize>load<u32>(bucket + ((<usize>ctz(places)) << 2), BUCKET_FLOWS);
      if (flow != 0 && equalMasked(subtable, flow, key)) return flow;
    }
    if (load<u32>(bucket, BUCKET_OVERFLOWED) == 0) return 0;
  }
  return 0;
}

/** The flow with this packed masked key, 0 for none. */
export function tableFindPacked(subtable: usize, hash: u32, packed: usize, blocks: u32, packedAt: usize): usize {
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const buckets = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  for (let i: u32 = 0; i <= mask; i++) {
    const bucket = buckets + ((<usize>((hash + i) & mask)) << BUCKET_SHIFT);
    for (let places = placesOf(bucket, hash); places != 0; places &= places - 1) {
      const flow = <usize>load<u32>(bucket + ((<usize>ctz(places)) << 2), BUCKET_FLOWS);
      if (flow != 0 && equalPacked(flow + packedAt, packed, blocks)) return flow;
    }
    if (load<u32>(bucket, BUCKET_OVERFLOWED) == 0) return 0;
  }
  return 0;
}

/** Whether two runs of blocks are equal. */
export function equalPacked(a: usize, b: usize, blocks: u32): bool {
  for (let i: usize = 0; i < <usize>blocks << 4; i += 16) {
    if (v128.any_true(v128.xor(v128.load(a + i), v128.load(b + i)))) return false;
  }
  return true;
}
