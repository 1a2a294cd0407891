import type { Micros } from '../../lib/clock.ts';
import { type ByteOrder, Output } from './bytes.ts';
import type { Sink } from './io.ts';
import { CAPTURED_SIZE_MAX, type CaptureWriter, LINKTYPE_ETHERNET } from './types.ts';

export interface PcapWriterOptions {
  /** Microseconds when left out. */
  readonly resolution?: 'micro' | 'nano';
  /** Bytes kept of a frame at the most; 262144 when left out. */
  readonly snapLen?: number;
  /** Little-endian when left out. */
  readonly order?: ByteOrder;
}

/** Writes a pcap file of one interface. */
export class PcapWriter implements CaptureWriter {
  readonly #output: Output;
  readonly #isNano: boolean;
  readonly #snapLen: number;
  recordCount = 0;

  constructor(sink: Sink, options: PcapWriterOptions = {}) {
    this.#output = new Output(sink, options.order ?? 'le');
    this.#isNano = options.resolution === 'nano';
    this.#snapLen = options.snapLen ?? CAPTURED_SIZE_MAX;
    const out = this.#output;
    out.u32(this.#isNano ? 0xa1b23c4d : 0xa1b2c3d4);
    out.u16(2);
    out.u16(4);
    out.zeros(8);
    out.u32(this.#snapLen);
    out.u32(LINKTYPE_ETHERNET);
  }

  write(seconds: number, nanos: number, data: Uint8Array, originalSize: number = data.length): void {
    const out = this.#output;
    const kept = data.length > this.#snapLen ? data.subarray(0, this.#snapLen) : data;
    out.u32(seconds);
    out.u32(this.#isNano ? nanos : Math.floor(nanos / 1000));
    out.u32(kept.length);
    out.u32(originalSize);
    out.bytes(kept);
    this.recordCount++;
  }

  writeAt(at: Micros, data: Uint8Array, originalSize?: number): void {
    const seconds = Math.floor(at / 1e6);
    this.write(seconds, Math.floor((at - seconds * 1e6) * 1000), data, originalSize);
  }

  flush(): void {
    this.#output.flush();
  }

  close(): void {
    this.#output.close();
  }
}
