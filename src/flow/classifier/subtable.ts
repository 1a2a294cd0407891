/**
 * All rules of one mask: a hash table of packed values, counts of the hashes of each stage but the last, a trie of their
 * transport ports, and their highest priority.
 *
 * Invariants. Rules of one match are chained, the highest priority first; the hash table leads to the first of them.
 */

import { HashCounts } from './counts.ts';
import type { Entries, RuleId, Version } from './entries.ts';
import { PORTS_WORD } from './prefixes.ts';
import type { Shape } from './shape.ts';
import type { Gate, StageNode, StageNodes } from './stages.ts';
import { PrefixTrie } from './trie.ts';
import { swap } from './words.ts';

const PLACES_AT_FIRST = 8;
/** For values of ports: a word and the one behind it. */
const portsValue = new Int32Array(2);

const trailingZeros = (word: number): number => 31 - Math.clz32(word & -word);

export class Subtable {
  readonly number: number;
  readonly shape: Shape;
  /** By stage of the shape. */
  readonly nodes: readonly StageNode[];
  /** By tracked prefix field: bits of the prefix in this mask; 0 when it is not a prefix or not there. */
  prefixLengths: Uint8Array = new Uint8Array(0);
  /** By stage of the shape: bit i says that prefix field i is looked at there. */
  prefixStages: Uint8Array = new Uint8Array(0);
  /** The first stage that looks at prefixes; 0 for none, or for the first of all. */
  prefixStage = 0;
  /** Bits of the prefixes that this stage looks at, one byte a tracked field. */
  stageLengths = 0;
  /** Of the stages before; null when there is none, undefined when that is to be found out. */
  gate: Gate | null | undefined = undefined;
  /** By stage of the shape but the last. */
  readonly #counts: HashCounts[];
  readonly #portsTrie: PrefixTrie | null;
  readonly #portsLength: number;
  /** Numbers of rules plus one; 0 for a free place. */
  #places = new Int32Array(PLACES_AT_FIRST);
  #placesUsed = 0;
  #values: Int32Array;
  #slotsUsed = 0;
  readonly #freeSlots: number[] = [];
  readonly #priorities = new Map<number, number>();
  #maxPriority = Number.NEGATIVE_INFINITY;
  #isMaxStale = false;
  /** The highest priority as lookups know it: of the last time that the classifier was published. */
  publishedPriority = Number.NEGATIVE_INFINITY;

  constructor(number: number, shape: Shape, nodes: readonly StageNode[]) {
    this.number = number;
    this.nodes = nodes;
    this.shape = shape;
    this.#counts = Array.from(shape.ends.subarray(1), () => new HashCounts());
    this.#portsLength = shape.portsMask === 0 ? 0 : 32 - trailingZeros(shape.portsMask);
    this.#portsTrie = shape.portsMask === 0 ? null : new PrefixTrie();
    this.#values = new Int32Array(shape.size);
  }

  /** The gate of this moment: it is another one when a rule of other values comes. */
  findGate(stages: StageNodes): Gate | null {
    if (this.gate !== undefined) return this.gate;
    this.gate = null;
    if (this.prefixStage === 0) return null;
    const hashes: number[] = [];
    for (const counts of this.#counts.slice(0, this.prefixStage)) {
      const { only } = counts;
      if (only === null) return null;
      hashes.push(only);
    }
    this.gate = stages.gate(this.nodes[this.prefixStage - 1]!, hashes);
    return this.gate;
  }

  get hasPrefixes(): boolean {
    return this.prefixStages.some((fields) => fields !== 0);
  }

  get isEmpty(): boolean {
    return this.#priorities.size === 0;
  }

  /** Minus infinity when there is no rule. */
  get maxPriority(): number {
    if (this.#isMaxStale) {
      this.#maxPriority = Number.NEGATIVE_INFINITY;
      for (const priority of this.#priorities.keys()) if (priority > this.#maxPriority) this.#maxPriority = priority;
      this.#isMaxStale = false;
    }
    return this.#maxPriority;
  }

  hasPriority(priority: number): boolean {
    return this.#priorities.has(priority);
  }

  /** Packed values; a rule's are at its slot times the shape's size. */
  get values(): Int32Array {
    return this.#values;
  }

  valueAt(slot: number): number {
    return slot * this.shape.size;
  }

  /** Hash of a packed value. */
  #hashOf(values: Int32Array, at: number): number {
    const { shape } = this;
    return shape.finish(shape.mixPacked(0, values, at, 0, shape.size));
  }

