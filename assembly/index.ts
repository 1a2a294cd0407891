/**
 * What the host may call, and how it must have laid out the memory before.
 *
 * Memory. The host makes one WebAssembly.Memory, lays everything out (src/spec/layout.ts), and instantiates the module
 * with `{ env: { memory } }`. Fresh memory is zero; whatever is reused must be zeroed by the host. Before `init(w)`:
 *
 *   Switch at SWITCH_BASE: magic, version, ports (64-aligned), frames (4096-aligned), frames_count,
 *   chunk_size, worker_count, memory_size.
 *
 *   Worker at any multiple of 4096. All its pointers are absolute addresses; regions are 64-aligned and zeroed:
 *     index, flags, switch, random (≠ 0)
 *     packets      packet_slots × PACKET_SIZEOF     packet_slots: at least 4 × BURST_MAX; 512 is good
 *     keys         packet_slots × KEY_SIZE
 *     lists        lists_size bytes                 65536 is good
 *     free_chunks  free_max × 4                     free_max: all chunks of the switch
 *     cache        (cache_mask + 1) × 64            cache_mask + 1: buckets of 8 entries, a power of two; 4096 is good
 *     arena        arena_end - arena bytes          128 to 192 bytes a megaflow and 16 to 32 for its table entry
 *     subtables    SUBTABLES_MAX × 4
 *     flow_index   flow_max × 4
 *     flow_free    flow_max × 4
 *     upcall_slots UPCALL_SLOTS × UPCALL_SLOT_SIZEOF
 *     control      CONTROL_RING_SIZE bytes          16-aligned
 *     meters       METERS_MAX × METER_SIZEOF
 *   cache_insert_inverse: a full bucket of the cache gives an entry up for one in so many new ones (0: the default).
 *   free_count chunks lie on the free stack: the host writes the absolute addresses of chunks into free_chunks[0 …
 *   free_count - 1]. Ring indices (upcall_*, control_*) are zero. init builds the free lists; it leaves free_count alone.
 *
 *   Port: the host fills in every ring (addresses of indices and entries, mask), umem_base (descriptor address +
 *   umem_base = absolute address; 0 in a plain memory backend), fill_target (≤ entries of the fill ring), mtu, worker,
 *   number, and last state = PRESENT | UP. tx_reserved and dirty start at 0 (tx_reserved: the tx producer's value).
 *   The tx and comp rings of a port have the same number of entries. A port of several queues is several Ports: the first
 *   lies at the port's number, the others in a row behind PORTS_MAX, where the first one's `queues` points; its queue_of
 *   tells each worker the one to send by.
 *
 * Functions. `w` is the Worker's address, `now` microseconds. One thread at a time calls in with a given `w`.
 *
 *   init(w): u32                       0, 1 when the regions do not fit together, 2 when the Switch was laid out by
 *                                      another version of src/spec than this module was built from
 *   process(w, place, budget, now): u32 drains control, moves at most `budget` frames of a queue, which is named by its place
 *                                      in the port table: a port's number, or more; returns frames taken
 *   control(w, now): u32               carries out the waiting control records; returns how many; publishes tx as well
 *   popDirty(w): u32                   place of a queue that was written to since it was popped last, + 1; 0: none: flush it.
 *                                      Call until 0 after process and control
 *   takeFromWorkers(w, now): u32       frames that other workers handed over for our ports, at most a burst of each;
 *                                      returns how many
 *   popRung(w): u32                    workers that were handed frames since the last call: bit n is worker n
 *   drainPort(w, place): u32           after the device let go: takes every chunk off the port's four rings, counts
 *                                      unread frames as rx_no_port, sets state to 0; returns chunks. Ports are removed so
 *   cacheFlush(w): void                forgets the exact-match cache (flows stay)
 *
 * Upcalls. Slots from upcall_consumer to upcall_producer (free-running u32, masked by UPCALL_SLOTS - 1) are the host's to
 * read; it advances upcall_consumer when it needs the slot no more. The chunk in a slot belongs to the host until an
 * EXECUTE or RELEASE record names it. EXECUTE with INLINE brings a frame of the host's own and needs no chunk.
 *
 * Control. Records lie at control + (control_producer & (CONTROL_RING_SIZE - 1)); a record that would wrap is preceded by
 * a CONTROL_PAD record that fills the rest. The host advances control_producer behind the record. The worker answers
 * status and result in place and advances control_consumer: the host reads answers before it reuses the bytes. For
 * FLOW_PUT, result is the flow id (also with STATUS_EXISTS: that of the flow in the way); flow_index[id] points to the
 * Flow, whose generation FLOW_DELETE wants. Dumps read flow_index; statistics are read from the Flow, Subtable gives
 * the mask: offsets[i], masks[i] and the Flow's packed key, block_count of each.
 *
 * Workers. Each has an instance of its own over the same memory, and a thread of its own if it likes. The Switch's
 * hand_overs are zeroed and there for every pair. What workers share beside the rings between them: the port table, of
 * which each writes its own ports (tx_dropped: all, atomically), and the meters, which take atomic steps.
 *
 * Not supported: more than one thread in one Worker.
 */

