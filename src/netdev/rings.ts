/**
 * The device's end of a port's four rings, in TypeScript: the twin of what the kernel does for AF_XDP.
 * One object a port; nothing is allocated for a frame.
 *
 * Not supported: a memory that grows, as its views would have to be made anew: asking for memory.buffer costs more than
 * the rest of deliver(). The datapath's memory has its full size from the start.
 */
import { HEADROOM } from '../gen/limits.ts';

/** Where a ring lies in linear memory (byte addresses). */
export interface RingPlace {
  readonly producer: number;
  readonly consumer: number;
  readonly entries: number;
  /** Number of entries, a power of two, minus one. */
  readonly mask: number;
}

export interface PortRingPlaces {
  readonly rx: RingPlace;
  readonly tx: RingPlace;
  readonly fill: RingPlace;
  readonly comp: RingPlace;
  /** What descriptor addresses are relative to. */
  readonly umemBase: number;
  readonly chunkSize: number;
}

/** Where a kernel that maps a ring of its own wants indices and entries, in bytes from the start of a page. */
export interface RingOffsets {
  readonly producer: number;
  readonly consumer: number;
  readonly entries: number;
}

/** For a device whose rings are mapped: each of the four begins on a page of its own, and has whole pages. */
export interface PortRingOffsets {
  readonly rx: RingOffsets;
  readonly tx: RingOffsets;
  readonly fill: RingOffsets;
  readonly comp: RingOffsets;
  /** The rx producer index that the worker reads lies apart from the kernel's: the device shows frames one by one. */
  readonly isRxProducerApart: boolean;
}

const LINE_SHIFT = 6;
const SKEWS = 8;

/**
 * Where in its chunk a frame goes: HEADROOM bytes in, and up to seven cache lines more, other ones in the next chunk. At
 * equal places in chunks of a power of two the first lines of all frames fall into two sets of the nearest cache.
 */
function placeIn(chunk: number, size: number, chunkSize: number): number {
  const room = (chunkSize - HEADROOM - size) >>> LINE_SHIFT;
  const skew = (chunk >>> (31 - Math.clz32(chunkSize))) & (SKEWS - 1);
  return chunk + HEADROOM + (Math.min(skew, room) << LINE_SHIFT);
}

/** Sees a frame that leaves; the bytes are valid during the call only. */
export type FrameVisitor = (memory: Uint8Array, start: number, size: number) => void;

export class DeviceRings {
  readonly places: PortRingPlaces;
  readonly memory: WebAssembly.Memory;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** Another thread can be at the other end: indices then need atomic access, which costs 10 ns each. */
  readonly #isShared: boolean;
  #rxDropped = 0;
  #rxOversize = 0;
  #isTaking = false;

  constructor(memory: WebAssembly.Memory, places: PortRingPlaces) {
    this.memory = memory;
    this.places = places;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Uint32Array(memory.buffer);
    this.#isShared = !(memory.buffer instanceof ArrayBuffer);
  }

  /** Reads an index that the worker writes. */
  #load(address: number): number {
    return this.#isShared ? Atomics.load(this.#words, address >>> 2) : this.#words[address >>> 2]!;
  }

  /** Writes an index of ours, behind what it covers. */
  #store(address: number, value: number): void {
    if (this.#isShared) Atomics.store(this.#words, address >>> 2, value);
    else this.#words[address >>> 2] = value;
  }

  /** Frames that found no free chunk or no room on the rx ring. */
  get rxDropped(): number {
    return this.#rxDropped;
  }

  /** Frames longer than a chunk holds. */
  get rxOversize(): number {
    return this.#rxOversize;
  }

  /** Bytes that a frame may have at the most. */
  get frameSizeMax(): number {
    return this.places.chunkSize - HEADROOM;
  }

  /** Takes a free chunk, copies the frame into it and puts it on the rx ring. False when it had to be dropped (counted). */
  deliver(frame: Uint8Array): boolean {
    if (frame.length > this.frameSizeMax) {
      this.#rxOversize++;
      return false;
    }
    const { rx, fill, umemBase } = this.places;
    const words = this.#words;
    const fillConsumer = words[fill.consumer >>> 2]!;
    const rxProducer = words[rx.producer >>> 2]!;
    const noChunk = this.#load(fill.producer) === fillConsumer;
    const noRoom = (rxProducer - this.#load(rx.consumer)) >>> 0 > rx.mask;
    if (noChunk || noRoom) {
      this.#rxDropped++;
      return false;
    }
    const chunk = words[(fill.entries >>> 2) + (fillConsumer & fill.mask) * 2]!;
    this.#store(fill.consumer, fillConsumer + 1);
    const address = placeIn(chunk, frame.length, this.places.chunkSize);
    this.#bytes.set(frame, umemBase + address);
    const entry = (rx.entries >>> 2) + (rxProducer & rx.mask) * 4;
    words[entry] = address;
    words[entry + 1] = 0;
    words[entry + 2] = frame.length;
    words[entry + 3] = 0;
    this.#store(rx.producer, rxProducer + 1);
    return true;
  }

  /** True when deliver() would find a chunk and room: a device that can wait need not lose the frame. */
  canDeliver(): boolean {
    const { rx, fill } = this.places;
    const words = this.#words;
    if (this.#load(fill.producer) === words[fill.consumer >>> 2]!) return false;
    return (words[rx.producer >>> 2]! - this.#load(rx.consumer)) >>> 0 <= rx.mask;
  }

  /**
   * Shows every frame of the tx ring, at most `limit`, and gives their chunks back. Returns how many.
   * A visitor that causes another take() of the same rings gets 0 there: the frames stay for the outer one's next turn.
   */
  take(visit: FrameVisitor, limit = 0x7fffffff): number {
    if (this.#isTaking) return 0;
    this.#isTaking = true;
    try {
      return this.#take(visit, limit);
    } finally {
      this.#isTaking = false;
    }
  }

  #take(visit: FrameVisitor, limit: number): number {
    const { tx, comp, umemBase, chunkSize } = this.places;
    const words = this.#words;
    let consumer = words[tx.consumer >>> 2]!;
    const producer = this.#load(tx.producer);
    let compProducer = words[comp.producer >>> 2]!;
    let count = 0;
    while (consumer !== producer && count < limit) {
      const entry = (tx.entries >>> 2) + (consumer & tx.mask) * 4;
      const address = words[entry]!;
      visit(this.#bytes, umemBase + address, words[entry + 2]!);
      const home = (comp.entries >>> 2) + (compProducer & comp.mask) * 2;
      words[home] = address - (address % chunkSize);
      words[home + 1] = 0;
      compProducer = (compProducer + 1) >>> 0;
      consumer = (consumer + 1) >>> 0;
      count++;
    }
    this.#store(comp.producer, compProducer);
    this.#store(tx.consumer, consumer);
    return count;
  }
}
