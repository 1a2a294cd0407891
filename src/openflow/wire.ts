/** Reading and writing of message bodies, in network order. Readers check sizes before they read: these do not. */
import { putU16, putU32, u16At, u32At } from '../lib/bytes.ts';

export { u16At, u32At };

const halves = new Uint32Array(2);
const wholes = new BigUint64Array(halves.buffer);

/** One big number is made, and none when it is zero. */
export function u64At(bytes: Uint8Array, at: number): bigint {
  const [high, low] = [u32At(bytes, at), u32At(bytes, at + 4)];
  if (high === 0 && low === 0) return 0n;
  // Hosts that the datapath runs on have the low half first
  halves[0] = low;
  halves[1] = high;
  return wholes[0]!;
}

export const roundUp8 = (size: number): number => (size + 7) & ~7;

/** Bytes up to the first 0, as text of one byte a character. */
export function fixedText(bytes: Uint8Array, at: number, size: number): string {
  const field = bytes.subarray(at, at + size);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('latin1');
}

/** A growing buffer. Methods answer the writer, so that a struct reads as one expression. */
export class Writer {
  #bytes = new Uint8Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  #room(size: number): number {
    const at = this.#size;
    this.#size += size;
    if (this.#size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#size, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    putU16(this.#bytes, at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    putU32(this.#bytes, at, value);
    return this;
  }

  u64(value: bigint): this {
    wholes[0] = value;
    return this.u32(halves[1]!).u32(halves[0]!);
  }

  bytes(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Some of the bytes of an array, as far as the same bytes of another one let them through. */
  masked(from: Uint8Array, mask: Uint8Array, start: number, size: number): this {
    const at = this.#room(size);
    for (let i = 0; i < size; i++) this.#bytes[at + i] = from[start + i]! & mask[start + i]!;
    return this;
  }

  zeros(size: number): this {
    this.#room(size);
    return this;
  }

  /** Text of one byte a character, cut so that a 0 follows, filled up with zeros. */
  text(value: string, size: number): this {
    const field = Buffer.from(value, 'latin1').subarray(0, size - 1);
    return this.bytes(field).zeros(size - field.length);
  }

  /** Zeros up to the next multiple of eight bytes from `start` on. */
  pad8(start = 0): this {
    return this.zeros(roundUp8(this.#size - start) - (this.#size - start));
  }

  putU16(at: number, value: number): this {
    putU16(this.#bytes, at, value);
    return this;
  }

  /** A copy. */
  done(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }
}
