/** The tries of one classifier: which of its rules have which prefixes of the tracked fields. */
import {
  addPrefixBits,
  ETH_TYPE_OFFSET,
  hasPrefixBits,
  type PrefixField,
  type PrefixPlace,
  prefixLength,
  prefixPlace,
  readPrefixValue,
} from './prefixes.ts';
import type { Subtable } from './subtable.ts';
import { PrefixTrie } from './trie.ts';
import { stageOfByte, swap } from './words.ts';

const ETH_TYPE_WORD = ETH_TYPE_OFFSET >> 2;
const ethTypeOf = (key: Int32Array): number =>
  (swap(key[ETH_TYPE_WORD]!) >>> (16 - 8 * (ETH_TYPE_OFFSET & 3))) & 0xffff;

/** Lengths of prefixes that fit in a number, a byte each. */
const PACKED_MAX = 3;

/** What one trie says of the packet that is looked up. */
class Tracked {
  readonly place: PrefixPlace;
  readonly trie = new PrefixTrie();
  isAsked = false;
  /** False when the field means something else in this packet, and nothing can be skipped. */
  isApplicable = false;
  bits = 0;
  /** The bits are in the wildcards of this search. */
  isAdded = false;

  constructor(name: PrefixField) {
    this.place = prefixPlace(name);
  }
}

export class PrefixTracker {
  readonly #tracked: readonly Tracked[];
  readonly #value = new Int32Array(6);

  constructor(fields: readonly PrefixField[]) {
    this.#tracked = fields.map((name) => new Tracked(name));
  }

  /** Tells a new subtable which of the fields are prefixes in its mask. @param mask words of the whole mask */
  prepare(subtable: Subtable, mask: Int32Array): void {
    const { stages } = subtable.shape;
    subtable.prefixLengths = Uint8Array.from(this.#tracked, ({ place }) => prefixLength(mask, place));
    subtable.prefixStages = Uint8Array.from(stages, (stage) => {
      let fields = 0;
      this.#tracked.forEach(({ place }, i) => {
        if (subtable.prefixLengths[i]! > 0 && stageOfByte[place.field.offset] === stage) fields |= 1 << i;
      });
      return fields;
    });
    this.#prepareFirst(subtable);
  }

  /** The first stage that looks at prefixes, and which: when they fit in a number, and stages come before it. */
  #prepareFirst(subtable: Subtable): void {
    const stage = subtable.prefixStages.findIndex((fields) => fields !== 0);
    subtable.prefixStage = 0;
    subtable.gate = undefined;
    if (stage <= 0 || this.#tracked.length > PACKED_MAX) return;
    subtable.prefixStage = stage;
    subtable.stageLengths = 0;
    for (let i = 0; i < this.#tracked.length; i++) {
      const isHere = ((subtable.prefixStages[stage]! >>> i) & 1) === 1;
      if (isHere) subtable.stageLengths |= subtable.prefixLengths[i]! << (8 * i);
    }
  }

  /** rulesOut() in the subtable's first stage with prefixes. */
  rulesOutFirst(stageLengths: number, key: Int32Array, wildcards: Int32Array): boolean {
    for (let i = 0, lengths = stageLengths; lengths !== 0; i++, lengths >>>= 8) {
      const length = lengths & 0xff;
      if (length !== 0 && this.#rulesOut(this.#tracked[i]!, length, key, wildcards)) return true;
    }
    return false;
  }

  #rulesOut(tracked: Tracked, length: number, key: Int32Array, wildcards: Int32Array): boolean {
    if (!tracked.isAsked) this.#ask(tracked, key);
    if (!tracked.isApplicable || tracked.trie.hasLength(length)) return false;
    if (tracked.bits > length) return hasPrefixBits(wildcards, tracked.place, tracked.bits);
    if (!tracked.isAdded) {
      tracked.isAdded = true;
      addPrefixBits(wildcards, tracked.place, tracked.bits);
    }
    return true;
  }

  /** A rule with this key came (1) or went (-1). */
  change(subtable: Subtable, key: Int32Array, change: 1 | -1): void {
    for (let i = 0; i < this.#tracked.length; i++) {
      const length = subtable.prefixLengths[i]!;
      if (length === 0) continue;
      const { trie, place } = this.#tracked[i]!;
      readPrefixValue(key, place, this.#value);
      if (change === 1) trie.insert(this.#value, length);
      else trie.remove(this.#value, length);
    }
  }

  /** Another packet is looked up. */
  begin(): void {
    for (let i = 0; i < this.#tracked.length; i++) this.#tracked[i]!.isAsked = false;
  }

  #ask(tracked: Tracked, key: Int32Array): void {
    const { place, trie } = tracked;
    tracked.isAsked = true;
    tracked.isAdded = false;
    tracked.isApplicable = place.ethType === 0 || ethTypeOf(key) === place.ethType;
    if (!tracked.isApplicable) return;
    readPrefixValue(key, place, this.#value);
    tracked.bits = trie.lookup(this.#value, 32 * place.words);
  }

  /**
   * Whether a stage of a subtable has no rule for the packet because none has the prefix, shown by bits that are in the
   * wildcards afterwards and would be there anyway had the subtable been searched: a trie knows all rules, so what it looked
   * at may be more than this subtable's mask has.
   */
  rulesOut(subtable: Subtable, fields: number, key: Int32Array, wildcards: Int32Array): boolean {
    for (let i = 0; fields >>> i !== 0; i++) {
      if (((fields >>> i) & 1) === 0) continue;
      if (this.#rulesOut(this.#tracked[i]!, subtable.prefixLengths[i]!, key, wildcards)) return true;
    }
    return false;
  }
}