import {
  LAYOUT_VERSION,
  SWITCH_VERSION,
  WORKER_ARENA,
  WORKER_ARENA_END,
  WORKER_CACHE,
  WORKER_CACHE_MASK,
  WORKER_CACHE_RANDOM,
  WORKER_FREE_COUNT,
  WORKER_FREE_MAX,
  WORKER_NOW,
  WORKER_PACKET_SLOTS,
  WORKER_SWITCH,
} from '../src/gen/layout';
import { cacheClear } from './cache/exact-match';
import { initActionLists } from './classifier/action-lists';
import { initFlows } from './classifier/flows';
import { drainControl } from './control';
import { initArena } from './layout/arena';
import { popRungWorkers } from './layout/hand-over';
import { initPackets } from './layout/packets';
import { popDirtyPort, publishPorts, removePort } from './layout/ports';
import { takeFromWorkers as takeFrames } from './layout/take-over';
import { processPort } from './pipeline';

export function init(w: usize): u32 {
  const cacheBuckets = load<u32>(w, WORKER_CACHE_MASK) + 1;
  const switchAt = <usize>load<u32>(w, WORKER_SWITCH);
  if (switchAt == 0 || load<u32>(w, WORKER_PACKET_SLOTS) == 0) return 1;
  if (load<u32>(switchAt, SWITCH_VERSION) != LAYOUT_VERSION) return 2;
  if (load<u32>(w, WORKER_CACHE) == 0 || (cacheBuckets & (cacheBuckets - 1)) != 0) return 1;
  if (load<u32>(w, WORKER_ARENA) >= load<u32>(w, WORKER_ARENA_END)) return 1;
  if (load<u32>(w, WORKER_FREE_COUNT) > load<u32>(w, WORKER_FREE_MAX)) return 1;
  store<u32>(w, 1, WORKER_CACHE_RANDOM);
  initPackets(w);
  initArena(w);
  initFlows(w);
  return initActionLists(w) ? 0 : 1;
}

export function process(w: usize, place: u32, budget: u32, now: f64): u32 {
  store<f64>(w, now, WORKER_NOW);
  drainControl(w);
  const taken = processPort(w, place, budget);
  publishPorts(w);
  return taken;
}

export function control(w: usize, now: f64): u32 {
  store<f64>(w, now, WORKER_NOW);
  const count = drainControl(w);
  publishPorts(w);
  return count;
}

export function popDirty(w: usize): u32 {
  return popDirtyPort(w);
}

export function takeFromWorkers(w: usize, now: f64): u32 {
  store<f64>(w, now, WORKER_NOW);
  const taken = takeFrames(w);
  publishPorts(w);
  return taken;
}

export function popRung(w: usize): u32 {
  return popRungWorkers(w);
}

export function drainPort(w: usize, place: u32): u32 {
  return removePort(w, place);
}

export function cacheFlush(w: usize): void {
  cacheClear(w);
}
