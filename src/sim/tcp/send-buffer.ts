/** Bytes that wait to be sent or acknowledged. */

/** More than this is not taken. */
const SIZE_MAX = 64 * 1024 * 1024;

export class SendBuffer {
  #bytes = new Uint8Array(4096);
  #start = 0;
  #end = 0;

  get size(): number {
    return this.#end - this.#start;
  }

  /** Returns how many bytes were taken. */
  append(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, SIZE_MAX - this.size);
    this.#makeRoom(taken);
    this.#bytes.set(bytes.subarray(0, taken), this.#end);
    this.#end += taken;
    return taken;
  }

  /** A copy of `size` bytes, `offset` bytes behind the oldest. */
  copy(offset: number, size: number): Uint8Array {
    return this.#bytes.slice(this.#start + offset, this.#start + offset + size);
  }

  /** The oldest bytes were acknowledged. */
  drop(size: number): void {
    this.#start += size;
  }

  #makeRoom(size: number): void {
    if (this.#end + size <= this.#bytes.length) return;
    const live = this.#bytes.subarray(this.#start, this.#end);
    const room = live.length + size > this.#bytes.length ? (live.length + size) * 2 : this.#bytes.length;
    const bytes = new Uint8Array(room);
    bytes.set(live);
    this.#end = live.length;
    this.#start = 0;
    this.#bytes = bytes;
  }
}
