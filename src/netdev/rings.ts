/**
 * The device's end of a port's four rings, in TypeScript: the twin of what the kernel does for AF_XDP.
 * One object a port; nothing is allocated for a frame.
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

/** Sees a frame that leaves; the bytes are valid during the call only. */
export type FrameVisitor = (memory: Uint8Array, start: number, size: number) => void;

export class DeviceRings {
  readonly places: PortRingPlaces;
  readonly memory: WebAssembly.Memory;
  #bytes: Uint8Array;
  #words: Uint32Array;
  /** Frames that found no free chunk or no room on the rx ring. */
  rxDropped = 0;
  /** Frames longer than a chunk holds. */
  rxOversize = 0;

  constructor(memory: WebAssembly.Memory, places: PortRingPlaces) {
    this.memory = memory;
    this.places = places;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Uint32Array(memory.buffer);
  }

  /** The memory can have grown since: its buffer is then another one. */
  #refresh(): void {
    if (this.#bytes.buffer === this.memory.buffer) return;
    this.#bytes = new Uint8Array(this.memory.buffer);
    this.#words = new Uint32Array(this.memory.buffer);
  }

  /** Bytes that a frame may have at the most. */
  get frameSizeMax(): number {
    return this.places.chunkSize - HEADROOM;
  }

  /** Takes a free chunk, copies the frame into it and puts it on the rx ring. False when it had to be dropped (counted). */
  deliver(frame: Uint8Array): boolean {
    this.#refresh();
    if (frame.length > this.frameSizeMax) {
      this.rxOversize++;
      return false;
    }
    const { rx, fill, umemBase } = this.places;
    const words = this.#words;
    const fillConsumer = words[fill.consumer >>> 2]!;
    const rxProducer = words[rx.producer >>> 2]!;
    const noChunk = Atomics.load(words, fill.producer >>> 2) === fillConsumer;
    const noRoom = (rxProducer - Atomics.load(words, rx.consumer >>> 2)) >>> 0 > rx.mask;
    if (noChunk || noRoom) {
      this.rxDropped++;
      return false;
    }
    const chunk = words[(fill.entries >>> 2) + (fillConsumer & fill.mask) * 2]!;
    Atomics.store(words, fill.consumer >>> 2, fillConsumer + 1);
    const address = chunk + HEADROOM;
    this.#bytes.set(frame, umemBase + address);
    const entry = (rx.entries >>> 2) + (rxProducer & rx.mask) * 4;
    words[entry] = address;
    words[entry + 1] = 0;
    words[entry + 2] = frame.length;
    words[entry + 3] = 0;
    Atomics.store(words, rx.producer >>> 2, rxProducer + 1);
    return true;
  }

  /** Shows every frame of the tx ring, at most `limit`, and gives their chunks back. Returns how many. */
  take(visit: FrameVisitor, limit = 0x7fffffff): number {
    this.#refresh();
    const { tx, comp, umemBase, chunkSize } = this.places;
    const words = this.#words;
    let consumer = words[tx.consumer >>> 2]!;
    const producer = Atomics.load(words, tx.producer >>> 2);
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
    Atomics.store(words, comp.producer >>> 2, compProducer);
    Atomics.store(words, tx.consumer >>> 2, consumer);
    return count;
  }
}
