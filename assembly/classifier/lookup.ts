/**
 * Tuple-space search, burst-wise: subtable by subtable over the packets that have no flow yet.
 *
 * A visit keeps the mask, the offsets and the secrets of its subtable in registers and asks, for each packet, whether the
 * masked key's home group holds its tag or has overflowed: one test on sixteen bytes. Only a yes leaves the loop for
 * tableFind. Masks over one to four blocks have a loop of their own, wider ones share one.
 *
 * Subtables stand in the order of their hits, so that most packets are done after the first few.
 */

import { COUNTER_SUBTABLES_VISITED } from '../../src/gen/counters';
import {
  FLOW_SIZEOF,
  PACKET_FLOW,
  PACKET_KEY,
  SUBTABLE_BLOCK_COUNT,
  SUBTABLE_BUCKET_MASK,
  SUBTABLE_BUCKETS,
  SUBTABLE_HITS,
  SUBTABLE_MASKS,
  SUBTABLE_SECRETS,
  WORKER_SORT_AT,
  WORKER_SUBTABLE_COUNT,
  WORKER_SUBTABLES,
} from '../../src/gen/layout';
import { blockSums, finishHash, mixBlock } from '../flow/hash';
import { blockOffset, hashMasked } from '../flow/masked';
import { counterAdd } from '../layout/worker';
import { sortSubtables } from './order';
import { FLOWS_SHIFT, flowsOf, isCandidate, placesOf, TAGS_SHIFT, tableFind } from './table';

/** Lookups between two sorts of the subtables. */
const SORT_INTERVAL: u32 = 65536;
/** Groups from which on a table is visited step by step: 256 KiB. */
const LARGE_GROUPS: u32 = 4096;

/**
 * Looks the packets of a list up. Sets PACKET_FLOW of those found; the others are left at the list's front, in order, with
 * PACKET_FLOW 0, as it must be when they come. Returns how many others there are.
 */
export function classify(w: usize, list: usize, count: u32): u32 {
  sortWhenDue(w, count);
  const subtables = <usize>load<u32>(w, WORKER_SUBTABLES);
  const end = subtables + ((<usize>load<u32>(w, WORKER_SUBTABLE_COUNT)) << 2);
  let left = count;
  let visits: u64 = 0;
  for (let at = subtables; at < end && left != 0; at += 4) {
    const subtable = <usize>load<u32>(at);
    visits += <u64>left;
    const rest = visitSubtable(subtable, list, left);
    if (rest != left) store<u64>(subtable, load<u64>(subtable, SUBTABLE_HITS) + <u64>(left - rest), SUBTABLE_HITS);
    left = rest;
  }
  counterAdd(w, COUNTER_SUBTABLES_VISITED, visits);
  return left;
}

function sortWhenDue(w: usize, count: u32): void {
  const due = load<u32>(w, WORKER_SORT_AT);
  if (due > count) {
    store<u32>(w, due - count, WORKER_SORT_AT);
    return;
  }
  store<u32>(w, SORT_INTERVAL, WORKER_SORT_AT);
  sortSubtables(w);
}

/** One subtable over a list of packets; returns how many are left, at the list's front. */
export function visitSubtable(subtable: usize, list: usize, count: u32): u32 {
  if (load<u32>(subtable, SUBTABLE_BUCKET_MASK) >= LARGE_GROUPS && count > 1) return visitLarge(subtable, list, count);
  switch (load<u32>(subtable, SUBTABLE_BLOCK_COUNT)) {
    case 1:
      return visit1(subtable, list, count);
    case 2:
      return visit2(subtable, list, count);
    case 3:
      return visit3(subtable, list, count);
    case 4:
      return visit4(subtable, list, count);
    default:
      return visitAny(subtable, list, count);
  }
}

// @inline
function maskAt(subtable: usize, i: usize): v128 {
  return v128.load(subtable + (i << 4), SUBTABLE_MASKS);
}

// @inline
function secretAt(subtable: usize, i: usize): v128 {
  return v128.load(subtable + (i << 4), SUBTABLE_SECRETS);
}

/** Ends a candidate's visit: its flow, or its place among those left. Returns the new end of those left. */
function settle(subtable: usize, hash: u32, p: usize, out: usize): usize {
  const flow = tableFind(subtable, hash, load<u32>(p, PACKET_KEY));
  store<u32>(p, <u32>flow, PACKET_FLOW);
  if (flow != 0) return out;
  store<u32>(out, <u32>p);
  return out + 4;
}

