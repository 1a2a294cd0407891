/** What has arrived: bytes in order that wait for the reader, and islands ahead of them (RFC 9293 §3.10.7.4). */
import { concatBytes } from '../../lib/bytes.ts';

interface Island {
  /** Bytes from the next expected byte to this island. */
  offset: number;
  bytes: Uint8Array;
}

export class ReceiveBuffer {
  readonly #capacity: number;
  #ready: Uint8Array[] = [];
  #readySize = 0;
  /** Sorted; they neither touch nor overlap. */
  #islands: Island[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Bytes that may still come. */
  get window(): number {
    return this.#capacity - this.#readySize;
  }

  get hasIslands(): boolean {
    return this.#islands.length > 0;
  }

  /**
   * Takes what lies in the window.
   * @param offset of the first byte from the next expected one; negative for bytes that came before
   * @returns bytes that are in order now
   */
  insert(offset: number, bytes: Uint8Array): number {
    const first = Math.max(0, -offset);
    const last = Math.min(bytes.length, this.window - offset);
    if (last <= first) return 0;
    this.#addIsland({ offset: offset + first, bytes: bytes.slice(first, last) });
    const head = this.#islands[0]!;
    if (head.offset > 0) return 0;
    this.#islands.shift();
    for (const island of this.#islands) island.offset -= head.bytes.length;
    this.#ready.push(head.bytes);
    this.#readySize += head.bytes.length;
    return head.bytes.length;
  }

  /** Everything that is in order. */
  read(): Uint8Array {
    const bytes = this.#ready.length === 1 ? this.#ready[0]! : concatBytes(...this.#ready);
    this.#ready = [];
    this.#readySize = 0;
    return bytes;
  }

  #addIsland(added: Island): void {
    const before: Island[] = [];
    const after: Island[] = [];
    let merged = added;
    for (const island of this.#islands) {
      if (island.offset + island.bytes.length < merged.offset) before.push(island);
      else if (island.offset > merged.offset + merged.bytes.length) after.push(island);
      else merged = merge(island, merged);
    }
    this.#islands = [...before, merged, ...after];
  }
}

function merge(a: Island, b: Island): Island {
  const offset = Math.min(a.offset, b.offset);
  const end = Math.max(a.offset + a.bytes.length, b.offset + b.bytes.length);
  const bytes = new Uint8Array(end - offset);
  bytes.set(b.bytes, b.offset - offset);
  bytes.set(a.bytes, a.offset - offset);
  return { offset, bytes };
}
