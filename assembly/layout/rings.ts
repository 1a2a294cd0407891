/**
 * A port's four rings, from the worker's end: what AF_XDP calls fill, rx, tx and completion.
 *
 * Invariants. Each ring has one producer and one consumer; indices run freely and are masked on use. An index that the
 * device writes is read with an atomic load before the entries it covers; an index that we write is stored atomically
 * after them. Frames under way by tx (tx_reserved - comp consumer) never exceed the entries of the ring, so the device
 * always finds room on the comp ring.
 */
import { COUNTER_RX_PACKETS, DROP_RX_NO_PORT, DROP_RX_OVERSIZE } from '../../src/gen/counters';
import {
  PORT_COMP_CONSUMER,
  PORT_COMP_ENTRIES,
  PORT_COMP_MASK,
  PORT_COMP_PRODUCER,
  PORT_FILL_CONSUMER,
  PORT_FILL_ENTRIES,
  PORT_FILL_MASK,
  PORT_FILL_PRODUCER,
  PORT_FILL_TARGET,
  PORT_RX_CONSUMER,
  PORT_RX_DROPPED,
  PORT_RX_ENTRIES,
  PORT_RX_MASK,
  PORT_RX_PACKETS,
  PORT_RX_PRODUCER,
  PORT_STATE,
  PORT_TX_CONSUMER,
  PORT_TX_ENTRIES,
  PORT_TX_MASK,
  PORT_TX_PRODUCER,
  PORT_UMEM_BASE,
  WORKER_FREE_CHUNKS,
  WORKER_FREE_COUNT,
} from '../../src/gen/layout';
import { releaseSlot } from './packets';
import { chunkOf, chunkSizeOf, countDrop, counterAdd, framesOf, framesSizeOf, giveChunk } from './worker';

/** Reads an index that the other end writes. */
// @inline
export function theirIndex(port: usize, field: usize): u32 {
  return atomic.load<u32>(<usize>load<u32>(port + field));
}

/** Reads an index that we write. */
// @inline
export function ourIndex(port: usize, field: usize): u32 {
  return load<u32>(<usize>load<u32>(port + field));
}

// @inline
export function setIndex(port: usize, field: usize, value: u32): void {
  atomic.store<u32>(<usize>load<u32>(port + field), value);
}

/**
 * Takes the chunks at the entries from..to of a ring of addresses onto the free stack. `shift` is log2 of an entry's
 * bytes. Returns how many were chunks: an address outside the frames is the device's fault and is left out.
 */
function reclaim(w: usize, port: usize, entries: usize, mask: u32, from: u32, to: u32, shift: usize): u32 {
  const frames = framesOf(w);
  const framesSize = <usize>framesSizeOf(w);
  const chunkMask = ~(<usize>(chunkSizeOf(w) - 1));
  const base = <usize>load<u32>(port, PORT_UMEM_BASE) - frames;
  const first = load<u32>(w, WORKER_FREE_COUNT);
  const free = <usize>load<u32>(w, WORKER_FREE_CHUNKS) + ((<usize>first) << 2);
  let at = free;
  for (let i = from; i != to; i++) {
    const within = base + <usize>load<u32>(entries + ((<usize>(i & mask)) << shift));
    if (within >= framesSize) continue;
    store<u32>(at, <u32>(frames + (within & chunkMask)));
    at += 4;
  }
  const count = <u32>((at - free) >> 2);
  store<u32>(w, first + count, WORKER_FREE_COUNT);
  return count;
}

/** Sent chunks come home. */
export function drainComp(w: usize, port: usize): void {
  const from = ourIndex(port, PORT_COMP_CONSUMER);
  const to = theirIndex(port, PORT_COMP_PRODUCER);
  if (from == to) return;
  reclaim(w, port, load<u32>(port, PORT_COMP_ENTRIES), load<u32>(port, PORT_COMP_MASK), from, to, 3);
  setIndex(port, PORT_COMP_CONSUMER, to);
}

