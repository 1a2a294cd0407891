/** The worker's end of a port's rings, in a few lines: enough to test devices without the datapath. */
import { HEADROOM } from '../../../src/gen/limits.ts';
import { DeviceRings, type PortRingPlaces, type RingPlace } from '../../../src/netdev/rings.ts';

const CHUNK_SIZE = 2048;
const FRAMES = 65536;

export class FakeWorker {
  readonly rings: DeviceRings;
  readonly #memory = new WebAssembly.Memory({ initial: 32 });
  readonly #words = new Uint32Array(this.#memory.buffer);
  readonly #bytes = new Uint8Array(this.#memory.buffer);
  readonly #places: PortRingPlaces;
  readonly #free: number[] = [];
  /** Where in their chunks the frames began that receive() took. */
  readonly places: number[] = [];

  /** @param entries of each ring, a power of two; twice as many chunks are there, half of them on the fill ring */
  constructor(entries = 8) {
    const ring = (index: number): RingPlace => ({
      producer: 1024 + index * 128,
      consumer: 1024 + index * 128 + 64,
      entries: 4096 + index * 4096,
      mask: entries - 1,
    });
    this.#places = {
      rx: ring(0),
      tx: ring(1),
      fill: ring(2),
      comp: ring(3),
      umemBase: FRAMES,
      chunkSize: CHUNK_SIZE,
    };
    for (let i = 0; i < 2 * entries; i++) this.#free.push(i * CHUNK_SIZE);
    this.rings = new DeviceRings(this.#memory, this.#places);
    this.fill(entries);
  }

  /** Starts all indices just below the end of their range. */
  startNearWrap(): void {
    for (const name of ['rx', 'tx', 'fill', 'comp'] as const) {
      const { producer, consumer } = this.#places[name];
      const inUse = this.#words[producer >>> 2]! - this.#words[consumer >>> 2]!;
      const { entries, mask } = this.#places[name];
      const start = 0xfffffffc;
      for (let i = 0; i < inUse; i++) {
        const to = (entries >>> 2) + ((start + i) & mask) * 2;
        this.#words[to] = i * CHUNK_SIZE;
      }
      this.#words[consumer >>> 2] = start;
      this.#words[producer >>> 2] = start + inUse;
    }
  }

  fill(count: number): void {
    const { fill } = this.#places;
    for (let i = 0; i < count && this.#free.length > 0; i++) {
      const producer = this.#words[fill.producer >>> 2]!;
      if ((producer - this.#words[fill.consumer >>> 2]!) >>> 0 > fill.mask) return;
      this.#words[(fill.entries >>> 2) + (producer & fill.mask) * 2] = this.#free.pop()!;
      this.#words[fill.producer >>> 2] = producer + 1;
    }
  }

  /** Frames on the rx ring; their chunks are free again. */
  receive(): Uint8Array[] {
    const { rx } = this.#places;
    const frames: Uint8Array[] = [];
    while (this.#words[rx.consumer >>> 2] !== this.#words[rx.producer >>> 2]) {
      const consumer = this.#words[rx.consumer >>> 2]!;
      const entry = (rx.entries >>> 2) + (consumer & rx.mask) * 4;
      const address = this.#words[entry]!;
      frames.push(this.#bytes.slice(FRAMES + address, FRAMES + address + this.#words[entry + 2]!));
      const place = address % CHUNK_SIZE;
      this.places.push(place);
      this.#free.push(address - place);
      this.#words[rx.consumer >>> 2] = consumer + 1;
    }
    return frames;
  }

  /** Puts a frame on the tx ring. */
  transmit(frame: Uint8Array): void {
    const { tx } = this.#places;
    const address = this.#free.pop()! + HEADROOM;
    this.#bytes.set(frame, FRAMES + address);
    const producer = this.#words[tx.producer >>> 2]!;
    const entry = (tx.entries >>> 2) + (producer & tx.mask) * 4;
    this.#words[entry] = address;
    this.#words[entry + 2] = frame.length;
    this.#words[tx.producer >>> 2] = producer + 1;
  }

  /** Chunks on the completion ring; they are free again. */
  complete(): number {
    const { comp } = this.#places;
    let count = 0;
    while (this.#words[comp.consumer >>> 2] !== this.#words[comp.producer >>> 2]) {
      const consumer = this.#words[comp.consumer >>> 2]!;
      this.#free.push(this.#words[(comp.entries >>> 2) + (consumer & comp.mask) * 2]!);
      this.#words[comp.consumer >>> 2] = consumer + 1;
      count++;
    }
    return count;
  }

  /** Addresses of the free chunks, in order. */
  get free(): number[] {
    return [...this.#free].sort((a, b) => a - b);
  }
}
