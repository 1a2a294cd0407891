/** Flow keys without their empty blocks: what is remembered of each megaflow, and there can be a million of them. */
import { FlowKey } from '../flow/key.ts';
import { BLOCK_SIZE, KEY_SIZE } from '../gen/layout.ts';

/** For each block that is not all zero: its number, then its bytes. */
export type PackedKey = Uint8Array;

const ENTRY_SIZE = 1 + BLOCK_SIZE;

function isEmpty(bytes: Uint8Array, start: number): boolean {
  for (let i = start; i < start + BLOCK_SIZE; i++) if (bytes[i] !== 0) return false;
  return true;
}

export function packKey({ bytes }: FlowKey): PackedKey {
  const blocks: number[] = [];
  for (let at = 0; at < KEY_SIZE; at += BLOCK_SIZE) if (!isEmpty(bytes, at)) blocks.push(at);
  const packed = new Uint8Array(blocks.length * ENTRY_SIZE);
  blocks.forEach((at, i) => {
    packed[i * ENTRY_SIZE] = at / BLOCK_SIZE;
    packed.set(bytes.subarray(at, at + BLOCK_SIZE), i * ENTRY_SIZE + 1);
  });
  return packed;
}

export function unpackKey(packed: PackedKey): FlowKey {
  const key = new FlowKey();
  for (let at = 0; at < packed.length; at += ENTRY_SIZE) {
    key.bytes.set(packed.subarray(at + 1, at + ENTRY_SIZE), packed[at]! * BLOCK_SIZE);
  }
  return key;
}

/** Whether every bit of `inner` is one of the packed key's too. */
export function coversMask(outer: PackedKey, inner: FlowKey): boolean {
  let next = 0;
  for (let block = 0; block < KEY_SIZE / BLOCK_SIZE; block++) {
    const isThere = next < outer.length && outer[next] === block;
    for (let i = 0; i < BLOCK_SIZE; i++) {
      const allowed = isThere ? outer[next + 1 + i]! : 0;
      if ((inner.bytes[block * BLOCK_SIZE + i]! & ~allowed) !== 0) return false;
    }
    if (isThere) next += ENTRY_SIZE;
  }
  return true;
}

/** The key as a string, for tables: equal keys give equal strings. */
export const keyText = (key: FlowKey): string => Buffer.from(packKey(key)).toString('latin1');
