/**
 * Ports: transmit, publish, and the list of ports that were written to.
 *
 * Terms. *dirty*: written to since the host last flushed the port. Descriptors are written at tx_reserved and become the
 * device's when publishPorts stores the producer index, once a burst. *place*: index in the port table. A port lies at its
 * number; its queues after the first lie behind all ports, each a Port with rings and an owner of its own.
 */
import {
  COUNTER_TX_PACKETS,
  DROP_OUTPUT_DOWN,
  DROP_OUTPUT_MTU,
  DROP_OUTPUT_NO_PORT,
  DROP_OUTPUT_RING_FULL,
} from '../../src/gen/counters';
import {
  PACKET_CUT_SIZE,
  PACKET_DATA,
  PACKET_SIZE,
  PORT_COMP_CONSUMER,
  PORT_DIRTY,
  PORT_DIRTY_NEXT,
  PORT_MTU,
  PORT_QUEUE_OF,
  PORT_QUEUES,
  PORT_SIZEOF,
  PORT_STATE,
  PORT_STATE_PRESENT,
  PORT_STATE_UP,
  PORT_TX_BYTES,
  PORT_TX_ENTRIES,
  PORT_TX_MASK,
  PORT_TX_PACKETS,
  PORT_TX_PRODUCER,
  PORT_TX_RESERVED,
  PORT_UMEM_BASE,
  PORT_WORKER,
  SWITCH_PORTS,
  WORKER_DIRTY_PORTS,
  WORKER_INDEX,
  WORKER_SWITCH,
} from '../../src/gen/layout';
import { FURTHER_QUEUES_MAX, PORTS_MAX } from '../../src/gen/limits';
import { handOver, publishHandOvers } from './hand-over';
import { releaseSlot } from './packets';
import { exceedsMtu, refuse } from './refuse';
import { drainComp, drainRings, ourIndex, setIndex } from './rings';
import { counterAdd, listGet } from './worker';

/** The Port of a number; 0 when the number is out of range. */
// @inline
export function portAt(w: usize, port: u32): usize {
  if (port >= PORTS_MAX) return 0;
  return <usize>load<u32>(<usize>load<u32>(w, WORKER_SWITCH), SWITCH_PORTS) + <usize>port * PORT_SIZEOF;
}

/** The Port at a place; 0 when the place is out of range. */
// @inline
export function queueAt(w: usize, place: u32): usize {
  if (place >= PORTS_MAX + FURTHER_QUEUES_MAX) return 0;
  return <usize>load<u32>(<usize>load<u32>(w, WORKER_SWITCH), SWITCH_PORTS) + <usize>place * PORT_SIZEOF;
}

// @inline
function placeOf(w: usize, port: usize): u32 {
  return <u32>((port - queueAt(w, 0)) / PORT_SIZEOF);
}

/** The queue of a port that this worker sends by: its own when it has one, else another worker's. */
function queueFor(w: usize, port: usize): usize {
  const queue = <usize>load<u8>(port + <usize>load<u32>(w, WORKER_INDEX), PORT_QUEUE_OF);
  return queue == 0 ? port : <usize>load<u32>(port, PORT_QUEUES) + (queue - 1) * PORT_SIZEOF;
}

/** Whether the port is up and ours: whoever owns the port is the one producer of its tx ring. */
// @inline
function isOpen(w: usize, port: usize): bool {
  const open = PORT_STATE_PRESENT | PORT_STATE_UP;
  return (load<u32>(port, PORT_STATE) & open) == open && load<u32>(port, PORT_WORKER) == load<u32>(w, WORKER_INDEX);
}

/**
 * Frames for a port whose first queue is not ours go to the one that is, or to another worker; for one that is not there (0)
 * or down, nowhere. Consumes all.
 */
function divert(w: usize, list: usize, count: u32, number: u32, first: usize): void {
  const port = first == 0 ? first : queueFor(w, first);
  if (port != first && isOpen(w, port)) {
    transmit(w, list, count, placeOf(w, port));
    return;
  }
  const state = port == 0 ? 0 : load<u32>(port, PORT_STATE);
  if (state == <u32>(PORT_STATE_PRESENT | PORT_STATE_UP)) {
    handOver(w, list, count, number, port);
    return;
  }
  const reason = (state & PORT_STATE_PRESENT) == 0 ? DROP_OUTPUT_NO_PORT : DROP_OUTPUT_DOWN;
  for (let i: u32 = 0; i < count; i++) refuse(w, listGet(list, i), port, reason);
}

/** Entries of the tx ring that are free; asks the comp ring for more when there are fewer than `wanted`. */
// @inline
function roomFor(w: usize, port: usize, reserved: u32, wanted: u32): u32 {
  const entries = load<u32>(port, PORT_TX_MASK) + 1;
  const room = entries - (reserved - ourIndex(port, PORT_COMP_CONSUMER));
  if (room >= wanted) return room;
  drainComp(w, port);
  return entries - (reserved - ourIndex(port, PORT_COMP_CONSUMER));
}

