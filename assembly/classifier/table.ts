/**
 * A subtable's hash table: groups of seven places.
 *
 * A table of n groups (a power of two) is one region of n × 64 bytes:
 *
 *   n × 16 bytes   u16 tag[7]: the upper half of each entry's hash, 0 where the place is free;
 *                  u16 overflowed: entries whose way from their home group led past this one
 *   from n × 32 on, n × 32 bytes   u32 flow[7]: Flow pointers, 0 for a free place; four unused bytes
 *
 * Most visits of a tuple-space search find nothing. They read the sixteen bytes of one group's tags, so that the tags of
 * hundreds of subtables stay in the nearest caches; the pointers are read when a tag is equal. (Eight-bit tags are
 * half the size, but one visit in thirty then stumbles over a false one: measured slower.)
 *
 * An entry goes to its home group (hash & mask) or, when that is full, to the next one with a free place. A lookup ends
 * at the first group that nothing overflowed from; a deletion undoes the counts on its entry's way, so there are no
 * tombstones. (A count that ever reached 65535 stays.) The table doubles when a group would hold 4.375 entries on
 * average; when the arena has no memory for that, it fills up to six a group before it refuses.
 *
 * Not supported: shrinking. An emptied subtable gives its table back whole. Doubling happens at once, in the call that
 * needs it.
 */
import {
  FLOW_HASH,
  FLOW_SIZEOF,
  SUBTABLE_BUCKET_MASK,
  SUBTABLE_BUCKETS,
  SUBTABLE_FLOW_COUNT,
  SUBTABLE_SIZE_CLASS,
} from '../../src/gen/layout';
import { equalMasked } from '../flow/masked';
import { allocRegion, freeRegion } from '../layout/arena';

/** log2 of a group's bytes, of its tags' and of its pointers'. */
const GROUP_SHIFT: u32 = 6;
export const TAGS_SHIFT: usize = 4;
export const FLOWS_SHIFT: usize = 5;
const OVERFLOWED: usize = 14;
const OVERFLOWED_MAX: u32 = 0xffff;
const PLACES: u32 = 7;
/** Bits of the places in a bitmask of eight lanes. */
const PLACES_MASK: u32 = (1 << 7) - 1;
const FILL_WANTED_EIGHTHS: u64 = 35;
const FILL_MAX_EIGHTHS: u64 = 48;

// @inline
export function tagOf(hash: u32): u32 {
  return hash >> 16;
}

/** Address of the pointers of group 0. */
// @inline
export function flowsOf(table: usize, mask: u32): usize {
  return table + ((<usize>mask + 1) << FLOWS_SHIFT);
}

/** Gives the subtable a table of one group; false when the arena is full. */
export function createTable(w: usize, subtable: usize): bool {
  const region = allocRegion(w, GROUP_SHIFT);
  store<u32>(subtable, <u32>region, SUBTABLE_BUCKETS);
  store<u32>(subtable, 0, SUBTABLE_BUCKET_MASK);
  store<u32>(subtable, GROUP_SHIFT, SUBTABLE_SIZE_CLASS);
  return region != 0;
}

export function destroyTable(w: usize, subtable: usize): void {
  freeRegion(w, load<u32>(subtable, SUBTABLE_BUCKETS), load<u32>(subtable, SUBTABLE_SIZE_CLASS));
}

/** Makes room for one more entry; false when the arena is full and so is the table. */
export function ensureRoom(w: usize, subtable: usize): bool {
  const entries = (<u64>load<u32>(subtable, SUBTABLE_FLOW_COUNT) + 1) << 3;
  const groups = <u64>load<u32>(subtable, SUBTABLE_BUCKET_MASK) + 1;
  if (entries <= groups * FILL_WANTED_EIGHTHS) return true;
  return grow(w, subtable) || entries <= groups * FILL_MAX_EIGHTHS;
}

function grow(w: usize, subtable: usize): bool {
  const log2 = load<u32>(subtable, SUBTABLE_SIZE_CLASS);
  const region = allocRegion(w, log2 + 1);
  if (region == 0) return false;
  const old = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  const oldMask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  store<u32>(subtable, <u32>region, SUBTABLE_BUCKETS);
  store<u32>(subtable, oldMask * 2 + 1, SUBTABLE_BUCKET_MASK);
  store<u32>(subtable, log2 + 1, SUBTABLE_SIZE_CLASS);
  const end = old + ((<usize>1) << log2);
  for (let at = flowsOf(old, oldMask); at < end; at += 4) {
    const flow = <usize>load<u32>(at);
    if (flow != 0) tableInsert(subtable, flow, load<u32>(flow, FLOW_HASH));
  }
  freeRegion(w, old, log2);
  return true;
}

