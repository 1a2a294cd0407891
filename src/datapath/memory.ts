/**
 * Where everything lies in a datapath's linear memory: a pure function from sizes to addresses.
 *
 * The order is: Switch, port table, what workers share, one block of regions a worker, ring space, frames. Every region starts on a cache
 * line at least; the ring space and the frames start on a page, so that a kernel can map its rings over the one and
 * register the other as a UMEM. Nothing is ever moved: the memory is made in its full size and does not grow.
 */

import {
  HAND_OVER_SIZEOF,
  KEY_SIZE,
  METER_SIZEOF,
  PACKET_SIZEOF,
  PORT_SIZEOF,
  SWITCH_BASE,
  SWITCH_SIZEOF,
  THREAD_SIZEOF,
  UPCALL_SLOT_SIZEOF,
  WORKER_SIZEOF,
} from '../gen/layout.ts';
import {
  BURST_MAX,
  CONTROL_RING_SIZE,
  FURTHER_QUEUES_MAX,
  HEADROOM,
  METERS_MAX,
  PORTS_MAX,
  SUBTABLES_MAX,
  UPCALL_SLOTS,
  WORKERS_MAX,
} from '../gen/limits.ts';
import { fail, ok, type Result } from '../lib/result.ts';

/** Bytes of a WebAssembly page: the unit of memory sizes, and a multiple of every host's page. */
export const WASM_PAGE_SIZE = 65536;
/** What ring space is handed out in: the smallest page of the hosts that we know. */
export const RING_PAGE_SIZE = 4096;
/** Bytes of a cache line, or a pair that is fetched together. */
const LINE = 128;
/** A flow's id is its number at its worker and the worker's index above it. */
export const FLOW_ID_BITS = 24;
/** WebAssembly's 32-bit addresses end here. */
const MEMORY_SIZE_MAX = 65536 * WASM_PAGE_SIZE;

export interface MemorySizes {
  readonly workerCount: number;
  /** Chunks, shared out evenly between the workers. */
  readonly framesCount: number;
  /** Bytes of a chunk, a power of two from 2048 to 65536. */
  readonly chunkSize: number;
  /** Megaflows of one worker, at the most. */
  readonly flowMax: number;
  /** Bytes of one worker's arena: subtables, megaflows and their actions. */
  readonly arenaSize: number;
  /** Entries of one worker's exact-match cache, a power of two ≥ 8. */
  readonly cacheEntries: number;
  /** Packets of one worker that can be on their way at once. */
  readonly packetSlots: number;
  /** Bytes of ring space for the ports of all workers. */
  readonly ringSpaceSize: number;
}

export const memorySizesDefault: MemorySizes = {
  workerCount: 1,
  framesCount: 4096,
  chunkSize: 2048,
  flowMax: 65536,
  arenaSize: 32 << 20,
  cacheEntries: 32768,
  packetSlots: 1024,
  ringSpaceSize: 4 << 20,
};

export interface Region {
  readonly name: string;
  readonly start: number;
  /** Bytes. */
  readonly size: number;
}

export interface WorkerPlan {
  readonly index: number;
  /** The Worker struct: first argument of every call. */
  readonly worker: Region;
  readonly packets: Region;
  readonly packetSlots: number;
  readonly keys: Region;
  readonly lists: Region;
  readonly freeChunks: Region;
  /** First of the chunks that the worker starts with, and how many they are. */
  readonly chunkFirst: number;
  readonly chunkCount: number;
  readonly cache: Region;
  readonly cacheBuckets: number;
  readonly subtables: Region;
  readonly flowIndex: Region;
  readonly flowFree: Region;
  readonly flowMax: number;
  readonly upcallSlots: Region;
  readonly control: Region;
  /** The same for all. */
  readonly meters: Region;
  readonly arena: Region;
}

export interface MemoryPlan {
  readonly sizes: MemorySizes;
  readonly switch: Region;
  readonly ports: Region;
  readonly meters: Region;
  /** HandOver structs, one an ordered pair of workers. */
  readonly handOvers: Region;
  /** Thread structs, one a worker, and the control side's behind them. */
  readonly threads: Region;
  readonly workers: readonly WorkerPlan[];
  readonly ringSpace: Region;
  readonly frames: Region;
  /** All regions in order of address. */
  readonly regions: readonly Region[];
  /** Bytes in all, a multiple of WASM_PAGE_SIZE. */
  readonly size: number;
  readonly pages: number;
}

/** Bytes of an exact-match cache entry: { u32 signature, u32 flow }; eight make a bucket. */
const CACHE_ENTRY_SIZE = 8;
const CACHE_BUCKET_ENTRIES = 8;

/** The arena holds at least the table of action lists, some subtables and their flows. */
const ARENA_SIZE_MIN = 1 << 20;

/** Lists of packets: a burst, its groups and their copies, for every level of recirculation and nested actions. */
const LISTS_SIZE = 65536;

const isPowerOfTwo = (value: number): boolean => Number.isInteger(value) && value > 0 && Math.log2(value) % 1 === 0;

