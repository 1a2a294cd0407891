/**
 * Hand-over: frames for a port that another worker owns.
 *
 * What. For each ordered pair of workers there is a ring of frames, and a ring of free chunks in the other direction. Who
 * takes a frame off the one puts a free chunk of its own on the other: a chunk for a chunk, so that each worker has as many
 * as it began with, whichever way traffic runs. A worker that has none to give owes it until it has.
 *
 * Terms. *home*: the ring of chunks back. *handed*: written and not published yet; publishing is once a burst.
 *
 * Invariants. Each ring has one producer and one consumer; nobody waits for anybody. Frames under way and chunks that are
 * owed for them are at most HAND_OVER_ENTRIES together, so home never overflows; one frame more is dropped as
 * hand_over_full. Frames of one flow keep their order, as one worker sends them and one ring brings them.
 */
import { COUNTER_HANDED_OVER, DROP_HAND_OVER_FULL, DROP_OUTPUT_MTU, DROP_OUTPUT_NO_PORT } from '../../src/gen/counters';
import {
  HAND_OVER_FRAMES,
  HAND_OVER_FRAMES_PRODUCER,
  HAND_OVER_FRAMES_RESERVED,
  HAND_OVER_HOME,
  HAND_OVER_HOME_CONSUMER,
  HAND_OVER_HOME_PRODUCER,
  HAND_OVER_SIZEOF,
  PACKET_CUT_SIZE,
  PACKET_DATA,
  PACKET_SIZE,
  PORT_MTU,
  PORT_WORKER,
  SWITCH_HAND_OVERS,
  SWITCH_WORKER_COUNT,
  WORKER_HANDED,
  WORKER_INDEX,
  WORKER_RUNG,
  WORKER_SWITCH,
} from '../../src/gen/layout';
import { HAND_OVER_ENTRIES } from '../../src/gen/limits';
import { releaseSlot } from './packets';
import { exceedsMtu, refuse } from './refuse';
import { counterAdd, giveChunk, listGet } from './worker';

export const ENTRY_MASK: u32 = HAND_OVER_ENTRIES - 1;

// @inline
export function workerCount(w: usize): u32 {
  return load<u32>(<usize>load<u32>(w, WORKER_SWITCH), SWITCH_WORKER_COUNT);
}

// @inline
export function handOverAt(w: usize, from: u32, to: u32): usize {
  const table = <usize>load<u32>(<usize>load<u32>(w, WORKER_SWITCH), SWITCH_HAND_OVERS);
  return table + <usize>(from * workerCount(w) + to) * HAND_OVER_SIZEOF;
}

/** Hands frames to the owner of a port that is up, each cut to its cut_size. Consumes all. */
export function handOver(w: usize, list: usize, count: u32, number: u32, port: usize): void {
  const to = load<u32>(port, PORT_WORKER);
  if (to >= workerCount(w)) {
    for (let i: u32 = 0; i < count; i++) refuse(w, listGet(list, i), port, DROP_OUTPUT_NO_PORT);
    return;
  }
  const ring = handOverAt(w, load<u32>(w, WORKER_INDEX), to);
  takeHome(w, ring);
  const mtu = load<u32>(port, PORT_MTU);
  const first = load<u32>(ring, HAND_OVER_FRAMES_RESERVED);
  const full = load<u32>(ring, HAND_OVER_HOME_CONSUMER) + HAND_OVER_ENTRIES;
  let at = first;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const size = min<u32>(load<u32>(p, PACKET_SIZE), load<u32>(p, PACKET_CUT_SIZE));
    if (size > mtu && exceedsMtu(p, size, mtu)) {
      refuse(w, p, port, DROP_OUTPUT_MTU);
      continue;
    }
    if (at == full) {
      refuse(w, p, port, DROP_HAND_OVER_FULL);
      continue;
    }
    const entry = ring + HAND_OVER_FRAMES + ((<usize>(at & ENTRY_MASK)) << 4);
    store<u32>(entry, load<u32>(p, PACKET_DATA));
    store<u32>(entry, size, 4);
    store<u32>(entry, number, 8);
    at++;
    releaseSlot(w, p);
  }
  if (at == first) return;
  counterAdd(w, COUNTER_HANDED_OVER, <u64>(at - first));
  store<u32>(ring, at, HAND_OVER_FRAMES_RESERVED);
  store<u32>(w, load<u32>(w, WORKER_HANDED) | ((<u32>1) << to), WORKER_HANDED);
}

/** Shows the other workers what was handed to them since. */
export function publishHandOvers(w: usize): void {
  let handed = load<u32>(w, WORKER_HANDED);
  if (handed == 0) return;
  const from = load<u32>(w, WORKER_INDEX);
  store<u32>(w, load<u32>(w, WORKER_RUNG) | handed, WORKER_RUNG);
  store<u32>(w, 0, WORKER_HANDED);
  for (; handed != 0; handed &= handed - 1) {
    const ring = handOverAt(w, from, <u32>ctz(handed));
    atomic.store<u32>(ring, load<u32>(ring, HAND_OVER_FRAMES_RESERVED), HAND_OVER_FRAMES_PRODUCER);
  }
}

/** Workers that frames were published for since the last call: bit n is worker n. */
export function popRungWorkers(w: usize): u32 {
  const rung = load<u32>(w, WORKER_RUNG);
  store<u32>(w, 0, WORKER_RUNG);
  return rung;
}

/** Chunks of ours, or such that stand for them, come home. */
export function takeHome(w: usize, ring: usize): void {
  const from = load<u32>(ring, HAND_OVER_HOME_CONSUMER);
  const to = atomic.load<u32>(ring, HAND_OVER_HOME_PRODUCER);
  if (from == to) return;
  for (let i = from; i != to; i++)
    giveChunk(w, <usize>load<u32>(ring + HAND_OVER_HOME + ((<usize>(i & ENTRY_MASK)) << 2)));
  atomic.store<u32>(ring, to, HAND_OVER_HOME_CONSUMER);
}
