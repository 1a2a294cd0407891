import type { Micros } from '../../lib/clock.ts';
import { type ByteOrder, Output } from './bytes.ts';
import type { Sink } from './io.ts';
import { joinNanos } from './ticks.ts';
import { CAPTURED_SIZE_MAX, type CaptureWriter, LINKTYPE_ETHERNET } from './types.ts';

export interface PcapngWriterOptions {
  /** Names of the interfaces, by index. */
  readonly interfaces: readonly string[];
  /** Bytes kept of a frame at the most; 262144 when left out. */
  readonly snapLen?: number;
  /** Little-endian when left out. */
  readonly order?: ByteOrder;
}

const NANOSECONDS = 9;
const padded = (size: number): number => Math.ceil(size / 4) * 4;

/** Writes a pcapng file of one section with any number of interfaces, in nanoseconds. */
export class PcapngWriter implements CaptureWriter {
  readonly #output: Output;
  readonly #snapLen: number;
  readonly #interfaceCount: number;
  readonly #ticks: [high: number, low: number] = [0, 0];
  recordCount = 0;

  constructor(sink: Sink, options: PcapngWriterOptions) {
    this.#output = new Output(sink, options.order ?? 'le');
    this.#snapLen = options.snapLen ?? CAPTURED_SIZE_MAX;
    this.#interfaceCount = options.interfaces.length;
    this.#writeSection();
    for (const name of options.interfaces) this.#writeInterface(name);
  }

  #writeSection(): void {
    const out = this.#output;
    out.u32(0x0a0d0d0a);
    out.u32(28);
    out.u32(0x1a2b3c4d);
    out.u16(1);
    out.u16(0);
    // section length: not known
    out.u32(0xffffffff);
    out.u32(0xffffffff);
    out.u32(28);
  }

  #writeInterface(name: string): void {
    const out = this.#output;
    const text = new TextEncoder().encode(name);
    const size = 20 + 4 + padded(text.length) + 8 + 4;
    out.u32(1);
    out.u32(size);
    out.u16(LINKTYPE_ETHERNET);
    out.u16(0);
    out.u32(this.#snapLen);
    out.u16(2);
    out.u16(text.length);
    out.bytes(text);
    out.zeros(padded(text.length) - text.length);
    out.u16(9);
    out.u16(1);
    out.bytes(Uint8Array.of(NANOSECONDS, 0, 0, 0));
    out.zeros(4);
    out.u32(size);
  }

  /** @throws when the interface was not named to the constructor */
  write(
    seconds: number,
    nanos: number,
    data: Uint8Array,
    originalSize: number = data.length,
    interfaceIndex = 0,
  ): void {
    if (interfaceIndex >= this.#interfaceCount) throw new Error(`no interface ${interfaceIndex} in this capture`);
    const out = this.#output;
    const kept = data.length > this.#snapLen ? data.subarray(0, this.#snapLen) : data;
    const size = 32 + padded(kept.length);
    joinNanos(seconds, nanos, this.#ticks);
    out.u32(6);
    out.u32(size);
    out.u32(interfaceIndex);
    out.u32(this.#ticks[0]);
    out.u32(this.#ticks[1]);
    out.u32(kept.length);
    out.u32(originalSize);
    out.bytes(kept);
    out.zeros(padded(kept.length) - kept.length);
    out.u32(size);
    this.recordCount++;
  }

  writeAt(at: Micros, data: Uint8Array, originalSize?: number, interfaceIndex?: number): void {
    const seconds = Math.floor(at / 1e6);
    this.write(seconds, Math.floor((at - seconds * 1e6) * 1000), data, originalSize, interfaceIndex);
  }

  flush(): void {
    this.#output.flush();
  }

  close(): void {
    this.#output.close();
  }
}