function checkSizes(sizes: MemorySizes): string | null {
  for (const [name, value] of Object.entries(sizes))
    if (!Number.isInteger(value) || value < 1) return `${name} must be a whole number above 0, not ${value}`;
  if (!isPowerOfTwo(sizes.chunkSize) || sizes.chunkSize < 2048 || sizes.chunkSize > 65536)
    return `chunkSize must be a power of two from 2048 to 65536, not ${sizes.chunkSize}`;
  if (!isPowerOfTwo(sizes.cacheEntries) || sizes.cacheEntries < CACHE_BUCKET_ENTRIES)
    return `cacheEntries must be a power of two of at least ${CACHE_BUCKET_ENTRIES}, not ${sizes.cacheEntries}`;
  if (sizes.workerCount > WORKERS_MAX) return `workerCount must be at most ${WORKERS_MAX}, not ${sizes.workerCount}`;
  if (sizes.flowMax > 1 << FLOW_ID_BITS) return `flowMax must be at most ${1 << FLOW_ID_BITS}, not ${sizes.flowMax}`;
  if (sizes.packetSlots < 4 * BURST_MAX) return `packetSlots must be at least ${4 * BURST_MAX}`;
  if (sizes.framesCount < sizes.workerCount * BURST_MAX) return `framesCount must be at least ${BURST_MAX} a worker`;
  if (sizes.arenaSize < ARENA_SIZE_MIN) return `arenaSize must be at least ${ARENA_SIZE_MIN} bytes`;
  return null;
}

class Layout {
  readonly regions: Region[] = [];
  #next: number;

  constructor(start: number) {
    this.#next = start;
  }

  get end(): number {
    return this.#next;
  }

  place(name: string, size: number, align = LINE): Region {
    const start = Math.ceil(this.#next / align) * align;
    const region = { name, start, size };
    this.regions.push(region);
    this.#next = start + size;
    return region;
  }
}

function placeWorker(layout: Layout, sizes: MemorySizes, meters: Region, index: number): WorkerPlan {
  const place = (name: string, size: number, align?: number): Region =>
    layout.place(`worker ${index} ${name}`, size, align);
  const share = Math.floor(sizes.framesCount / sizes.workerCount);
  const chunkFirst = index * share;
  const isLast = index === sizes.workerCount - 1;
  return {
    index,
    worker: place('block', WORKER_SIZEOF, WORKER_SIZEOF),
    packets: place('packets', sizes.packetSlots * PACKET_SIZEOF),
    packetSlots: sizes.packetSlots,
    keys: place('keys', sizes.packetSlots * KEY_SIZE),
    lists: place('lists', LISTS_SIZE),
    // every chunk of the datapath can come home to one worker
    freeChunks: place('free chunks', sizes.framesCount * 4),
    chunkFirst,
    chunkCount: isLast ? sizes.framesCount - chunkFirst : share,
    cache: place('cache', sizes.cacheEntries * CACHE_ENTRY_SIZE),
    cacheBuckets: sizes.cacheEntries / CACHE_BUCKET_ENTRIES,
    subtables: place('subtables', SUBTABLES_MAX * 4),
    flowIndex: place('flow index', sizes.flowMax * 4),
    flowFree: place('free flow ids', sizes.flowMax * 4),
    flowMax: sizes.flowMax,
    upcallSlots: place('upcall slots', UPCALL_SLOTS * UPCALL_SLOT_SIZEOF),
    control: place('control ring', CONTROL_RING_SIZE),
    meters,
    arena: place('arena', sizes.arenaSize),
  };
}

/** Lays out the memory, or says which size is wrong. */
export function planMemory(wanted: Partial<MemorySizes> = {}): Result<MemoryPlan> {
  const sizes = { ...memorySizesDefault, ...wanted };
  const wrong = checkSizes(sizes);
  if (wrong) return fail(wrong);
  const layout = new Layout(SWITCH_BASE);
  const switchRegion = layout.place('switch', SWITCH_SIZEOF, 64);
  const ports = layout.place('ports', (PORTS_MAX + FURTHER_QUEUES_MAX) * PORT_SIZEOF, 256);
  const { workerCount } = sizes;
  const meters = layout.place('meters', METERS_MAX * METER_SIZEOF);
  const handOvers = layout.place('hand-overs', workerCount * workerCount * HAND_OVER_SIZEOF);
  const threads = layout.place('threads', (workerCount + 1) * THREAD_SIZEOF);
  const workers = Array.from({ length: workerCount }, (_, index) => placeWorker(layout, sizes, meters, index));
  const ringSpaceSize = Math.ceil(sizes.ringSpaceSize / RING_PAGE_SIZE) * RING_PAGE_SIZE;
  const ringSpace = layout.place('ring space', ringSpaceSize, WASM_PAGE_SIZE);
  const frames = layout.place('frames', sizes.framesCount * sizes.chunkSize, WASM_PAGE_SIZE);
  const pages = Math.ceil(layout.end / WASM_PAGE_SIZE);
  const size = pages * WASM_PAGE_SIZE;
  if (size > MEMORY_SIZE_MAX) return fail(`${size} bytes are more than the ${MEMORY_SIZE_MAX} of a 32-bit memory`);
  const { regions } = layout;
  const shared = { switch: switchRegion, ports, meters, handOvers, threads };
  return ok({ sizes, ...shared, workers, ringSpace, frames, regions, size, pages });
}

/** Bytes that a frame may have on arrival. */
export const frameSizeMax = (plan: MemoryPlan): number => plan.sizes.chunkSize - HEADROOM;
