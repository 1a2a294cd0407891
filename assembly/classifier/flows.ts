/**
 * Megaflows: put, find, delete.
 *
 * What. A megaflow is a mask, a masked key and an action list. All megaflows of one mask form a subtable; a subtable
 * lives as long as it has flows.
 *
 * Terms. *packed*: the blocks that the mask touches (its key map), one behind the other. *flow id*: index in the worker's
 * flow_index; ids are used anew. *generation*: number of the installation, different for each flow that ever had the id
 * (modulo 2^32).
 *
 * Invariants. Every flow in flow_index is in its subtable's table, holds one reference to its ActionList, and has
 * subtable ≠ 0; a Flow cell that is free has subtable 0. Megaflows that overlap have equal actions: the control side
 * sees to that, and lookups rely on it. Tables change between bursts only.
 *
 * Not supported: priorities (a datapath has none).
 */
import {
  COUNTER_FLOWS_DELETED,
  COUNTER_FLOWS_INSTALLED,
  COUNTER_FLOWS_REFUSED_MEMORY,
  COUNTER_FLOWS_REFUSED_SUBTABLES,
  COUNTER_FLOWS_REPLACED,
} from '../../src/gen/counters';
import {
  FLOW_ACTIONS,
  FLOW_BATCH,
  FLOW_BYTES,
  FLOW_COOKIE,
  FLOW_GENERATION,
  FLOW_HASH,
  FLOW_ID,
  FLOW_PACKETS,
  FLOW_PUT_REPLACE,
  FLOW_SIZEOF,
  FLOW_SUBTABLE,
  FLOW_TCP_FLAGS,
  FLOW_USED,
  STATUS_EXISTS,
  STATUS_NO_MEMORY,
  STATUS_NO_SUBTABLE,
  STATUS_OK,
  SUBTABLE_BLOCK_COUNT,
  SUBTABLE_FLOW_COUNT,
  SUBTABLE_HITS,
  SUBTABLE_KEY_MAP,
  SUBTABLE_MASKS,
  SUBTABLE_OFFSETS,
  SUBTABLE_SECRETS,
  WORKER_COUNTERS,
  WORKER_FLOW_COUNT,
  WORKER_FLOW_FREE,
  WORKER_FLOW_INDEX,
  WORKER_FLOW_MAX,
  WORKER_SUBTABLE_COUNT,
  WORKER_SUBTABLES,
} from '../../src/gen/layout';
import { SUBTABLES_MAX } from '../../src/gen/limits';
import { hashPacked, secret } from '../flow/hash';
import { allocFlow, allocSubtable, freeFlow, freeSubtable } from '../layout/arena';
import { counterAdd } from '../layout/worker';
import { internActions, releaseActions } from './action-lists';
import { createTable, destroyTable, ensureRoom, equalPacked, tableFindPacked, tableInsert, tableRemove } from './table';

/** Puts every flow id on the stack, the lowest on top. */
export function initFlows(w: usize): void {
  const flowMax = load<u32>(w, WORKER_FLOW_MAX);
  const stack = <usize>load<u32>(w, WORKER_FLOW_FREE);
  for (let i: u32 = 0; i < flowMax; i++) store<u32>(stack + ((<usize>i) << 2), flowMax - 1 - i);
}

/** The live flow of an id, 0 for none. */
export function flowById(w: usize, id: u32): usize {
  if (id >= load<u32>(w, WORKER_FLOW_MAX)) return 0;
  return <usize>load<u32>(<usize>load<u32>(w, WORKER_FLOW_INDEX) + ((<usize>id) << 2));
}

function findSubtable(w: usize, keyMap: u64, masks: usize): usize {
  const blocks = <u32>popcnt<u64>(keyMap);
  const list = <usize>load<u32>(w, WORKER_SUBTABLES);
  const end = list + ((<usize>load<u32>(w, WORKER_SUBTABLE_COUNT)) << 2);
  for (let at = list; at < end; at += 4) {
    const subtable = <usize>load<u32>(at);
    if (load<u64>(subtable, SUBTABLE_KEY_MAP) != keyMap) continue;
    if (equalPacked(subtable + SUBTABLE_MASKS, masks, blocks)) return subtable;
  }
  return 0;
}

