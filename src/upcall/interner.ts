/** Equal lists of numbers as one object: megaflows have many keys, but few masks and few lists of actions. */

type Numbers = Uint8Array | Uint32Array;

/** Different lists that are remembered at the most; then it begins anew. */
const LISTS_MAX = 4096;

function same(a: Numbers, b: Numbers): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** FNV-1a, element by element. */
function hashOf(list: Numbers): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < list.length; i++) hash = Math.imul(hash ^ list[i]!, 0x01000193);
  return hash;
}

export class Interner<T extends Numbers> {
  /** By hash: of two lists with one hash the later one stays. */
  readonly #lists = new Map<number, T>();

  /** The list, or one equal to it that was here before. Nobody may write to it from now on. */
  intern(list: T): T {
    const hash = hashOf(list);
    const known = this.#lists.get(hash);
    if (known && same(known, list)) return known;
    if (this.#lists.size >= LISTS_MAX) this.#lists.clear();
    this.#lists.set(hash, list);
    return list;
  }
}
