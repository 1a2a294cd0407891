/**
 * OpenFlow port numbers of one bridge. A number that was never used comes before one that was, and of those the one that has been
 * free for longest: controllers keep rules for numbers.
 */
const OFPP_MAX = 0xff00;

export class PortNumbers {
  readonly #taken = new Set<number>();
  /** When a number became free, in the order of its leaving. */
  readonly #left = new Map<number, number>();
  #last = OFPP_MAX - 1;
  #clock = 0;

  /** The number asked for when it is free, else the next one; null when none is left. */
  take(asked: number | null): number | null {
    const number = asked !== null && !this.#taken.has(asked) ? asked : this.#next();
    if (number === null) return null;
    this.#taken.add(number);
    return number;
  }

  #next(): number | null {
    let oldest: number | null = null;
    for (let step = 1; step < OFPP_MAX; step++) {
      this.#last = this.#last + 1 >= OFPP_MAX ? 1 : this.#last + 1;
      if (this.#taken.has(this.#last)) continue;
      const left = this.#left.get(this.#last);
      if (left === undefined) return this.#last;
      if (oldest === null || left < this.#left.get(oldest)!) oldest = this.#last;
    }
    return oldest;
  }

  give(number: number): void {
    if (this.#taken.delete(number)) this.#left.set(number, this.#clock++);
  }
}
