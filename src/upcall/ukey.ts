/** What the control side remembers of each megaflow that it installed. */
import type { Micros } from '../lib/clock.ts';
import type { RecordedEffect } from '../translate/effects.ts';
import type { PackedKey } from './packed-key.ts';

export interface Ukey {
  /** The datapath's id for the flow; with `generation`, safe against reuse. */
  readonly id: number;
  readonly generation: number;
  /** The whole key of the first packet: what is translated again. */
  readonly key: PackedKey;
  readonly mask: PackedKey;
  /** As encoded for the datapath. */
  actions: Uint8Array;
  /** What every packet of the flow does besides. */
  effects: readonly RecordedEffect[];
  /** Recirculation ids that the actions name; they are held, and so is the key's own. */
  recircIds: readonly number[];
  /** Generation of the picture that the actions come from. */
  pictureGeneration: number;
  readonly created: Micros;
  /** Statistics that have been credited already. */
  packets: number;
  bytes: number;
}

export interface UkeyInput {
  readonly id: number;
  readonly generation: number;
  readonly key: PackedKey;
  readonly mask: PackedKey;
  readonly actions: Uint8Array;
  readonly effects: readonly RecordedEffect[];
  readonly recircIds: readonly number[];
  readonly pictureGeneration: number;
  readonly now: Micros;
}

/** By flow id, in the order in which they were installed. */
export class UkeyTable {
  readonly #ukeys = new Map<number, Ukey>();

  get size(): number {
    return this.#ukeys.size;
  }

  add(input: UkeyInput): Ukey {
    const { id, generation, key, mask, actions, effects, recircIds, pictureGeneration, now } = input;
    const ukey: Ukey = {
      id,
      generation,
      key,
      mask,
      actions,
      effects,
      recircIds,
      pictureGeneration,
      created: now,
      packets: 0,
      bytes: 0,
    };
    this.#ukeys.set(id, ukey);
    return ukey;
  }

  get(id: number): Ukey | undefined {
    return this.#ukeys.get(id);
  }

  delete(ukey: Ukey): void {
    if (this.#ukeys.get(ukey.id) === ukey) this.#ukeys.delete(ukey.id);
  }

  clear(): void {
    this.#ukeys.clear();
  }

  values(): IterableIterator<Ukey> {
    return this.#ukeys.values();
  }
}
