/**
 * The pipeline: frames from a port's rx ring to tx rings, upcalls or drops.
 *
 * A burst goes through three passes: parse and hash every frame; look every key up, in the exact-match cache and then in
 * the megaflows; group by megaflow and run each one's actions once over its group. Each pass is a short loop over one kind
 * of work, which keeps its code and tables warm. Recirculation takes a group through the same three passes at once, depth
 * first.
 *
 * Invariants. Packets of one megaflow keep their order. Every Packet that enters processList has left when it returns:
 * sent, held by an upcall, or dropped with a reason. A megaflow's statistics are credited once a group, before its actions
 * run. FLOW_BATCH is zero outside of one call of groupByFlow, so nested passes do not see each other's groups.
 */
import {
  COUNTER_BURSTS,
  COUNTER_CACHE_HITS,
  COUNTER_MEGAFLOW_HITS,
  COUNTER_MISSES,
  COUNTER_RECIRCULATED_PACKETS,
  COUNTER_RX_PACKETS,
  COUNTER_SUBTABLES_VISITED,
  DROP_ACTION_DEPTH,
  DROP_EXPLICIT,
  DROP_RECIRC_DEPTH,
  DROP_RX_NO_PORT,
} from '../src/gen/counters';
import {
  ACTION_LIST_SIZE,
  ACTION_LIST_SIZEOF,
  FLOW_ACTIONS,
  FLOW_BATCH,
  FLOW_BYTES,
  FLOW_PACKETS,
  FLOW_TCP_FLAGS,
  FLOW_USED,
  NONE_U32,
  PACKET_DEPTH,
  PACKET_FLOW,
  PACKET_NEXT,
  PACKET_SIZE,
  PACKET_TCP_FLAGS,
  PORT_NUMBER,
  PORT_RX_BYTES,
  PORT_RX_CONSUMER,
  PORT_RX_ENTRIES,
  PORT_RX_MASK,
  PORT_RX_PACKETS,
  PORT_RX_PRODUCER,
  PORT_STATE,
  PORT_STATE_PRESENT,
  PORT_STATE_UP,
  PORT_UMEM_BASE,
  PORT_WORKER,
  UPCALL_MISS,
  WORKER_COUNTERS,
  WORKER_INDEX,
  WORKER_NOW,
} from '../src/gen/layout';
import { BURST_MAX, RECIRC_DEPTH_MAX } from '../src/gen/limits';
import { dropList } from './action/frame';
import { enterLists, leaveLists, runList } from './action/index';
import { cacheInsert, cacheLookup } from './cache/exact-match';
import { isCacheAsked, noteWorth } from './cache/worth';
import { classify } from './classifier/lookup';
import { allocPacket, dropPacket, initPacket } from './layout/packets';
import { queueAt } from './layout/ports';
import { drainComp, ourIndex, refillFill, refuseDescriptor, setIndex, theirIndex } from './layout/rings';
import { upcallPacket } from './layout/upcalls';
import {
  chunkSizeOf,
  counterAdd,
  framesOf,
  framesSizeOf,
  listGet,
  listMark,
  listRelease,
  listReserve,
  listSet,
  scratchReserve,
} from './layout/worker';
import { parsePacket } from './packet/parse';

/** A group of the act pass: one megaflow's packets, chained by PACKET_NEXT. */
const GROUP_FLOW: usize = 0;
const GROUP_HEAD: usize = 4;
const GROUP_TAIL: usize = 8;
const GROUP_COUNT: usize = 12;
const GROUP_BYTES: usize = 16;
const GROUP_TCP_FLAGS: usize = 24;
const GROUP_SIZEOF: u32 = 32;

/** Takes at most `budget` frames from the port at a place, in bursts, through the passes. Returns how many. */
export function processPort(w: usize, place: u32, budget: u32): u32 {
  const port = queueAt(w, place);
  if (port == 0 || (load<u32>(port, PORT_STATE) & PORT_STATE_PRESENT) == 0) return 0;
  if (load<u32>(port, PORT_WORKER) != load<u32>(w, WORKER_INDEX)) return 0;
  drainComp(w, port);
  let taken: u32 = 0;
  while (taken < budget) {
    const count = receiveBurst(w, port, min(budget - taken, BURST_MAX));
    if (count == 0) break;
    taken += count;
  }
  refillFill(w, port);
  return taken;
}

