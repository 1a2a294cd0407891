/**
 * A mask, made ready: the words that it touches in the order of the stages, and how values are packed, compared and
 * hashed by it.
 */
import { PIPELINE_KEY_SIZE } from '../../gen/tables.ts';
import { FlowKey, PipelineKey } from '../key.ts';
import { PORTS_WORD } from './prefixes.ts';
import { KEY_WORDS, STAGE_COUNT, stageOfByte, swap } from './words.ts';

/** A word of the key counts in each stage that some byte of it belongs to: the bytes of the stage, by stage and word. */
const stageMasks = Array.from({ length: STAGE_COUNT }, (_, stage) => {
  const bytes = Uint8Array.from(stageOfByte, (own) => (own === stage ? 0xff : 0));
  return new Int32Array(bytes.buffer);
});
/** Words that have bytes of a stage. */
const stageWords = stageMasks.map((masks) => Uint16Array.from(masks.keys()).filter((word) => masks[word] !== 0));

const step = (hash: number, word: number): number => {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
};

const finish = (hash: number): number => {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  return mixed ^ (mixed >>> 13);
};

/** For reading values of rules as keys, one at a time: zero but for what view() wrote last. */
const unpacked = new Int32Array(KEY_WORDS);
let unpackedWords: Uint16Array = new Uint16Array(0);

export class Shape {
  /** Words of the key that count, stage by stage; a word with bytes of two stages is there twice. */
  readonly words: Uint16Array;
  readonly masks: Int32Array;
  /**
   * Where the stages end in `words`. Only stages that look at something; the last one ends with the words. At least one,
   * which is empty for the mask of everything.
   */
  readonly ends: Uint16Array;
  /** By entry of `ends`: which of the four stages it is. */
  readonly stages: Uint8Array;
  /** The mask of the transport ports: source << 16 | destination. */
  readonly portsMask: number;
  readonly #whole: Int32Array;

  /** @param mask words of a whole key */
  constructor(mask: Int32Array) {
    const words: number[] = [];
    const masks: number[] = [];
    const ends: number[] = [];
    const stages: number[] = [];
    for (let stage = 0; stage < STAGE_COUNT; stage++) {
      const before = words.length;
      for (const word of stageWords[stage]!) {
        const bits = (mask[word] ?? 0) & stageMasks[stage]![word]!;
        if (bits === 0) continue;
        words.push(word);
        masks.push(bits);
      }
      if (words.length === before) continue;
      ends.push(words.length);
      stages.push(stage);
    }
    this.words = Uint16Array.from(words);
    this.masks = Int32Array.from(masks);
    this.ends = Uint16Array.from(ends.length === 0 ? [0] : ends);
    this.stages = Uint8Array.from(stages.length === 0 ? [0] : stages);
    this.portsMask = swap(mask[PORTS_WORD]!);
    this.#whole = mask.slice();
  }

  /** Words of a packed value. */
  get size(): number {
    return this.words.length;
  }

  /** The bits of a key that count, packed. */
  pack(key: Int32Array, into: Int32Array, at: number): void {
    const { words, masks } = this;
    for (let i = 0; i < words.length; i++) into[at + i] = key[words[i]!]! & masks[i]!;
  }

  /** Whether a key has a packed value. */
  fits(key: Int32Array, values: Int32Array, at: number): boolean {
    const { words, masks } = this;
    for (let i = 0; i < words.length; i++) if ((key[words[i]!]! & masks[i]!) !== values[at + i]) return false;
    return true;
  }

  /** Goes on with a hash over some of the words. */
  mix(hash: number, key: Int32Array, from: number, to: number): number {
    const { words, masks } = this;
    let mixed = hash;
    for (let i = from; i < to; i++) mixed = step(mixed, key[words[i]!]! & masks[i]!);
    return mixed;
  }

  /** The same over a packed value. */
  mixPacked(hash: number, values: Int32Array, at: number, from: number, to: number): number {
    let mixed = hash;
    for (let i = from; i < to; i++) mixed = step(mixed, values[at + i]!);
    return mixed;
  }

  /** What mix() gave, fit for a hash table. */
  finish(hash: number): number {
    return finish(hash);
  }

  /** Adds some of the words of the mask to wildcards. */
  addSome(wildcards: Int32Array, from: number, to: number): void {
    const { words, masks } = this;
    for (let i = from; i < to; i++) wildcards[words[i]!]! |= masks[i]!;
  }

  /** Whether every bit of this mask is in another one. */
  isWithin(mask: Int32Array): boolean {
    const { words, masks } = this;
    for (let i = 0; i < words.length; i++) if ((masks[i]! & ~mask[words[i]!]!) !== 0) return false;
    return true;
  }

  /** Whether this is the shape of a mask. */
  isOf(mask: Int32Array): boolean {
    for (let word = 0; word < KEY_WORDS; word++) if (this.#whole[word] !== mask[word]) return false;
    return true;
  }

  /** The words of the key that a packed value is: good until the next call. */
  view(values: Int32Array, at: number): Int32Array {
    for (const word of unpackedWords) unpacked[word] = 0;
    const { words } = this;
    for (let i = 0; i < words.length; i++) unpacked[words[i]!]! |= values[at + i]!;
    unpackedWords = words;
    return unpacked;
  }

  /** A key made of a packed value; of the mask itself without one. */
  unpack(values: Int32Array = this.masks, at = 0): PipelineKey {
    const words = new Int32Array(KEY_WORDS);
    for (let i = 0; i < this.words.length; i++) words[this.words[i]!]! |= values[at + i]!;
    return new PipelineKey(new Uint8Array(words.buffer, 0, PIPELINE_KEY_SIZE));
  }
}

/** A hash of a mask, for finding its shape. */
export function hashMask(mask: Int32Array): number {
  let hash = 0;
  for (let word = 0; word < mask.length; word++) if (mask[word] !== 0) hash = step(step(hash, word), mask[word]!);
  return finish(hash);
}

/** A key of whole pipeline size: a shorter one is a packet's, with nothing in the pipeline fields. */
export const wholeKey = (key: FlowKey): FlowKey =>
  key.bytes.length === PIPELINE_KEY_SIZE ? key : PipelineKey.of(new FlowKey(key.bytes));
