/** The slow, obvious twin of the megaflow classifier: a list of matches, tried one after the other. */
import { type FlowKey, type Match, matches } from '../../src/flow/key.ts';

export class LinearLookup<Id> {
  readonly #flows = new Map<Id, Match>();

  get size(): number {
    return this.#flows.size;
  }

  put(id: Id, match: Match): void {
    this.#flows.set(id, match);
  }

  delete(id: Id): void {
    this.#flows.delete(id);
  }

  ids(): Id[] {
    return [...this.#flows.keys()];
  }

  /** Every flow that the key falls under. */
  find(key: FlowKey): Id[] {
    return [...this.#flows].filter(([, match]) => matches(match, key)).map(([id]) => id);
  }
}
