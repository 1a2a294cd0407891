/** The rules of a classifier, each a number: what belongs to it lies in arrays by that number. Numbers are used again. */
const ENTRIES_AT_FIRST = 64;

/** Version of a flow table. A lookup sees the rules of one version. */
export type Version = number;
export const NEVER: Version = Number.POSITIVE_INFINITY;

/** A rule of one classifier; the number is meaningless after the rule has been removed. */
export type RuleId = number & { readonly __brand?: 'classifier rule' };

type Numbers = Int32Array | Float64Array;

function twice<A extends Numbers>(array: A): A {
  const larger = new (array.constructor as new (size: number) => A)(2 * array.length);
  larger.set(array);
  return larger;
}

export class Entries<T> {
  readonly values: (T | undefined)[] = [];
  /** Number of the subtable; -1 for a free entry. */
  subtable = new Int32Array(ENTRIES_AT_FIRST);
  /** Where the packed value is in its subtable. */
  slot = new Int32Array(ENTRIES_AT_FIRST);
  hash = new Int32Array(ENTRIES_AT_FIRST);
  priority = new Int32Array(ENTRIES_AT_FIRST);
  /** The next rule of the same match, of the same or a lower priority; -1 at the end. Also chains free entries. */
  next = new Int32Array(ENTRIES_AT_FIRST);
  /** First version that has the rule. */
  added = new Float64Array(ENTRIES_AT_FIRST);
  /** First version that has it no more. */
  removed = new Float64Array(ENTRIES_AT_FIRST);
  #free = -1;
  #used = 0;

  /** One above the highest number in use. */
  get end(): number {
    return this.#used;
  }

  allocate(): RuleId {
    const free = this.#free;
    if (free >= 0) {
      this.#free = this.next[free]!;
      return free;
    }
    if (this.#used === this.slot.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    this.subtable = twice(this.subtable);
    this.slot = twice(this.slot);
    this.hash = twice(this.hash);
    this.priority = twice(this.priority);
    this.next = twice(this.next);
    this.added = twice(this.added);
    this.removed = twice(this.removed);
  }

  release(id: RuleId): void {
    this.values[id] = undefined;
    this.subtable[id] = -1;
    this.next[id] = this.#free;
    this.#free = id;
  }

  isVisible(id: RuleId, version: Version): boolean {
    return this.added[id]! <= version && version < this.removed[id]!;
  }
}