/**
 * Sends frames by a port, each cut to its cut_size: descriptors on the tx ring, or drops with their reason. Consumes all.
 * What is the same for all of them is looked up once.
 * @param number of the port; or the place of one of our queues
 */
export function transmit(w: usize, list: usize, count: u32, number: u32): void {
  const port = queueAt(w, number);
  if (port == 0 || !isOpen(w, port)) {
    divert(w, list, count, number, port);
    return;
  }
  const mtu = load<u32>(port, PORT_MTU);
  const mask = load<u32>(port, PORT_TX_MASK);
  const entries = <usize>load<u32>(port, PORT_TX_ENTRIES);
  const base = load<u32>(port, PORT_UMEM_BASE);
  const first = load<u32>(port, PORT_TX_RESERVED);
  const full = first + roomFor(w, port, first, count);
  const end = list + ((<usize>count) << 2);
  let at = first;
  let bytes: u64 = 0;
  for (let next = list; next < end; next += 4) {
    const p = <usize>load<u32>(next);
    const size = min<u32>(load<u32>(p, PACKET_SIZE), load<u32>(p, PACKET_CUT_SIZE));
    if (size > mtu && exceedsMtu(p, size, mtu)) {
      refuse(w, p, port, DROP_OUTPUT_MTU);
      continue;
    }
    if (at == full) {
      refuse(w, p, port, DROP_OUTPUT_RING_FULL);
      continue;
    }
    const entry = entries + ((<usize>(at & mask)) << 4);
    store<u64>(entry, <u64>(load<u32>(p, PACKET_DATA) - base));
    store<u64>(entry, <u64>size, 8); // options 0 with it
    bytes += <u64>size;
    at++;
    releaseSlot(w, p);
  }
  store<u32>(port, at, PORT_TX_RESERVED);
  store<u64>(port, load<u64>(port, PORT_TX_BYTES) + bytes, PORT_TX_BYTES);
  if (at != first && load<u32>(port, PORT_DIRTY) == 0) linkDirty(w, port);
}

function linkDirty(w: usize, port: usize): void {
  store<u32>(port, 1, PORT_DIRTY);
  store<u32>(port, load<u32>(w, WORKER_DIRTY_PORTS), PORT_DIRTY_NEXT);
  store<u32>(w, placeOf(w, port) + 1, WORKER_DIRTY_PORTS);
}

/** Hands what was written to the devices, one producer index a dirty port, and counts it. */
export function publishPorts(w: usize): void {
  let sent: u64 = 0;
  let next = load<u32>(w, WORKER_DIRTY_PORTS);
  while (next != 0) {
    const port = queueAt(w, next - 1);
    sent += <u64>publishPort(port);
    drainComp(w, port);
    next = load<u32>(port, PORT_DIRTY_NEXT);
  }
  if (sent != 0) counterAdd(w, COUNTER_TX_PACKETS, sent);
  publishHandOvers(w);
}

/** Returns how many frames were handed over. */
function publishPort(port: usize): u32 {
  const from = ourIndex(port, PORT_TX_PRODUCER);
  const to = load<u32>(port, PORT_TX_RESERVED);
  if (from == to) return 0;
  store<u64>(port, load<u64>(port, PORT_TX_PACKETS) + <u64>(to - from), PORT_TX_PACKETS);
  setIndex(port, PORT_TX_PRODUCER, to);
  return to - from;
}

/** The place of a port that waits for a flush, + 1; 0 when none does. */
export function popDirtyPort(w: usize): u32 {
  const first = load<u32>(w, WORKER_DIRTY_PORTS);
  if (first == 0) return 0;
  const port = queueAt(w, first - 1);
  store<u32>(port, 0, PORT_DIRTY);
  store<u32>(w, load<u32>(port, PORT_DIRTY_NEXT), WORKER_DIRTY_PORTS);
  return first;
}

/** Takes a port out of service: see drainRings. Returns chunks taken. */
export function removePort(w: usize, place: u32): u32 {
  const port = queueAt(w, place);
  if (port == 0 || load<u32>(port, PORT_STATE) == 0) return 0;
  unlinkDirty(w, place, port);
  return drainRings(w, port);
}

function unlinkDirty(w: usize, place: u32, port: usize): void {
  if (load<u32>(port, PORT_DIRTY) == 0) return;
  let at = w + WORKER_DIRTY_PORTS;
  while (load<u32>(at) != place + 1) at = queueAt(w, load<u32>(at) - 1) + PORT_DIRTY_NEXT;
  store<u32>(at, load<u32>(port, PORT_DIRTY_NEXT));
  store<u32>(port, 0, PORT_DIRTY);
}
