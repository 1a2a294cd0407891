/**
 * The exact-match cache: whole-key hash → megaflow.
 *
 * A bucket is one cache line: eight signatures (u32, the hash of the packet's key), then eight flow pointers. A hit is
 * verified by the megaflow's own masked compare, so an entry needs no copy of a key and can be stale, or belong to
 * another packet with the same hash, without ever being wrong: what it points to is a Flow for ever (layout/arena), and
 * whatever live flow the key falls under is the right one, because megaflows with different actions do not overlap.
 * Deleting a flow therefore leaves the cache alone.
 *
 * Replacement. A new entry takes a free place. When the bucket is full, only one in cache_insert_inverse new entries is
 * let in, over a deleted flow or else at random: with more flows than places, those that are in stay long enough to be
 * of use, instead of everyone pushing everyone out, and a packet that is not let in costs one cache line.
 */

import { COUNTER_CACHE_INSERTIONS } from '../../src/gen/counters';
import {
  FLOW_SIZEOF,
  FLOW_SUBTABLE,
  PACKET_FLOW,
  PACKET_HASH,
  PACKET_KEY,
  WORKER_CACHE,
  WORKER_CACHE_INSERT_INVERSE,
  WORKER_CACHE_MASK,
  WORKER_CACHE_RANDOM,
} from '../../src/gen/layout';
import { flowMatches } from '../flow/masked';
import { counterAdd } from '../layout/worker';
import { forgetWorth } from './worth';

const BUCKET_SHIFT: usize = 6;
/** Where a bucket's flow pointers start. */
const FLOWS: usize = 32;
/** Measured with a million flows, Zipf 1.0, in 32768 places: 1 is 50 % slower than 100, 16 is 8 %, 32 is 2 %. */
const INSERT_INVERSE_DEFAULT: u32 = 100;

// @inline
function bucketOf(w: usize, hash: u32): usize {
  return <usize>load<u32>(w, WORKER_CACHE) + ((<usize>(hash & load<u32>(w, WORKER_CACHE_MASK))) << BUCKET_SHIFT);
}

/** A bit for each place of the bucket whose signature is this. */
// @inline
function signatureMatches(bucket: usize, hash: u32): u32 {
  const wanted = i32x4.splat(<i32>hash);
  const low = i32x4.bitmask(i32x4.eq(v128.load(bucket), wanted));
  const high = i32x4.bitmask(i32x4.eq(v128.load(bucket, 16), wanted));
  return <u32>low | ((<u32>high) << 4);
}

// @inline
function flowAt(bucket: usize, place: u32): usize {
  return <usize>load<u32>(bucket + ((<usize>place) << 2), FLOWS);
}

/**
 * Looks a list of packets up: sets PACKET_FLOW of each, to 0 where the cache knows nothing, and gathers those in `missed`.
 * Returns how many those are.
 */
export function cacheLookup(w: usize, list: usize, count: u32, missed: usize): u32 {
  const end = list + ((<usize>count) << 2);
  proposeFlows(w, list, end);
  let out = missed;
  for (let at = list; at < end; at += 4) {
    const p = <usize>load<u32>(at);
    const flow = <usize>load<u32>(p, PACKET_FLOW);
    if (flow != 0 && (flowMatches(flow, load<u32>(p, PACKET_KEY)) || findElsewhere(w, p))) continue;
    store<u32>(p, 0, PACKET_FLOW);
    store<u32>(out, <u32>p);
    out += 4;
  }
  return <u32>((out - missed) >> 2);
}

/** Sets PACKET_FLOW to the first flow with the signature, 0 for none, and has its memory on the way when it is wanted. */
// @inline
function proposeFlows(w: usize, list: usize, end: usize): void {
  for (let at = list; at < end; at += 4) {
    const p = <usize>load<u32>(at);
    const hash = load<u32>(p, PACKET_HASH);
    const bucket = bucketOf(w, hash);
    const places = signatureMatches(bucket, hash);
    const flow = places != 0 ? flowAt(bucket, <u32>ctz(places)) : 0;
    store<u32>(p, <u32>flow, PACKET_FLOW);
    load<u32>(flow); // address 0 is readable, and cheaper than a branch
    load<u32>(flow, FLOW_SIZEOF);
  }
}

/** Tries the other places with the packet's signature: keys of one hash, or that differ in TTL or TCP flags only. */
function findElsewhere(w: usize, p: usize): bool {
  const hash = load<u32>(p, PACKET_HASH);
  const bucket = bucketOf(w, hash);
  for (let places = signatureMatches(bucket, hash); places != 0; places &= places - 1) {
    const flow = flowAt(bucket, <u32>ctz(places));
    if (flow == 0 || !flowMatches(flow, load<u32>(p, PACKET_KEY))) continue;
    store<u32>(p, <u32>flow, PACKET_FLOW);
    return true;
  }
  return false;
}

/** The place that a new entry takes; 8 for none. */
function placeFor(w: usize, bucket: usize): u32 {
  const low = i32x4.bitmask(i32x4.eq(v128.load(bucket, FLOWS), i32x4.splat(0)));
  const high = i32x4.bitmask(i32x4.eq(v128.load(bucket, FLOWS + 16), i32x4.splat(0)));
  const free = <u32>low | ((<u32>high) << 4);
  if (free != 0) return <u32>ctz(free);
  const random = load<u32>(w, WORKER_CACHE_RANDOM) * 747796405 + 2891336453;
  store<u32>(w, random, WORKER_CACHE_RANDOM);
  const chosen = load<u32>(w, WORKER_CACHE_INSERT_INVERSE);
  const inverse = chosen == 0 ? INSERT_INVERSE_DEFAULT : chosen;
  // the high bits say whether, lower ones where: a multiply instead of a division
  if ((<u64>(random >> 8) * <u64>inverse) >> 24 != 0) return 8;
  for (let place: u32 = 0; place < 8; place++) if (load<u32>(flowAt(bucket, place), FLOW_SUBTABLE) == 0) return place;
  return (random >> 5) & 7;
}

/** Enters the packets of a list that have a flow. Returns how many found a place. */
export function cacheInsert(w: usize, list: usize, count: u32): u32 {
  let inserted: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = <usize>load<u32>(list + ((<usize>i) << 2));
    const flow = load<u32>(p, PACKET_FLOW);
    if (flow == 0) continue;
    const hash = load<u32>(p, PACKET_HASH);
    const bucket = bucketOf(w, hash);
    if (holds(bucket, hash, flow)) continue;
    const place = placeFor(w, bucket);
    if (place == 8) continue;
    const entry = bucket + ((<usize>place) << 2);
    store<u32>(entry, hash);
    store<u32>(entry, flow, FLOWS);
    inserted++;
  }
  if (inserted != 0) counterAdd(w, COUNTER_CACHE_INSERTIONS, <u64>inserted);
  return inserted;
}

/** Whether the entry is there already: several packets of one burst may have missed for the same key. */
function holds(bucket: usize, hash: u32, flow: u32): bool {
  let places = signatureMatches(bucket, hash);
  while (places != 0) {
    if (<u32>flowAt(bucket, <u32>ctz(places)) == flow) return true;
    places &= places - 1;
  }
  return false;
}

/** Forgets everything. */
export function cacheClear(w: usize): void {
  const size = (<usize>load<u32>(w, WORKER_CACHE_MASK) + 1) << BUCKET_SHIFT;
  memory.fill(<usize>load<u32>(w, WORKER_CACHE), 0, size);
  forgetWorth(w);
}