/** A subtable for a mask, without flows, not yet in the list; 0 when the arena is full. */
function createSubtable(w: usize, keyMap: u64, masks: usize): usize {
  const subtable = allocSubtable(w);
  if (subtable == 0) return 0;
  if (!createTable(w, subtable)) {
    freeSubtable(w, subtable);
    return 0;
  }
  const blocks = <u32>popcnt<u64>(keyMap);
  store<u64>(subtable, keyMap, SUBTABLE_KEY_MAP);
  store<u32>(subtable, blocks, SUBTABLE_BLOCK_COUNT);
  store<u32>(subtable, 0, SUBTABLE_FLOW_COUNT);
  store<u64>(subtable, 0, SUBTABLE_HITS);
  let at = subtable;
  for (let rest = keyMap; rest != 0; rest &= rest - 1) {
    store<u16>(at, <u16>(ctz(rest) << 4), SUBTABLE_OFFSETS);
    at += 2;
  }
  memory.copy(subtable + SUBTABLE_MASKS, masks, blocks << 4);
  for (let i: u32 = 0; i < 4; i++) v128.store(subtable + ((<usize>i) << 4), secret(i), SUBTABLE_SECRETS);
  return subtable;
}

function destroySubtable(w: usize, subtable: usize): void {
  destroyTable(w, subtable);
  freeSubtable(w, subtable);
}

function linkSubtable(w: usize, subtable: usize): void {
  const count = load<u32>(w, WORKER_SUBTABLE_COUNT);
  store<u32>(<usize>load<u32>(w, WORKER_SUBTABLES) + ((<usize>count) << 2), <u32>subtable);
  store<u32>(w, count + 1, WORKER_SUBTABLE_COUNT);
}

function unlinkSubtable(w: usize, subtable: usize): void {
  const count = load<u32>(w, WORKER_SUBTABLE_COUNT);
  const list = <usize>load<u32>(w, WORKER_SUBTABLES);
  let at = list;
  while (<usize>load<u32>(at) != subtable) at += 4;
  const end = list + ((<usize>count) << 2);
  memory.copy(at, at + 4, end - at - 4);
  store<u32>(w, count - 1, WORKER_SUBTABLE_COUNT);
}

/**
 * Installs a megaflow, or replaces the actions of the one with the same key and mask (its statistics go on).
 *
 * @param keyMap blocks that the mask touches; none of them zero
 * @param masks popcnt(keyMap) blocks of the mask, followed by as many of the key, all of it within the mask
 * @param answer u32: flow id on STATUS_OK and STATUS_EXISTS
 * @returns STATUS_OK, EXISTS (without FLOW_PUT_REPLACE), NO_MEMORY or NO_SUBTABLE
 */
export function putFlow(
  w: usize,
  keyMap: u64,
  masks: usize,
  actions: usize,
  actionsSize: u32,
  cookie: u32,
  flags: u32,
  answer: usize,
): u32 {
  const blocks = <u32>popcnt<u64>(keyMap);
  const packed = masks + ((<usize>blocks) << 4);
  const hash = hashPacked(packed, blocks);
  const known = findSubtable(w, keyMap, masks);
  if (known != 0) {
    const flow = tableFindPacked(known, hash, packed, blocks);
    if (flow != 0) return replaceFlow(w, flow, actions, actionsSize, cookie, flags, answer);
  } else if (load<u32>(w, WORKER_SUBTABLE_COUNT) >= SUBTABLES_MAX) {
    counterAdd(w, COUNTER_FLOWS_REFUSED_SUBTABLES, 1);
    return STATUS_NO_SUBTABLE;
  }
  if (load<u32>(w, WORKER_FLOW_COUNT) >= load<u32>(w, WORKER_FLOW_MAX)) return refuse(w);
  const subtable = known != 0 ? known : createSubtable(w, keyMap, masks);
  if (subtable == 0) return refuse(w);
  const list = internActions(w, actions, actionsSize);
  const flow = list != 0 && ensureRoom(w, subtable) ? allocFlow(w, blocks) : 0;
  if (flow == 0) {
    if (list != 0) releaseActions(w, list);
    if (known == 0) destroySubtable(w, subtable);
    return refuse(w);
  }
  if (known == 0) linkSubtable(w, subtable);
  store<u32>(flow, hash, FLOW_HASH);
  store<u32>(flow, <u32>list, FLOW_ACTIONS);
  store<u32>(flow, cookie, FLOW_COOKIE);
  memory.copy(flow + FLOW_SIZEOF, packed, blocks << 4);
  enterFlow(w, subtable, flow, hash);
  store<u32>(answer, load<u32>(flow, FLOW_ID));
  return STATUS_OK;
}