  /** Place of the first rule with the value, or the free place where it would be. */
  #place<T>(entries: Entries<T>, values: Int32Array, at: number, hash: number): number {
    const { size } = this.shape;
    const last = this.#places.length - 1;
    for (let place = hash & last; ; place = (place + 1) & last) {
      const id = this.#places[place]! - 1;
      if (id < 0) return place;
      if (entries.hash[id] !== hash) continue;
      const own = entries.slot[id]! * size;
      let i = 0;
      while (i < size && this.#values[own + i] === values[at + i]) i++;
      if (i === size) return place;
    }
  }

  /** The first rule of this match; -1 when there is none. @param values a packed value */
  first<T>(entries: Entries<T>, values: Int32Array, at: number): RuleId {
    return this.#places[this.#place(entries, values, at, this.#hashOf(values, at))]! - 1;
  }

  /** Takes a rule in. Its priority and versions are set already. @param value the packed value */
  insert<T>(entries: Entries<T>, id: RuleId, value: Int32Array): void {
    const hash = this.#hashOf(value, 0);
    const slot = this.#freeSlots.pop() ?? this.#slotsUsed++;
    const { size } = this.shape;
    if ((slot + 1) * size > this.#values.length) {
      const larger = new Int32Array(2 * this.#values.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    for (let i = 0; i < size; i++) this.#values[slot * size + i] = value[i]!;
    entries.subtable[id] = this.number;
    entries.slot[id] = slot;
    entries.hash[id] = hash;
    this.#chain(entries, id, this.#place(entries, value, 0, hash));
    this.#count(entries.priority[id]!);
    this.#index(value, 0, 1);
  }

  /** Puts a rule among those of its match, before older ones of its priority. */
  #chain<T>(entries: Entries<T>, id: RuleId, place: number): void {
    const priority = entries.priority[id]!;
    let previous = -1;
    let next = this.#places[place]! - 1;
    const isNew = next < 0;
    while (next >= 0 && entries.priority[next]! > priority) {
      previous = next;
      next = entries.next[next]!;
    }
    entries.next[id] = next;
    if (previous >= 0) entries.next[previous] = id;
    else this.#places[place] = id + 1;
    if (isNew && 2 * ++this.#placesUsed > this.#places.length) this.#grow(entries);
  }

  #grow<T>(entries: Entries<T>): void {
    const places = this.#places;
    const last = 2 * places.length - 1;
    this.#places = new Int32Array(last + 1);
    for (const entry of places) {
      if (entry === 0) continue;
      let at = entries.hash[entry - 1]! & last;
      while (this.#places[at] !== 0) at = (at + 1) & last;
      this.#places[at] = entry;
    }
  }

  #count(priority: number): void {
    this.#priorities.set(priority, (this.#priorities.get(priority) ?? 0) + 1);
    if (!this.#isMaxStale && priority > this.#maxPriority) this.#maxPriority = priority;
  }

  #uncount(priority: number): void {
    const left = this.#priorities.get(priority)! - 1;
    if (left > 0) {
      this.#priorities.set(priority, left);
      return;
    }
    this.#priorities.delete(priority);
    if (priority === this.#maxPriority) this.#isMaxStale = true;
  }

  /** Counts a value's hashes and ports, once more (1) or once less (-1). */
  #index(values: Int32Array, at: number, change: 1 | -1): void {
    const { shape } = this;
    let hash = 0;
    for (let stage = 0; stage < this.#counts.length; stage++) {
      hash = shape.mixPacked(hash, values, at, stage === 0 ? 0 : shape.ends[stage - 1]!, shape.ends[stage]!);
      const counts = this.#counts[stage]!;
      const before = counts.size;
      if (change === 1) counts.add(shape.finish(hash));
      else counts.delete(shape.finish(hash));
      if (counts.size !== before && stage < this.prefixStage) this.gate = undefined;
    }
    if (!this.#portsTrie) return;
    // The word of the ports is the last one in which they count
    let i = shape.size - 1;
    while (shape.words[i] !== PORTS_WORD) i--;
    portsValue[0] = swap(values[at + i]!);
    if (change === 1) this.#portsTrie.insert(portsValue, this.#portsLength);
    else this.#portsTrie.remove(portsValue, this.#portsLength);
  }

  remove<T>(entries: Entries<T>, id: RuleId): void {
    const slot = entries.slot[id]!;
    const at = this.valueAt(slot);
    const place = this.#place(entries, this.#values, at, entries.hash[id]!);
    const first = this.#places[place]! - 1;
    const next = entries.next[id]!;
    if (first !== id) {
      let previous = first;
      while (entries.next[previous] !== id) previous = entries.next[previous]!;
      entries.next[previous] = next;
    } else if (next >= 0) this.#places[place] = next + 1;
    else this.#free(entries, place);
    this.#uncount(entries.priority[id]!);
    this.#index(this.#values, at, -1);
    this.#freeSlots.push(slot);
  }

  /** Frees a place; what could lie nearer to where it belongs moves up. */
  #free<T>(entries: Entries<T>, place: number): void {
    const last = this.#places.length - 1;
    let hole = place;
    this.#places[hole] = 0;
    this.#placesUsed--;
    for (let at = (hole + 1) & last; this.#places[at] !== 0; at = (at + 1) & last) {
      const home = entries.hash[this.#places[at]! - 1]! & last;
      if (((at - home) & last) < ((at - hole) & last)) continue;
      this.#places[hole] = this.#places[at]!;
      this.#places[at] = 0;
      hole = at;
    }
  }

  /** Whether the key's words up to the end of a stage could be those of some rule. @param hash of them, finished */
  mayHave(stage: number, hash: number): boolean {
    return this.#counts[stage]!.has(hash);
  }

  /** The visible rule of the highest priority that a key falls under; -1 when there is none. @param hash of the whole key, finished */
  find<T>(entries: Entries<T>, key: Int32Array, hash: number, version: Version): RuleId {
    const { shape } = this;
    const places = this.#places;
    const last = places.length - 1;
    for (let place = hash & last; ; place = (place + 1) & last) {
      let id = places[place]! - 1;
      if (id < 0) return -1;
      if (entries.hash[id] !== hash || !shape.fits(key, this.#values, entries.slot[id]! * shape.size)) continue;
      while (id >= 0 && !entries.isVisible(id, version)) id = entries.next[id]!;
      return id;
    }
  }

  /**
   * The bits of the ports, in network order, that a key without rule must keep to stay without one: what the trie looked
   * at. All that the mask has when the mask has ports.
   */
  decidingPorts(key: Int32Array): number {
    const { portsMask } = this.shape;
    if (!this.#portsTrie) return 0;
    portsValue[0] = swap(key[PORTS_WORD]!) & portsMask;
    const bits = this.#portsTrie.lookup(portsValue, 32);
    return bits === 0 ? 0 : portsMask & (-1 << (32 - bits));
  }

  /** Whether the value of a slot has the bits of a key that a mask asks for; the mask is within this one's. */
  isWithin(slot: number, limit: Shape, key: Int32Array): boolean {
    const { words, masks } = this.shape;
    const at = this.valueAt(slot);
    // Both lists of words are in the same order: stage by stage, and by number within
    let own = 0;
    for (let i = 0; i < limit.size; i++) {
      const word = limit.words[i]!;
      const bits = limit.masks[i]!;
      while (words[own] !== word || (masks[own]! & bits) !== bits) own++;
      if (((this.#values[at + own]! ^ key[word]!) & bits) !== 0) return false;
    }
    return true;
  }

  /** The first rule of each match. */
  forEachFirst(visit: (id: RuleId) => void): void {
    for (const entry of this.#places) if (entry !== 0) visit(entry - 1);
  }
}
