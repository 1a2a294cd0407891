/** How many rules have a hash. Open addressing with linear probing; a count of 0 is a free place. */
const PLACES_AT_FIRST = 8;

export class HashCounts {
  #hashes = new Int32Array(PLACES_AT_FIRST);
  #counts = new Int32Array(PLACES_AT_FIRST);
  #used = 0;

  /** The hash when there is one only; null for none or several. */
  get only(): number | null {
    return this.#used === 1 ? this.#hashes[this.#counts.findIndex((count) => count !== 0)]! : null;
  }

  /** Different hashes. */
  get size(): number {
    return this.#used;
  }

  has(hash: number): boolean {
    return this.#counts[this.#find(hash)] !== 0;
  }

  /** Where the hash is, or the free place where it would be. */
  #find(hash: number): number {
    const last = this.#hashes.length - 1;
    let at = hash & last;
    while (this.#counts[at] !== 0 && this.#hashes[at] !== hash) at = (at + 1) & last;
    return at;
  }

  add(hash: number): void {
    const at = this.#find(hash);
    this.#hashes[at] = hash;
    if (this.#counts[at]!++ === 0 && 2 * ++this.#used > this.#hashes.length) this.#grow();
  }

  #grow(): void {
    const [hashes, counts] = [this.#hashes, this.#counts];
    this.#hashes = new Int32Array(2 * hashes.length);
    this.#counts = new Int32Array(2 * hashes.length);
    for (let i = 0; i < hashes.length; i++) {
      if (counts[i] === 0) continue;
      const at = this.#find(hashes[i]!);
      this.#hashes[at] = hashes[i]!;
      this.#counts[at] = counts[i]!;
    }
  }

  /** Takes one add() back. @throws when there was none */
  delete(hash: number): void {
    let hole = this.#find(hash);
    if (this.#counts[hole] === 0) throw new Error('the hash is not counted');
    if (--this.#counts[hole]! > 0) return;
    this.#used--;
    // What could lie nearer to where it belongs moves into the hole
    const last = this.#hashes.length - 1;
    for (let at = (hole + 1) & last; this.#counts[at] !== 0; at = (at + 1) & last) {
      const home = this.#hashes[at]! & last;
      if (((at - home) & last) < ((at - hole) & last)) continue;
      this.#hashes[hole] = this.#hashes[at]!;
      this.#counts[hole] = this.#counts[at]!;
      this.#counts[at] = 0;
      hole = at;
    }
  }
}
