/** Flow keys without their empty blocks: what is remembered of each megaflow, and there can be a million of them. */
import type { FlowKey } from '../flow/key.ts';
import { BLOCK_SIZE, KEY_SIZE } from '../gen/layout.ts';

/** Two words with a bit for each block that is not all zero, lowest first, then those blocks, four words each. */
export type PackedKey = Uint32Array;

const MAP_WORDS = 2;
const BLOCK_WORDS = BLOCK_SIZE / 4;
const BLOCK_COUNT = KEY_SIZE / BLOCK_SIZE;

/** Where blocks are gathered before their number is known. */
const gathered = new Uint32Array(MAP_WORDS + KEY_SIZE / 4);

export function packKey({ words }: FlowKey): PackedKey {
  gathered[0] = 0;
  gathered[1] = 0;
  let at = MAP_WORDS;
  for (let block = 0, from = 0; block < BLOCK_COUNT; block++, from += BLOCK_WORDS) {
    const [a, b, c, d] = [words[from]!, words[from + 1]!, words[from + 2]!, words[from + 3]!];
    if ((a | b | c | d) === 0) continue;
    gathered[block >>> 5]! |= 1 << (block & 31);
    gathered[at] = a;
    gathered[at + 1] = b;
    gathered[at + 2] = c;
    gathered[at + 3] = d;
    at += BLOCK_WORDS;
  }
  return gathered.slice(0, at);
}

const hasBlock = (packed: PackedKey, block: number): boolean => ((packed[block >>> 5]! >>> (block & 31)) & 1) === 1;

/** Writes a packed key over another. */
export function unpackKey(packed: PackedKey, into: FlowKey): FlowKey {
  const { words } = into;
  let from = MAP_WORDS;
  for (let block = 0; block < BLOCK_COUNT; block++) {
    const isThere = hasBlock(packed, block);
    for (let i = block * BLOCK_WORDS; i < (block + 1) * BLOCK_WORDS; i++) words[i] = isThere ? packed[from++]! : 0;
  }
  return into;
}

/** Whether a packed key is that of `key`. */
export function isPackedFrom(packed: PackedKey, { words }: FlowKey): boolean {
  let at = MAP_WORDS;
  for (let block = 0; block < BLOCK_COUNT; block++) {
    const isThere = hasBlock(packed, block);
    for (let i = block * BLOCK_WORDS; i < (block + 1) * BLOCK_WORDS; i++)
      if (words[i] !== (isThere ? packed[at++] : 0)) return false;
  }
  return true;
}

/** Whether every bit of `inner` is one of the packed key's too. */
export function coversMask(outer: PackedKey, { words }: FlowKey): boolean {
  let at = MAP_WORDS;
  for (let block = 0; block < BLOCK_COUNT; block++) {
    const isThere = hasBlock(outer, block);
    for (let i = block * BLOCK_WORDS; i < (block + 1) * BLOCK_WORDS; i++)
      if ((words[i]! & ~(isThere ? outer[at++]! : 0)) !== 0) return false;
  }
  return true;
}