/** One burst of at most `limit` descriptors; returns how many were taken off the ring. */
function receiveBurst(w: usize, port: usize, limit: u32): u32 {
  const consumer = ourIndex(port, PORT_RX_CONSUMER);
  const waiting = min(theirIndex(port, PORT_RX_PRODUCER) - consumer, limit);
  if (waiting == 0) return 0;
  const mark = listMark(w);
  const list = listReserve(w, waiting);
  if (list == 0) return 0;
  let taken: u32 = 0;
  let count: u32 = 0;
  let bytes: u64 = 0;
  const frames = framesOf(w);
  const framesSize = <usize>framesSizeOf(w);
  const chunkSize = chunkSizeOf(w);
  const base = <usize>load<u32>(port, PORT_UMEM_BASE) - frames;
  const entries = <usize>load<u32>(port, PORT_RX_ENTRIES);
  const mask = load<u32>(port, PORT_RX_MASK);
  const number = load<u32>(port, PORT_NUMBER);
  for (; taken < waiting; taken++) {
    const entry = entries + ((<usize>((consumer + taken) & mask)) << 4);
    const p = allocPacket(w);
    if (p == 0) break; // the rest waits on the ring
    const size = load<u32>(entry, 8);
    const within = base + <usize>load<u32>(entry); // the frames
    const room = chunkSize - (<u32>within & (chunkSize - 1));
    bytes += <u64>size;
    // one branch for both: the device's descriptors are right
    if (u32(within >= framesSize) | u32(size > room)) {
      refuseDescriptor(w, port, p, frames + within);
      continue;
    }
    const data = frames + within;
    load<u32>(data); // starts the way of the frame's first line into the cache
    initPacket(p, data, size, data + <usize>room - <usize>chunkSize, number);
    listSet(list, count++, p);
  }
  setIndex(port, PORT_RX_CONSUMER, consumer + taken);
  store<u64>(port, load<u64>(port, PORT_RX_PACKETS) + <u64>taken, PORT_RX_PACKETS);
  store<u64>(port, load<u64>(port, PORT_RX_BYTES) + bytes, PORT_RX_BYTES);
  counterAdd(w, COUNTER_RX_PACKETS, <u64>taken);
  counterAdd(w, COUNTER_BURSTS, 1);
  if ((load<u32>(port, PORT_STATE) & PORT_STATE_UP) == 0) dropReceived(w, list, count);
  else if (count != 0) processList(w, list, count);
  listRelease(w, mark);
  return taken;
}

/** The frames of a port that is down end here. */
function dropReceived(w: usize, list: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) dropPacket(w, listGet(list, i), DROP_RX_NO_PORT);
}

/** The three passes over a list of packets, which they overwrite. Consumes every packet. */
export function processList(w: usize, list: usize, count: u32): void {
  const mark = listMark(w);
  const missed = listReserve(w, count);
  const unknown = listReserve(w, count);
  const groups = scratchReserve(w, count * GROUP_SIZEOF);
  if (missed == 0 || unknown == 0 || groups == 0) {
    for (let i: u32 = 0; i < count; i++) dropPacket(w, listGet(list, i), DROP_ACTION_DEPTH);
  } else {
    const parsed = parsePass(w, list, count);
    lookupPass(w, list, parsed, missed, unknown);
    actPass(w, list, parsed, groups);
  }
  listRelease(w, mark);
}

/** First pass: keys and hashes. Returns how many packets are left, at the list's front. */
function parsePass(w: usize, list: usize, count: u32): u32 {
  let out = list;
  const end = list + ((<usize>count) << 2);
  for (let at = list; at < end; at += 4) {
    const p = <usize>load<u32>(at);
    const reason = parsePacket(w, p);
    if (reason != 0) {
      dropPacket(w, p, reason);
      continue;
    }
    store<u32>(out, <u32>p);
    out += 4;
  }
  return <u32>((out - list) >> 2);
}

/** Second pass: PACKET_FLOW of each, 0 for a miss. `missed` and `unknown` are scratch lists. */
function lookupPass(w: usize, list: usize, count: u32, missed: usize, unknown: usize): void {
  if (!isCacheAsked(w)) {
    for (let i: u32 = 0; i < count; i++) store<u32>(listGet(list, i), 0, PACKET_FLOW);
    classifyCopy(w, list, unknown, count);
    return;
  }
  const left = cacheLookup(w, list, count, missed);
  counterAdd(w, COUNTER_CACHE_HITS, <u64>(count - left));
  const visits = left != 0 ? classifyCopy(w, missed, unknown, left) : 0;
  const inserted = left != 0 ? cacheInsert(w, missed, left) : 0;
  noteWorth(w, count, count - left, visits, inserted);
}

/** Looks a list up in the megaflows and leaves it as it is. Returns how many subtables were visited. */
function classifyCopy(w: usize, list: usize, copy: usize, count: u32): u32 {
  // a call to memory.copy would cost more than most bursts' loop
  for (let at: usize = 0; at < (<usize>count) << 2; at += 4) store<u32>(copy + at, load<u32>(list + at));
  const before = load<u64>(w + WORKER_COUNTERS + COUNTER_SUBTABLES_VISITED);
  const misses = classify(w, copy, count);
  counterAdd(w, COUNTER_MEGAFLOW_HITS, <u64>(count - misses));
  counterAdd(w, COUNTER_MISSES, <u64>misses);
  return <u32>(load<u64>(w + WORKER_COUNTERS + COUNTER_SUBTABLES_VISITED) - before);
}

