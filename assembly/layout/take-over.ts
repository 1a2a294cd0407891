/** Hand-over, the taking end: frames that other workers want sent by our ports. See hand-over.ts. */
import { COUNTER_TAKEN_OVER } from '../../src/gen/counters';
import {
  HAND_OVER_FRAMES,
  HAND_OVER_FRAMES_CONSUMER,
  HAND_OVER_FRAMES_PRODUCER,
  HAND_OVER_HOME,
  HAND_OVER_HOME_PRODUCER,
  PACKET_IN_PORT,
  WORKER_FREE_CHUNKS,
  WORKER_FREE_COUNT,
  WORKER_INDEX,
} from '../../src/gen/layout';
import { BURST_MAX } from '../../src/gen/limits';
import { ENTRY_MASK, handOverAt, takeHome, workerCount } from './hand-over';
import { allocPacket, initPacket } from './packets';
import { transmit } from './ports';
import { chunkOf, counterAdd, listGet, listMark, listRelease, listReserve, listSet } from './worker';

/** Gives a free chunk for each frame that was taken, as far as the free stack goes. */
function payHome(w: usize, ring: usize): void {
  const producer = load<u32>(ring, HAND_OVER_HOME_PRODUCER);
  const free = load<u32>(w, WORKER_FREE_COUNT);
  const count = min(load<u32>(ring, HAND_OVER_FRAMES_CONSUMER) - producer, free);
  if (count == 0) return;
  const stack = <usize>load<u32>(w, WORKER_FREE_CHUNKS) + ((<usize>(free - count)) << 2);
  store<u32>(w, free - count, WORKER_FREE_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const home = ring + HAND_OVER_HOME + ((<usize>((producer + i) & ENTRY_MASK)) << 2);
    store<u32>(home, load<u32>(stack + ((<usize>i) << 2)));
  }
  atomic.store<u32>(ring, producer + count, HAND_OVER_HOME_PRODUCER);
}

/** One turn over all other workers: chunks come home, and of each at most a burst of frames goes on. Returns frames. */
export function takeFromWorkers(w: usize): u32 {
  const count = workerCount(w);
  const self = load<u32>(w, WORKER_INDEX);
  let taken: u32 = 0;
  for (let other: u32 = 0; other < count; other++) {
    if (other == self) continue;
    takeHome(w, handOverAt(w, self, other));
    const ring = handOverAt(w, other, self);
    taken += takeFrames(w, ring);
    payHome(w, ring);
  }
  return taken;
}

/** At most a burst of one worker's frames. Returns how many. */
function takeFrames(w: usize, ring: usize): u32 {
  const consumer = load<u32>(ring, HAND_OVER_FRAMES_CONSUMER);
  const waiting = min<u32>(atomic.load<u32>(ring, HAND_OVER_FRAMES_PRODUCER) - consumer, BURST_MAX);
  if (waiting == 0) return 0;
  const mark = listMark(w);
  const list = listReserve(w, waiting);
  if (list == 0) return 0;
  let taken: u32 = 0;
  for (; taken < waiting; taken++) {
    const p = allocPacket(w);
    if (p == 0) break; // the rest waits on the ring
    const entry = ring + HAND_OVER_FRAMES + ((<usize>((consumer + taken) & ENTRY_MASK)) << 4);
    const data = <usize>load<u32>(entry);
    // in_port carries the port that it leaves by
    initPacket(p, data, load<u32>(entry, 4), chunkOf(w, data), load<u32>(entry, 8));
    listSet(list, taken, p);
  }
  atomic.store<u32>(ring, consumer + taken, HAND_OVER_FRAMES_CONSUMER);
  counterAdd(w, COUNTER_TAKEN_OVER, <u64>taken);
  sendRuns(w, list, taken);
  listRelease(w, mark);
  return taken;
}

/** Sends frames by their ports, those behind each other for one port together. */
function sendRuns(w: usize, list: usize, count: u32): void {
  let first: u32 = 0;
  while (first < count) {
    const number = load<u32>(listGet(list, first), PACKET_IN_PORT);
    let end = first + 1;
    while (end < count && load<u32>(listGet(list, end), PACKET_IN_PORT) == number) end++;
    transmit(w, list + ((<usize>first) << 2), end - first, number);
    first = end;
  }
}
