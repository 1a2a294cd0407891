/**
 * Interned action lists: flows that do the same share one list.
 *
 * A chained hash table of fixed size, made by initActionLists. Lists are compared byte by byte, counted by reference, and
 * given back to the arena with their last flow.
 */
import {
  ACTION_LIST_HASH,
  ACTION_LIST_NEXT,
  ACTION_LIST_REFERENCES,
  ACTION_LIST_SIZE,
  ACTION_LIST_SIZEOF,
  WORKER_ACTION_MASK,
  WORKER_ACTION_TABLE,
  WORKER_FLOW_MAX,
} from '../../src/gen/layout';
import { allocList, allocRegion, freeList } from '../layout/arena';

const HEADS_LOG2_MIN: u32 = 6;
const HEADS_LOG2_MAX: u32 = 18;
const HEAD_SIZE_LOG2: u32 = 2;
const PRIME: u64 = (0x9fb21c65 << 32) | 0x1e98df25;

/** Makes the table, a head for every four flows. False when the arena has no room for it. */
export function initActionLists(w: usize): bool {
  const wanted = 32 - <u32>clz(load<u32>(w, WORKER_FLOW_MAX) >> 2);
  const log2 = min(max(wanted, HEADS_LOG2_MIN), HEADS_LOG2_MAX);
  const table = allocRegion(w, log2 + HEAD_SIZE_LOG2);
  store<u32>(w, <u32>table, WORKER_ACTION_TABLE);
  store<u32>(w, ((<u32>1) << log2) - 1, WORKER_ACTION_MASK);
  return table != 0;
}

/** @param size a multiple of four */
function hashBytes(at: usize, size: u32): u32 {
  let h: u64 = <u64>size + 1;
  for (let i: u32 = 0; i < size; i += 4) {
    h = (h ^ <u64>load<u32>(at + <usize>i)) * PRIME;
    h ^= h >> 32;
  }
  return <u32>(h ^ (h >> 17));
}

/** @param size a multiple of four */
function equalBytes(a: usize, b: usize, size: u32): bool {
  for (let i: usize = 0; i < <usize>size; i += 4) {
    if (load<u32>(a + i) != load<u32>(b + i)) return false;
  }
  return true;
}

// @inline
function headOf(w: usize, hash: u32): usize {
  return <usize>load<u32>(w, WORKER_ACTION_TABLE) + ((<usize>(hash & load<u32>(w, WORKER_ACTION_MASK))) << 2);
}

/** One more reference to the ActionList with these bytes; 0 when it is new and the arena is full. */
export function internActions(w: usize, actions: usize, size: u32): usize {
  const hash = hashBytes(actions, size);
  const head = headOf(w, hash);
  for (let list = <usize>load<u32>(head); list != 0; list = <usize>load<u32>(list, ACTION_LIST_NEXT)) {
    if (load<u32>(list, ACTION_LIST_HASH) != hash || load<u32>(list, ACTION_LIST_SIZE) != size) continue;
    if (!equalBytes(list + ACTION_LIST_SIZEOF, actions, size)) continue;
    store<u32>(list, load<u32>(list, ACTION_LIST_REFERENCES) + 1, ACTION_LIST_REFERENCES);
    return list;
  }
  const list = allocList(w, <u32>ACTION_LIST_SIZEOF + size);
  if (list == 0) return 0;
  store<u32>(list, size, ACTION_LIST_SIZE);
  store<u32>(list, 1, ACTION_LIST_REFERENCES);
  store<u32>(list, hash, ACTION_LIST_HASH);
  store<u32>(list, load<u32>(head), ACTION_LIST_NEXT);
  store<u32>(head, <u32>list);
  memory.copy(list + ACTION_LIST_SIZEOF, actions, size);
  return list;
}

/** One reference less; the last one frees the list. */
export function releaseActions(w: usize, list: usize): void {
  const references = load<u32>(list, ACTION_LIST_REFERENCES) - 1;
  store<u32>(list, references, ACTION_LIST_REFERENCES);
  if (references != 0) return;
  let at = headOf(w, load<u32>(list, ACTION_LIST_HASH));
  while (<usize>load<u32>(at) != list) at = <usize>load<u32>(at) + ACTION_LIST_NEXT;
  store<u32>(at, load<u32>(list, ACTION_LIST_NEXT));
  freeList(w, list, <u32>ACTION_LIST_SIZEOF + load<u32>(list, ACTION_LIST_SIZE));
}
