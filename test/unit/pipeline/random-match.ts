/** Random masks and keys that meet often: few blocks, few values. */
import { FlowKey, type FlowMask, type Match, maskedMatch } from '../../../src/flow/key.ts';
import { BLOCK_SIZE } from '../../../src/gen/layout.ts';
import type { Random } from '../../../src/lib/random.ts';

const blocksUsed = [0, 1, 2, 3, 4, 5, 7, 11, 16, 20, 31, 32, 35];

/** Touches one to seven blocks. */
export function randomMask(random: Random): FlowMask {
  const mask = new FlowKey();
  const count = random.chance(0.8) ? 1 + random.below(4) : 5 + random.below(3);
  for (let i = 0; i < count; i++) {
    const block = random.pick(blocksUsed) * BLOCK_SIZE;
    if (random.chance(0.3)) mask.bytes.fill(0xff, block, block + BLOCK_SIZE);
    else if (random.chance(0.5)) mask.bytes[block + random.below(BLOCK_SIZE)] = 0xff;
    else mask.bytes[block + random.below(BLOCK_SIZE)] = 1 << random.below(8);
  }
  return mask;
}

/** Each block that masks touch is one of `variety` values, or zero. */
export function randomKey(random: Random, variety = 3): FlowKey {
  const key = new FlowKey();
  for (const block of blocksUsed) {
    const value = random.below(variety + 1);
    if (value === 0) continue;
    for (let i = 0; i < BLOCK_SIZE; i++) key.bytes[block * BLOCK_SIZE + i] = (value * 37 + block * 11 + i * 7) & 0xff;
  }
  return key;
}

export const randomMatch = (random: Random, masks: readonly FlowMask[]): Match =>
  maskedMatch(randomKey(random), random.pick(masks));