/** Ends a visit. Only a candidate leaves the loop, so that settling keeps its registers and its code to itself. */
// @inline
function endVisit(subtable: usize, table: usize, mask: u32, hash: u32, p: usize, out: usize): usize {
  if (isCandidate(table + ((<usize>(hash & mask)) << TAGS_SHIFT), hash)) return settle(subtable, hash, p, out);
  store<u32>(out, <u32>p);
  return out + 4;
}

/** The loop of a visit over a constant number of blocks, 1 to 4. */
// @inline
function visit(subtable: usize, list: usize, count: u32, blocks: i32): u32 {
  const table = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const m0 = maskAt(subtable, 0);
  const m1 = maskAt(subtable, 1);
  const m2 = maskAt(subtable, 2);
  const m3 = maskAt(subtable, 3);
  // out of memory: V8 would make constants anew for each packet, five instructions a block
  const k0 = secretAt(subtable, 0);
  const k1 = secretAt(subtable, 1);
  const k2 = secretAt(subtable, 2);
  const k3 = secretAt(subtable, 3);
  const o0 = blockOffset(subtable, 0);
  const o1 = blockOffset(subtable, 1);
  const o2 = blockOffset(subtable, 2);
  const o3 = blockOffset(subtable, 3);
  const end = list + ((<usize>count) << 2);
  let out = list;
  for (let at = list; at < end; at += 4) {
    const p = <usize>load<u32>(at);
    const key = <usize>load<u32>(p, PACKET_KEY);
    let sums = blockSums(v128.and(v128.load(key + o0), m0), k0);
    if (blocks > 1) sums = mixBlock(sums, v128.and(v128.load(key + o1), m1), k1);
    if (blocks > 2) sums = mixBlock(sums, v128.and(v128.load(key + o2), m2), k2);
    if (blocks > 3) sums = mixBlock(sums, v128.and(v128.load(key + o3), m3), k3);
    out = endVisit(subtable, table, mask, finishHash(sums), p, out);
  }
  return <u32>((out - list) >> 2);
}

function visit1(subtable: usize, list: usize, count: u32): u32 {
  return visit(subtable, list, count, 1);
}

function visit2(subtable: usize, list: usize, count: u32): u32 {
  return visit(subtable, list, count, 2);
}

function visit3(subtable: usize, list: usize, count: u32): u32 {
  return visit(subtable, list, count, 3);
}

function visit4(subtable: usize, list: usize, count: u32): u32 {
  return visit(subtable, list, count, 4);
}

function visitAny(subtable: usize, list: usize, count: u32): u32 {
  const table = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const end = list + ((<usize>count) << 2);
  let out = list;
  for (let at = list; at < end; at += 4) {
    const p = <usize>load<u32>(at);
    out = endVisit(subtable, table, mask, hashMasked(subtable, load<u32>(p, PACKET_KEY)), p, out);
  }
  return <u32>((out - list) >> 2);
}

/**
 * A visit to a table that the caches do not hold. Each step asks for the memory of all packets before the next step needs
 * it, so that their misses overlap. PACKET_FLOW holds the masked key's hash in between.
 */
function visitLarge(subtable: usize, list: usize, count: u32): u32 {
  const table = <usize>load<u32>(subtable, SUBTABLE_BUCKETS);
  const mask = load<u32>(subtable, SUBTABLE_BUCKET_MASK);
  const flows = flowsOf(table, mask);
  const end = list + ((<usize>count) << 2);
  for (let at = list; at < end; at += 4) {
    const p = <usize>load<u32>(at);
    const hash = hashMasked(subtable, load<u32>(p, PACKET_KEY));
    store<u32>(p, hash, PACKET_FLOW);
    load<u32>(table + ((<usize>(hash & mask)) << TAGS_SHIFT));
    load<u32>(flows + ((<usize>(hash & mask)) << FLOWS_SHIFT));
  }
  for (let at = list; at < end; at += 4) {
    const hash = load<u32>(<usize>load<u32>(at), PACKET_FLOW);
    const home = <usize>(hash & mask);
    const places = placesOf(table + (home << TAGS_SHIFT), hash);
    const flow = places != 0 ? <usize>load<u32>(flows + (home << FLOWS_SHIFT) + ((<usize>ctz(places)) << 2)) : 0;
    load<u32>(flow); // address 0 is readable
    load<u32>(flow, FLOW_SIZEOF);
  }
  let out = list;
  for (let at = list; at < end; at += 4) {
    const p = <usize>load<u32>(at);
    out = settle(subtable, load<u32>(p, PACKET_FLOW), p, out);
  }
  return <u32>((out - list) >> 2);
}

/** The visit without bursts or SIMD-friendly tests: what visitSubtable must agree with, packet by packet. */
export function findInSubtable(subtable: usize, key: usize): usize {
  return tableFind(subtable, hashMasked(subtable, key), key);
}
