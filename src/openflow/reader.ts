/** A view that never fails: what lies behind the end reads as zero. Sizes are checked before. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get size(): number {
    return this.bytes.length;
  }

  u8(at: number): number {
    return this.bytes[at] ?? 0;
  }

  u16(at: number): number {
    return at + 2 <= this.size ? this.#view.getUint16(at) : 0;
  }

  u32(at: number): number {
    return at + 4 <= this.size ? this.#view.getUint32(at) : 0;
  }

  u64(at: number): bigint {
    return at + 8 <= this.size ? this.#view.getBigUint64(at) : 0n;
  }

  /** A view of the same bytes. */
  slice(from: number, to: number = this.size): Uint8Array {
    return this.bytes.subarray(Math.min(from, this.size), Math.min(to, this.size));
  }

  /** Whether every byte from `from` up to `to` is zero. */
  isZero(from: number, to: number = this.size): boolean {
    return this.slice(from, to).every((byte) => byte === 0);
  }
}