/** Brings the fill ring up to fill_target free chunks, as far as the free stack goes. */
export function refillFill(w: usize, port: usize): void {
  let producer = ourIndex(port, PORT_FILL_PRODUCER);
  const mask = load<u32>(port, PORT_FILL_MASK);
  const used = producer - theirIndex(port, PORT_FILL_CONSUMER);
  const target = min(load<u32>(port, PORT_FILL_TARGET), mask + 1);
  if (used >= target) return;
  const count = min(target - used, load<u32>(w, WORKER_FREE_COUNT));
  if (count == 0) return;
  const entries = <usize>load<u32>(port, PORT_FILL_ENTRIES);
  const base = load<u32>(port, PORT_UMEM_BASE);
  const free = load<u32>(w, WORKER_FREE_COUNT) - count;
  store<u32>(w, free, WORKER_FREE_COUNT);
  const first = <usize>load<u32>(w, WORKER_FREE_CHUNKS) + ((<usize>free) << 2);
  // from the top of the stack: those that were in use last
  for (let at = first + ((<usize>count) << 2); at > first; ) {
    at -= 4;
    store<u64>(entries + ((<usize>(producer & mask)) << 3), <u64>(load<u32>(at) - base));
    producer++;
  }
  setIndex(port, PORT_FILL_PRODUCER, producer);
}

/** Counts a descriptor that cannot become a Packet; the slot goes home, and so does the chunk of `address`, if any. */
export function refuseDescriptor(w: usize, port: usize, p: usize, address: usize): void {
  releaseSlot(w, p);
  const chunk = chunkOf(w, address);
  if (chunk != 0) giveChunk(w, chunk);
  countDrop(w, DROP_RX_OVERSIZE);
  countRxDrop(port);
}

// @inline
function countRxDrop(port: usize): void {
  store<u64>(port, load<u64>(port, PORT_RX_DROPPED) + 1, PORT_RX_DROPPED);
}

/**
 * Takes every chunk off the four rings of a port whose device has let go, and sets its state to 0. Frames that wait on
 * the rx ring are counted as received and dropped (rx_no_port). Returns chunks taken.
 */
export function drainRings(w: usize, port: usize): u32 {
  const rxFrom = ourIndex(port, PORT_RX_CONSUMER);
  const rxTo = theirIndex(port, PORT_RX_PRODUCER);
  let count = reclaim(w, port, load<u32>(port, PORT_RX_ENTRIES), load<u32>(port, PORT_RX_MASK), rxFrom, rxTo, 4);
  setIndex(port, PORT_RX_CONSUMER, rxTo);
  for (let i = rxFrom; i != rxTo; i++) {
    countDrop(w, DROP_RX_NO_PORT);
    countRxDrop(port);
  }
  counterAdd(w, COUNTER_RX_PACKETS, <u64>(rxTo - rxFrom));
  store<u64>(port, load<u64>(port, PORT_RX_PACKETS) + <u64>(rxTo - rxFrom), PORT_RX_PACKETS);

  const fillFrom = theirIndex(port, PORT_FILL_CONSUMER);
  const fillTo = ourIndex(port, PORT_FILL_PRODUCER);
  const fillEntries = <usize>load<u32>(port, PORT_FILL_ENTRIES);
  count += reclaim(w, port, fillEntries, load<u32>(port, PORT_FILL_MASK), fillFrom, fillTo, 3);
  setIndex(port, PORT_FILL_CONSUMER, fillTo);

  const txFrom = theirIndex(port, PORT_TX_CONSUMER);
  const txTo = ourIndex(port, PORT_TX_PRODUCER);
  count += reclaim(w, port, load<u32>(port, PORT_TX_ENTRIES), load<u32>(port, PORT_TX_MASK), txFrom, txTo, 4);
  setIndex(port, PORT_TX_CONSUMER, txTo);

  const compFrom = ourIndex(port, PORT_COMP_CONSUMER);
  const compTo = theirIndex(port, PORT_COMP_PRODUCER);
  const compEntries = <usize>load<u32>(port, PORT_COMP_ENTRIES);
  count += reclaim(w, port, compEntries, load<u32>(port, PORT_COMP_MASK), compFrom, compTo, 3);
  setIndex(port, PORT_COMP_CONSUMER, compTo);
  store<u32>(port, 0, PORT_STATE);
  return count;
}
