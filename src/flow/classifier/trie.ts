/**
 * A trie of bit strings: which prefix lengths some rule has for a value, and how many leading bits of the value had to be
 * looked at to know it.
 *
 * Terms. *value*: words of 32 bits, the first bit on the left is bit 31 of the first word. A *node* holds up to 32 bits of
 * the way to it, and how many rules end there.
 *
 * Invariants. A node without rules has two children, or one and more bits below it than fit in one node; the root is 0
 * when the trie is empty. Nodes lie in typed arrays; free ones are chained by their first child.
 */
const NODES_AT_FIRST = 8;
const BITS_MAX = 128;

function grown<A extends Int32Array | Uint8Array>(array: A, size: number): A {
  const larger = new (array.constructor as new (size: number) => A)(size);
  larger.set(array);
  return larger;
}

/** So many bits of a value from a place on, left-aligned; the bits behind them are garbage. */
function bitsAt(value: Int32Array, at: number): number {
  const word = at >>> 5;
  const shift = at & 31;
  const first = value[word]!;
  return shift === 0 ? first : (first << shift) | (value[word + 1]! >>> (32 - shift));
}

const bitAt = (value: Int32Array, at: number): number => (value[at >>> 5]! >>> (31 - (at & 31))) & 1;

export class PrefixTrie {
  /** After lookup(): bit p - 1 (from the left) says that some rule has a prefix of p bits of the value. */
  readonly lengths = new Int32Array(BITS_MAX / 32);
  #root = 0;
  #prefix = new Int32Array(NODES_AT_FIRST);
  #bits = new Uint8Array(NODES_AT_FIRST);
  #rules = new Int32Array(NODES_AT_FIRST);
  /** Two by node. */
  #child = new Int32Array(2 * NODES_AT_FIRST);
  #used = 1;
  #free = 0;
  /** The way to a node that is removed. */
  readonly #path = new Int32Array(BITS_MAX + 2);

  get isEmpty(): boolean {
    return this.#root === 0;
  }

