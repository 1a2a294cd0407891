/**
 * A device made of capture files: what a reader gives arrives at the switch, what the switch sends goes to a writer.
 *
 * Terms. *pace*: `none` brings frames as fast as there are free chunks; `timed` brings each when the clock has reached
 * its time in the capture plus `shift`. A *snapped* frame is one of which the capture kept only the beginning.
 *
 * Invariants. A frame waits for a free chunk: none is lost for want of one. One frame is held at most, so files of any
 * length take the same memory. What the writer gets bears the time that flush() was called with.
 *
 * Not supported: going back to the start of a capture; ordering the records of several devices (a caller with one clock
 * for all does that by nextAt).
 */
import { HEADROOM } from '../../src/gen/limits.ts';
import type { Micros } from '../../src/lib/clock.ts';
import { fail, ok, type Result } from '../../src/lib/result.ts';
import type { Netdev, NetdevStats } from '../../src/netdev/netdev.ts';
import type { DeviceRings, FrameVisitor } from '../../src/netdev/rings.ts';
import { type CaptureReader, type CaptureRecord, type CaptureWriter, microsOf } from '../../src/packet/pcap.ts';

export interface PcapNetdevOptions {
  /** Where frames come from; none arrive when left out. */
  readonly reader?: CaptureReader;
  /** Only frames of this interface of the capture; all when left out. */
  readonly interfaceIndex?: number;
  /** Where frames go; they are counted only when left out. */
  readonly writer?: CaptureWriter;
  /** `none` when left out. */
  readonly pace?: 'none' | 'timed';
  /** Microseconds added to a record's time. */
  readonly shift?: Micros;
  /** Snapped frames: zeros make up what is missing (when left out), or they come as they are, or not at all. */
  readonly snapped?: 'pad' | 'as_is' | 'drop';
  readonly mac?: Uint8Array;
  /** Bytes behind the Ethernet header; 65535 when left out: captures hold large segments. */
  readonly mtu?: number;
}

export class PcapNetdev implements Netdev {
  readonly name: string;
  readonly type = 'dummy';
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly isUp = true;
  readonly #options: PcapNetdevOptions;
  #rings: DeviceRings | null = null;
  /** Read and not delivered yet. */
  #held: CaptureRecord | null = null;
  #isAtEnd: boolean;
  #padded = new Uint8Array(2048);
  #now: Micros = 0;
  #txPackets = 0;
  /** Snapped frames seen. */
  snappedCount = 0;
  #snappedDropped = 0;

  constructor(name: string, options: PcapNetdevOptions) {
    this.name = name;
    this.#options = options;
    this.mac = options.mac ?? Uint8Array.of(2, 0, 0, 0, 0, 0);
    this.mtu = options.mtu ?? 65535;
    this.#isAtEnd = !options.reader;
  }

  attach(rings: DeviceRings): Result<void> {
    if (this.#rings) return fail(`${this.name} is attached already`);
    this.#rings = rings;
    return ok(undefined);
  }

  /** True when every frame of the capture has been delivered; the reader's `problem` says whether that was its end. */
  get isAtEnd(): boolean {
    return this.#isAtEnd && this.#held === null;
  }

  /** When the next frame is due; null at the end of the capture. */
  get nextAt(): Micros | null {
    const record = this.#peek();
    return record && microsOf(record) + (this.#options.shift ?? 0);
  }

  #peek(): CaptureRecord | null {
    const { reader, interfaceIndex } = this.#options;
    while (!this.#held && !this.#isAtEnd) {
      const record = reader?.next() ?? null;
      if (!record) this.#isAtEnd = true;
      else if (interfaceIndex === undefined || record.interfaceIndex === interfaceIndex) this.#held = record;
    }
    return this.#held;
  }

  poll(now: Micros): number {
    const rings = this.#rings;
    if (!rings) return 0;
    const isTimed = this.#options.pace === 'timed';
    const shift = this.#options.shift ?? 0;
    let count = 0;
    for (let record = this.#peek(); record && rings.canDeliver(); record = this.#peek()) {
      if (isTimed && microsOf(record) + shift > now) break;
      this.#deliver(rings, record);
      this.#held = null;
      count++;
    }
    return count;
  }

  #deliver(rings: DeviceRings, record: CaptureRecord): void {
    const { data, originalSize } = record;
    if (data.length === originalSize) {
      rings.deliver(data);
      return;
    }
    this.snappedCount++;
    const { snapped = 'pad' } = this.#options;
    if (snapped === 'drop') this.#snappedDropped++;
    else rings.deliver(snapped === 'pad' ? this.#pad(data, originalSize, rings.frameSizeMax) : data);
  }

  /** The frame with zeros behind; one that no chunk holds stays too long, so that the rings count it. */
  #pad(data: Uint8Array, originalSize: number, sizeMax: number): Uint8Array {
    const size = Math.min(originalSize, Math.max(sizeMax + 1, data.length));
    if (size > this.#padded.length) this.#padded = new Uint8Array(2 * size + HEADROOM);
    this.#padded.set(data);
    this.#padded.fill(0, data.length, size);
    return this.#padded.subarray(0, size);
  }

  flush(now: Micros): number {
    this.#now = now;
    return this.#rings ? this.#rings.take(this.#write) : 0;
  }

  readonly #write: FrameVisitor = (memory, start, size) => {
    this.#txPackets++;
    this.#options.writer?.writeAt(this.#now, memory.subarray(start, start + size));
  };

  /** Frames that the switch sent. */
  get sentCount(): number {
    return this.#txPackets;
  }

  stats(): NetdevStats {
    const rings = this.#rings;
    return {
      rxDropped: this.#snappedDropped + (rings?.rxDropped ?? 0),
      rxErrors: rings?.rxOversize ?? 0,
      txDropped: 0,
      txErrors: 0,
    };
  }

  /** Flushes the writer; whoever made reader and writer closes their files. */
  close(): void {
    this.#options.writer?.flush();
    this.#rings = null;
  }
}