/** Third pass: upcalls for the misses, actions for the rest. */
function actPass(w: usize, list: usize, count: u32, groups: usize): void {
  const end = groups + <usize>(groupByFlow(w, list, count, groups) * GROUP_SIZEOF);
  for (let group = groups; group < end; group += <usize>GROUP_SIZEOF) creditGroup(w, group);
  const isDeep = !enterLists(w);
  for (let group = groups; group < end; group += <usize>GROUP_SIZEOF) {
    const size = load<u32>(group, GROUP_COUNT);
    let p = <usize>load<u32>(group, GROUP_HEAD);
    for (let i: u32 = 0; i < size; i++) {
      listSet(list, i, p);
      p = <usize>load<u32>(p, PACKET_NEXT);
    }
    const actions = <usize>load<u32>(<usize>load<u32>(group, GROUP_FLOW), FLOW_ACTIONS);
    const listSize = load<u32>(actions, ACTION_LIST_SIZE);
    if (isDeep) dropList(w, list, size, DROP_ACTION_DEPTH);
    else runList(w, list, size, actions + ACTION_LIST_SIZEOF, listSize, DROP_EXPLICIT);
  }
  if (!isDeep) leaveLists(w);
}

/** Chains the packets of each megaflow, in their order; misses go up. Returns how many groups there are. */
function groupByFlow(w: usize, list: usize, count: u32, groups: usize): u32 {
  let groupCount: u32 = 0;
  const end = list + ((<usize>count) << 2);
  for (let at = list; at < end; at += 4) {
    const p = <usize>load<u32>(at);
    const flow = <usize>load<u32>(p, PACKET_FLOW);
    if (flow == 0) {
      upcallPacket(w, p, UPCALL_MISS, 0, NONE_U32, 0, 0);
      continue;
    }
    const number = load<u32>(flow, FLOW_BATCH);
    if (number == 0) {
      const fresh = groups + <usize>(groupCount * GROUP_SIZEOF);
      store<u32>(flow, ++groupCount, FLOW_BATCH);
      store<u32>(fresh, <u32>flow, GROUP_FLOW);
      store<u32>(fresh, <u32>p, GROUP_HEAD);
      store<u32>(fresh, <u32>p, GROUP_TAIL);
      store<u32>(fresh, 1, GROUP_COUNT);
      store<u64>(fresh, <u64>load<u32>(p, PACKET_SIZE), GROUP_BYTES);
      store<u32>(fresh, <u32>load<u16>(p, PACKET_TCP_FLAGS), GROUP_TCP_FLAGS);
      continue;
    }
    const group = groups + <usize>((number - 1) * GROUP_SIZEOF);
    store<u32>(<usize>load<u32>(group, GROUP_TAIL), <u32>p, PACKET_NEXT);
    store<u32>(group, <u32>p, GROUP_TAIL);
    store<u32>(group, load<u32>(group, GROUP_COUNT) + 1, GROUP_COUNT);
    store<u64>(group, load<u64>(group, GROUP_BYTES) + <u64>load<u32>(p, PACKET_SIZE), GROUP_BYTES);
    store<u32>(group, load<u32>(group, GROUP_TCP_FLAGS) | <u32>load<u16>(p, PACKET_TCP_FLAGS), GROUP_TCP_FLAGS);
  }
  return groupCount;
}

/** Adds a group to its megaflow's statistics and takes the mark off. */
// @inline
function creditGroup(w: usize, group: usize): void {
  const flow = <usize>load<u32>(group, GROUP_FLOW);
  store<u32>(flow, 0, FLOW_BATCH);
  load<u32>(<usize>load<u32>(flow, FLOW_ACTIONS)); // on its way into the cache
  creditFlow(w, flow, load<u32>(group, GROUP_COUNT), load<u64>(group, GROUP_BYTES), load<u32>(group, GROUP_TCP_FLAGS));
}

/** Adds packets to a megaflow's statistics. */
// @inline
export function creditFlow(w: usize, flow: usize, packets: u32, bytes: u64, tcpFlags: u32): void {
  store<u64>(flow, load<u64>(flow, FLOW_PACKETS) + <u64>packets, FLOW_PACKETS);
  store<u64>(flow, load<u64>(flow, FLOW_BYTES) + bytes, FLOW_BYTES);
  store<f64>(flow, load<f64>(w, WORKER_NOW), FLOW_USED);
  store<u16>(flow, <u16>(<u32>load<u16>(flow, FLOW_TCP_FLAGS) | tcpFlags), FLOW_TCP_FLAGS);
}

/**
 * Takes packets through the passes once more, as the recirc action wants: the caller has set recirc_id and metadata.
 * Consumes every packet; those that went round too often are dropped (recirc_depth).
 */
export function recirculate(w: usize, list: usize, count: u32): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const depth = <u32>load<u16>(p, PACKET_DEPTH) + 1;
    if (depth > RECIRC_DEPTH_MAX) {
      dropPacket(w, p, DROP_RECIRC_DEPTH);
      continue;
    }
    store<u16>(p, <u16>depth, PACKET_DEPTH);
    listSet(list, kept++, p);
  }
  counterAdd(w, COUNTER_RECIRCULATED_PACKETS, <u64>kept);
  if (kept != 0) processList(w, list, kept);
}
