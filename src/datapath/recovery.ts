/**
 * What is left when a worker's thread dies in the middle of something, and how its worker begins anew.
 *
 * Everything that other threads see of a worker lies on rings, where it is published whole: that stays. What the worker
 * had in hand is found by exclusion: a chunk that is on no ring, on no other worker's free stack, held by no upcall and in
 * no device's hands was the dead worker's, and becomes free. Its frames are counted as worker_lost. Its tables are built
 * anew and empty: misses fill them. Counters go on, and with them the generations of flows: ids of lost flows stay dead.
 *
 * The other workers must stand still meanwhile. Devices that a kernel works at the other end of go on: the chunks that they
 * hold are those that they took last off their fill and tx rings, in order, as AF_XDP in copy mode does. While a device is
 * open that keeps no order, only what lies on the dead worker's free stack is surely free; the rest waits (strays.ts).
 */
import * as C from '../gen/counters.ts';
import * as L from '../gen/layout.ts';
import { DROP } from '../gen/tables.ts';
import { type AuditInput, ChunkMap, seeAll, seeHeld } from './audit.ts';
import { type PortEntry, portAddress } from './ports.ts';
import { frameBalance } from './stats.ts';
import { keepOrder } from './strays.ts';
import type { Views } from './views.ts';
import { type WorkerHost, type WorkerOptions, writeWorker } from './worker.ts';

export interface RecoveryInput extends AuditInput {
  /** Index of the worker that died. */
  readonly index: number;
  /** The ports whose devices died with it; the other ports, of all workers, are in `ports`. */
  readonly deadPorts: readonly PortEntry[];
  readonly options: WorkerOptions;
}

/** Parts of the Worker block that outlive the worker: counters, drops, and the upcalls that the control side has in hand. */
const KEPT_WORDS = [L.WORKER_UPCALL_PRODUCER, L.WORKER_UPCALL_CONSUMER, L.WORKER_CONTROL_PRODUCER];
const KEPT_BYTES = [
  [L.WORKER_COUNTERS, 512],
  [L.WORKER_DROPS, 512],
] as const;

/** Brings the worker back to rest, with empty tables. Returns how many frames it had in hand. */
export function recoverWorker(input: RecoveryInput): number {
  const { views, plan, index, workers, ports, deadPorts } = input;
  const { host } = workers[index]!;
  for (const port of deadPorts) countUnread(views, host, portAddress(plan, port.place), port);
  for (const port of ports) if (port.worker === index) unwriteTx(views, portAddress(plan, port.place));
  for (let to = 0; to < workers.length; to++) {
    const at = plan.handOvers.start + (index * workers.length + to) * L.HAND_OVER_SIZEOF;
    views.setU32(at + L.HAND_OVER_FRAMES_RESERVED, views.getU32(at + L.HAND_OVER_FRAMES_PRODUCER));
  }
  const map = new ChunkMap(plan);
  const held = seeAll(map, input, index);
  ports.forEach((port, i) => {
    seeHeld(map, views, port, held[i]!);
  });
  const unseen = map.unseen();
  rebuild(input, host, keepOrder(ports) ? unseen : onStack(views, host, unseen));
  const lost = workers.reduce((sum, worker) => {
    const balance = frameBalance(worker.host);
    return sum + balance.in - balance.out;
  }, 0);
  const frames = lost - map.counts.held - map.counts.handed;
  const counter = host.w + L.WORKER_DROPS + 8 * DROP.worker_lost;
  if (frames > 0) views.setU64(counter, views.getU64(counter) + frames);
  return frames;
}

/** Frames that a dead device had brought and nobody had read: received, and lost. */
function countUnread(views: Views, host: WorkerHost, at: number, { places: { rx } }: PortEntry): void {
  const count = (views.getU32(rx.producer) - views.getU32(rx.consumer)) >>> 0;
  for (const counter of [host.w + L.WORKER_COUNTERS + C.COUNTER_RX_PACKETS, at + L.PORT_RX_PACKETS])
    views.setU64(counter, views.getU64(counter) + count);
}

/** Descriptors that were written and not published were never sent. */
function unwriteTx(views: Views, at: number): void {
  views.setU32(at + L.PORT_TX_RESERVED, views.getU32(views.getU32(at + L.PORT_TX_PRODUCER)));
  views.setU32(at + L.PORT_DIRTY, 0);
  views.setU32(at + L.PORT_DIRTY_NEXT, 0);
}

/** Those of the chunks that lie on the worker's free stack. */
function onStack(views: Views, { w, plan }: WorkerHost, chunks: readonly number[]): number[] {
  const count = Math.min(views.getU32(w + L.WORKER_FREE_COUNT), plan.freeChunks.size / 4);
  const start = plan.freeChunks.start >>> 2;
  const stack = new Set(views.u32.subarray(start, start + count));
  return chunks.filter((chunk) => stack.has(chunk));
}

function rebuild({ views, plan, options }: RecoveryInput, host: WorkerHost, free: readonly number[]): void {
  const { w } = host;
  const words = KEPT_WORDS.map((field) => views.getU32(w + field));
  const bytes = KEPT_BYTES.map(([field, size]) => views.bytes(w + field, size).slice());
  const { worker, packets, keys, lists, cache, subtables, flowIndex, flowFree, arena } = host.plan;
  for (const { start, size } of [worker, packets, keys, lists, cache, subtables, flowIndex, flowFree, arena])
    views.u8.fill(0, start, start + size);
  writeWorker(views, plan, host.plan, options);
  KEPT_WORDS.forEach((field, i) => {
    views.setU32(w + field, words[i]!);
  });
  KEPT_BYTES.forEach(([field], i) => {
    views.u8.set(bytes[i]!, w + field);
  });
  // what was asked of it and not done yet is not done any more: it may be what it died of
  views.setU32(w + L.WORKER_CONTROL_CONSUMER, views.getU32(w + L.WORKER_CONTROL_PRODUCER));
  free.forEach((chunk, i) => {
    views.setU32(host.plan.freeChunks.start + 4 * i, chunk);
  });
  views.setU32(w + L.WORKER_FREE_COUNT, free.length);
  host.init();
}
