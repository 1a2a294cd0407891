/** The switch's frozen states and their numbers. */
import { toHex } from '../lib/bytes.ts';
import type { FrozenState, RecircView } from '../translate/recirc.ts';

interface Entry {
  readonly id: number;
  readonly text: string;
  readonly state: FrozenState;
  holders: number;
}

const textOf = (state: FrozenState): string =>
  JSON.stringify(state, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Uint8Array ? toHex(value) : value;
  });

export class RecircTable implements RecircView {
  readonly #byId = new Map<number, Entry>();
  readonly #byText = new Map<string, Entry>();
  #last = 0;

  intern(state: FrozenState): number {
    const text = textOf(state);
    let entry = this.#byText.get(text);
    if (!entry) {
      do this.#last = (this.#last + 1) >>> 0;
      while (this.#last === 0 || this.#byId.has(this.#last));
      entry = { id: this.#last, text, state, holders: 0 };
      this.#byId.set(entry.id, entry);
      this.#byText.set(text, entry);
    }
    return entry.id;
  }

  get(id: number): FrozenState | null {
    return this.#byId.get(id)?.state ?? null;
  }

  hold(id: number): void {
    const entry = this.#byId.get(id);
    if (entry) entry.holders++;
  }

  release(id: number): void {
    const entry = this.#byId.get(id);
    if (!entry || --entry.holders > 0) return;
    this.#byId.delete(id);
    this.#byText.delete(entry.text);
  }
}