function refuse(w: usize): u32 {
  counterAdd(w, COUNTER_FLOWS_REFUSED_MEMORY, 1);
  return STATUS_NO_MEMORY;
}

/** Gives a filled-in flow its id, generation and place. */
function enterFlow(w: usize, subtable: usize, flow: usize, hash: u32): void {
  counterAdd(w, COUNTER_FLOWS_INSTALLED, 1);
  const flows = load<u32>(w, WORKER_FLOW_COUNT);
  const top = load<u32>(w, WORKER_FLOW_MAX) - flows - 1;
  const id = load<u32>(<usize>load<u32>(w, WORKER_FLOW_FREE) + ((<usize>top) << 2));
  store<u32>(w, flows + 1, WORKER_FLOW_COUNT);
  store<u32>(<usize>load<u32>(w, WORKER_FLOW_INDEX) + ((<usize>id) << 2), <u32>flow);
  store<u32>(flow, id, FLOW_ID);
  store<u32>(flow, <u32>load<u64>(w + WORKER_COUNTERS + COUNTER_FLOWS_INSTALLED), FLOW_GENERATION);
  store<u64>(flow, 0, FLOW_PACKETS);
  store<u64>(flow, 0, FLOW_BYTES);
  store<f64>(flow, 0, FLOW_USED);
  store<u16>(flow, 0, FLOW_TCP_FLAGS);
  store<u32>(flow, 0, FLOW_BATCH);
  tableInsert(subtable, flow, hash);
  store<u32>(subtable, load<u32>(subtable, SUBTABLE_FLOW_COUNT) + 1, SUBTABLE_FLOW_COUNT);
  store<u32>(flow, <u32>subtable, FLOW_SUBTABLE);
}

function replaceFlow(
  w: usize,
  flow: usize,
  actions: usize,
  actionsSize: u32,
  cookie: u32,
  flags: u32,
  answer: usize,
): u32 {
  store<u32>(answer, load<u32>(flow, FLOW_ID));
  if ((flags & FLOW_PUT_REPLACE) == 0) return STATUS_EXISTS;
  const list = internActions(w, actions, actionsSize);
  if (list == 0) return refuse(w);
  releaseActions(w, load<u32>(flow, FLOW_ACTIONS));
  store<u32>(flow, <u32>list, FLOW_ACTIONS);
  store<u32>(flow, cookie, FLOW_COOKIE);
  counterAdd(w, COUNTER_FLOWS_REPLACED, 1);
  return STATUS_OK;
}

/** Removes a live flow, and its subtable with the last one. */
export function removeFlow(w: usize, flow: usize): void {
  const subtable = <usize>load<u32>(flow, FLOW_SUBTABLE);
  const id = load<u32>(flow, FLOW_ID);
  tableRemove(subtable, flow, load<u32>(flow, FLOW_HASH));
  store<u32>(flow, 0, FLOW_SUBTABLE);
  releaseActions(w, load<u32>(flow, FLOW_ACTIONS));
  freeFlow(w, flow, load<u32>(subtable, SUBTABLE_BLOCK_COUNT));
  store<u32>(<usize>load<u32>(w, WORKER_FLOW_INDEX) + ((<usize>id) << 2), 0);
  const flows = load<u32>(w, WORKER_FLOW_COUNT) - 1;
  store<u32>(w, flows, WORKER_FLOW_COUNT);
  const top = load<u32>(w, WORKER_FLOW_MAX) - flows - 1;
  store<u32>(<usize>load<u32>(w, WORKER_FLOW_FREE) + ((<usize>top) << 2), id);
  counterAdd(w, COUNTER_FLOWS_DELETED, 1);

  const left = load<u32>(subtable, SUBTABLE_FLOW_COUNT) - 1;
  store<u32>(subtable, left, SUBTABLE_FLOW_COUNT);
  if (left != 0) return;
  unlinkSubtable(w, subtable);
  destroySubtable(w, subtable);
}

/** Removes every flow. */
export function flushFlows(w: usize): void {
  const flowMax = load<u32>(w, WORKER_FLOW_MAX);
  for (let id: u32 = 0; id < flowMax && load<u32>(w, WORKER_FLOW_COUNT) != 0; id++) {
    const flow = flowById(w, id);
    if (flow != 0) removeFlow(w, flow);
  }
}
