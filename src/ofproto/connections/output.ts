/** What a connection has to send, in order, with counts by what it is: back-pressure looks at them. */

/**
 * reply: answers. removed: flow-removed, which hold requests back as answers do: requests make them. async: all else that is told
 * unasked. packet_in: likewise, with a limit of their own. monitor: updates of flow monitors.
 */
export type OutputClass = 'reply' | 'removed' | 'async' | 'packet_in' | 'monitor';

interface Item {
  readonly kind: OutputClass;
  readonly bytes: Uint8Array;
}

export class OutputQueue {
  #items: Item[] = [];
  #head = 0;
  readonly #messages: Record<OutputClass, number> = { reply: 0, removed: 0, async: 0, packet_in: 0, monitor: 0 };
  readonly #bytes: Record<OutputClass, number> = { reply: 0, removed: 0, async: 0, packet_in: 0, monitor: 0 };

  /** Messages of that class. */
  messages(kind: OutputClass): number {
    return this.#messages[kind];
  }

  bytes(kind: OutputClass): number {
    return this.#bytes[kind];
  }

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  push(kind: OutputClass, bytes: Uint8Array): void {
    this.#items.push({ kind, bytes });
    this.#messages[kind]++;
    this.#bytes[kind] += bytes.length;
  }

  /** The oldest; null when there is none. */
  shift(): Uint8Array | null {
    const item = this.#items[this.#head];
    if (!item) return null;
    this.#head++;
    if (this.#head === this.#items.length || this.#head >= 1024) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    this.#messages[item.kind]--;
    this.#bytes[item.kind] -= item.bytes.length;
    return item.bytes;
  }
}