/** Enters a flow; ensureRoom has said that there is room. */
export function tableInsert(subtable: usize, flow: usize, hash: u32): void {
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const table = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  for (let i = hash & mask; ; i = (i + 1) & mask) {
    const tags = table + ((<usize>i) << TAGS_SHIFT);
    const flows = flowsOf(table, mask) + ((<usize>i) << FLOWS_SHIFT);
    for (let place: usize = 0; place < <usize>PLACES; place++) {
      if (load<u32>(flows + (place << 2)) != 0) continue;
      store<u16>(tags + (place << 1), <u16>tagOf(hash));
      store<u32>(flows + (place << 2), <u32>flow);
      return;
    }
    const overflowed = <u32>load<u16>(tags, OVERFLOWED);
    if (overflowed != OVERFLOWED_MAX) store<u16>(tags, <u16>(overflowed + 1), OVERFLOWED);
  }
}

/** Takes a flow out that is there. */
export function tableRemove(subtable: usize, flow: usize, hash: u32): void {
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const table = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  for (let i = hash & mask; ; i = (i + 1) & mask) {
    const tags = table + ((<usize>i) << TAGS_SHIFT);
    const flows = flowsOf(table, mask) + ((<usize>i) << FLOWS_SHIFT);
    for (let place: usize = 0; place < <usize>PLACES; place++) {
      if (<usize>load<u32>(flows + (place << 2)) != flow) continue;
      store<u16>(tags + (place << 1), 0);
      store<u32>(flows + (place << 2), 0);
      return;
    }
    const overflowed = <u32>load<u16>(tags, OVERFLOWED);
    if (overflowed != OVERFLOWED_MAX) store<u16>(tags, <u16>(overflowed - 1), OVERFLOWED);
  }
}

/** A bit for each place of the group with this tag. */
// @inline
export function placesOf(tags: usize, hash: u32): u32 {
  return <u32>i16x8.bitmask(i16x8.eq(v128.load(tags), i16x8.splat(<i16>tagOf(hash)))) & PLACES_MASK;
}

/** Whether the group has an entry with the hash's tag, or has overflowed: false is a miss. */
// @inline
export function isCandidate(tags: usize, hash: u32): bool {
  const equal = i16x8.bitmask(i16x8.eq(v128.load(tags), i16x8.splat(<i16>tagOf(hash))));
  return (equal | <i32>load<u16>(tags, OVERFLOWED)) != 0;
}

/** The flow that a key falls under, 0 for none. `hash` is that of the masked key. */
export function tableFind(subtable: usize, hash: u32, key: usize): usize {
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const table = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  // bounded, because churn can leave every group with an overflow
  for (let i: u32 = 0; i <= mask; i++) {
    const home = <usize>((hash + i) & mask);
    const tags = table + (home << TAGS_SHIFT);
    const flows = flowsOf(table, mask) + (home << FLOWS_SHIFT);
    for (let places = placesOf(tags, hash); places != 0; places &= places - 1) {
      const flow = <usize>load<u32>(flows + ((<usize>ctz(places)) << 2));
      if (flow != 0 && equalMasked(subtable, flow, key)) return flow;
    }
    if (load<u16>(tags, OVERFLOWED) == 0) return 0;
  }
  return 0;
}

/** The flow with this packed masked key, 0 for none. */
export function tableFindPacked(subtable: usize, hash: u32, packed: usize, blocks: u32): usize {
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const table = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  for (let i: u32 = 0; i <= mask; i++) {
    const home = <usize>((hash + i) & mask);
    const tags = table + (home << TAGS_SHIFT);
    const flows = flowsOf(table, mask) + (home << FLOWS_SHIFT);
    for (let places = placesOf(tags, hash); places != 0; places &= places - 1) {
      const flow = <usize>load<u32>(flows + ((<usize>ctz(places)) << 2));
      if (flow != 0 && equalPacked(flow + FLOW_SIZEOF, packed, blocks)) return flow;
    }
    if (load<u16>(tags, OVERFLOWED) == 0) return 0;
  }
  return 0;
}

/** Whether two runs of blocks are equal. */
export function equalPacked(a: usize, b: usize, blocks: u32): bool {
  for (let i: usize = 0; i < (<usize>blocks) << 4; i += 16) {
    if (v128.any_true(v128.xor(v128.load(a + i), v128.load(b + i)))) return false;
  }
  return true;
}
