/** Buffered bytes in either byte order: the input of the readers and the output of the writers. */
import type { Sink, Source } from './io.ts';

export type ByteOrder = 'le' | 'be';

const INPUT_SIZE = 65536;
const OUTPUT_SIZE = 65536;

/** A window over a source. What need() promised lies at `at`; the window moves when need() is called again. */
export class Input {
  readonly #source: Source;
  #buffer = new Uint8Array(INPUT_SIZE);
  #view = new DataView(this.#buffer.buffer);
  #start = 0;
  #end = 0;
  /** Bytes of the source before the window's start. */
  #consumed = 0;
  #isAtEnd = false;
  isLittleEndian = true;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Bytes of the source that were passed over. */
  get offset(): number {
    return this.#consumed + this.#start;
  }

  /** Bytes at hand without reading. */
  get available(): number {
    return this.#end - this.#start;
  }

  /** Reads until `size` bytes are at hand; false when the source ends before. */
  need(size: number): boolean {
    if (this.available >= size) return true;
    this.#makeRoom(size);
    while (this.available < size && !this.#isAtEnd) {
      const count = this.#source.read(this.#buffer.subarray(this.#end));
      if (count === 0) this.#isAtEnd = true;
      this.#end += count;
    }
    return this.available >= size;
  }

  #makeRoom(size: number): void {
    if (this.#start + size <= this.#buffer.length) return;
    const old = this.#buffer;
    if (size > old.length) {
      this.#buffer = new Uint8Array(2 ** Math.ceil(Math.log2(size)));
      this.#view = new DataView(this.#buffer.buffer);
      this.#buffer.set(old.subarray(this.#start, this.#end));
    } else old.copyWithin(0, this.#start, this.#end);
    this.#consumed += this.#start;
    this.#end -= this.#start;
    this.#start = 0;
  }

  /** Passes over bytes, at hand or not; false when the source ends before. */
  skip(size: number): boolean {
    for (let left = size; left > 0; ) {
      if (this.available === 0 && !this.need(1)) return false;
      const step = Math.min(left, this.available);
      this.#start += step;
      left -= step;
    }
    return true;
  }

  /** A view of bytes at hand, `at` bytes from the front. */
  bytes(at: number, size: number): Uint8Array {
    return this.#buffer.subarray(this.#start + at, this.#start + at + size);
  }

  u16(at: number): number {
    return this.#view.getUint16(this.#start + at, this.isLittleEndian);
  }

  u32(at: number): number {
    return this.#view.getUint32(this.#start + at, this.isLittleEndian);
  }

  i64(at: number): bigint {
    return this.#view.getBigInt64(this.#start + at, this.isLittleEndian);
  }
}

/** Gathers small writes into large ones. */
export class Output {
  readonly #sink: Sink;
  readonly #isLittleEndian: boolean;
  readonly #buffer = new Uint8Array(OUTPUT_SIZE);
  readonly #view = new DataView(this.#buffer.buffer);
  #size = 0;

  constructor(sink: Sink, order: ByteOrder) {
    this.#sink = sink;
    this.#isLittleEndian = order === 'le';
  }

  u16(value: number): void {
    this.#room(2);
    this.#view.setUint16(this.#size, value, this.#isLittleEndian);
    this.#size += 2;
  }

  u32(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#size, value, this.#isLittleEndian);
    this.#size += 4;
  }

  bytes(bytes: Uint8Array): void {
    if (bytes.length > OUTPUT_SIZE / 4) {
      this.flush();
      this.#sink.write(bytes);
      return;
    }
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  zeros(count: number): void {
    this.#room(count);
    this.#buffer.fill(0, this.#size, this.#size + count);
    this.#size += count;
  }

  #room(size: number): void {
    if (this.#size + size > OUTPUT_SIZE) this.flush();
  }

  flush(): void {
    if (this.#size > 0) this.#sink.write(this.#buffer.subarray(0, this.#size));
    this.#size = 0;
  }

  close(): void {
    this.flush();
    this.#sink.close();
  }
}