  #node(prefix: number, bits: number, rules: number): number {
    let node = this.#free;
    if (node !== 0) this.#free = this.#child[2 * node]!;
    else {
      node = this.#used++;
      if (node >= this.#bits.length) {
        const size = 2 * this.#bits.length;
        this.#prefix = grown(this.#prefix, size);
        this.#bits = grown(this.#bits, size);
        this.#rules = grown(this.#rules, size);
        this.#child = grown(this.#child, 2 * size);
      }
    }
    this.#prefix[node] = bits === 32 ? prefix : bits === 0 ? 0 : prefix & (-1 << (32 - bits));
    this.#bits[node] = bits;
    this.#rules[node] = rules;
    this.#child[2 * node] = 0;
    this.#child[2 * node + 1] = 0;
    return node;
  }

  /** Nodes for the bits from a place to the end. */
  #branch(value: Int32Array, from: number, length: number): number {
    const bits = Math.min(32, length - from);
    const isLast = from + bits === length;
    const node = this.#node(bitsAt(value, from), bits, isLast ? 1 : 0);
    if (isLast) return node;
    const below = this.#branch(value, from + bits, length);
    this.#child[2 * node + bitAt(value, from + bits)] = below;
    return node;
  }

  /** How many bits of a node, at most `limit`, are those of the value. */
  #equalBits(node: number, value: Int32Array, at: number, limit: number): number {
    const equal = Math.clz32(this.#prefix[node]! ^ bitsAt(value, at));
    return Math.min(equal, this.#bits[node]!, limit);
  }

  /** Puts a node in the place of another: the root when `parent` is 0. */
  #link(parent: number, side: number, node: number): void {
    if (parent === 0) this.#root = node;
    else this.#child[2 * parent + side] = node;
  }

  /** @param length bits of the prefix, at least 1 */
  insert(value: Int32Array, length: number): void {
    let parent = 0;
    let side = 0;
    let at = 0;
    let node = this.#root;
    while (node !== 0) {
      const equal = this.#equalBits(node, value, at, length - at);
      at += equal;
      if (equal < this.#bits[node]!) {
        this.#split({ node, equal, parent, side }, value, at, length);
        return;
      }
      if (at === length) {
        this.#rules[node]!++;
        return;
      }
      parent = node;
      side = bitAt(value, at);
      node = this.#child[2 * node + side]!;
    }
    const branch = this.#branch(value, at, length);
    this.#link(parent, side, branch);
  }

  /** A node that the value leaves after `equal` bits becomes two. */
  #split(
    { node, equal, parent, side }: { node: number; equal: number; parent: number; side: number },
    value: Int32Array,
    at: number,
    length: number,
  ): void {
    const upper = this.#node(this.#prefix[node]!, equal, at === length ? 1 : 0);
    this.#prefix[node] = this.#prefix[node]! << equal;
    this.#bits[node] = this.#bits[node]! - equal;
    const oldSide = this.#prefix[node]! >>> 31;
    this.#child[2 * upper + oldSide] = node;
    if (at < length) {
      const branch = this.#branch(value, at, length);
      this.#child[2 * upper + (1 - oldSide)] = branch;
    }
    this.#link(parent, side, upper);
  }

  /** Takes back one insert() of the same prefix. @throws when there was none */
  remove(value: Int32Array, length: number): void {
    let depth = 0;
    let at = 0;
    for (let node = this.#root; node !== 0; ) {
      const equal = this.#equalBits(node, value, at, length - at);
      at += equal;
      if (equal < this.#bits[node]!) break;
      this.#path[depth++] = node;
      if (at === length) {
        if (this.#rules[node] === 0) break;
        this.#rules[node]!--;
        this.#prune(depth - 1);
        return;
      }
      node = this.#child[2 * node + bitAt(value, at)]!;
    }
    throw new Error('the prefix is not in the trie');
  }

  /** Takes nodes without rules off the end of the path, or joins them with their only child. */
  #prune(last: number): void {
    for (let depth = last; depth >= 0; depth--) {
      const node = this.#path[depth]!;
      const left = this.#child[2 * node]!;
      const right = this.#child[2 * node + 1]!;
      if (this.#rules[node] !== 0 || (left !== 0 && right !== 0)) return;
      const only = left || right;
      const bits = this.#bits[node]!;
      if (only !== 0) {
        if (bits + this.#bits[only]! > 32) return;
        const below = bits === 32 ? 0 : this.#prefix[only]! >>> bits;
        this.#prefix[only] = this.#prefix[node]! | below;
        this.#bits[only] = bits + this.#bits[only]!;
      }
      const parent = depth === 0 ? 0 : this.#path[depth - 1]!;
      this.#link(parent, parent !== 0 && this.#child[2 * parent + 1] === node ? 1 : 0, only);
      this.#child[2 * node] = this.#free;
      this.#free = node;
      if (only !== 0) return;
    }
  }

  /**
   * Fills `lengths`. @returns how many leading bits of the value decide it
   * @param width bits of the value
   */
  lookup(value: Int32Array, width: number): number {
    const { lengths } = this;
    lengths[0] = lengths[1] = lengths[2] = lengths[3] = 0;
    let at = 0;
    let last = 0;
    for (let node = this.#root; node !== 0; last = node, node = this.#child[2 * node + bitAt(value, at)]!) {
      const equal = this.#equalBits(node, value, at, width - at);
      at += equal;
      if (equal < this.#bits[node]!) return at + 1;
      if (this.#rules[node] !== 0) lengths[(at - 1) >>> 5]! |= 1 << (31 - ((at - 1) & 31));
      if (at >= width) return width;
    }
    if (last === 0) return 0;
    const isLeaf = this.#child[2 * last] === 0 && this.#child[2 * last + 1] === 0;
    return isLeaf ? at : at + 1;
  }

  /** After lookup(): whether some rule has a prefix of so many bits of the value. */
  hasLength(length: number): boolean {
    return ((this.lengths[(length - 1) >>> 5]! >>> (31 - ((length - 1) & 31))) & 1) === 1;
  }
}
