/**
 * Masked keys: hash a key under a subtable's mask, and compare it with a megaflow.
 *
 * A subtable lists the key blocks that its mask touches; a Flow holds its masked key packed, those blocks only. So a
 * megaflow on in_port and IPv4 addresses costs two blocks of work, whatever the key has. Up to six blocks are unrolled by
 * hand (short SIMD loops stay rolled otherwise); masks over more blocks take the general loop.
 */
import {
  FLOW_SIZEOF,
  FLOW_SUBTABLE,
  SUBTABLE_BLOCK_COUNT,
  SUBTABLE_MASKS,
  SUBTABLE_OFFSETS,
} from '../../src/gen/layout';
import { finishHash, firstSecret, hashPackedScalar, mixBlock, nextSecret, secret } from './hash';

/** Byte offset in the key of the subtable's i-th block. */
// @inline
export function blockOffset(subtable: usize, i: u32): usize {
  return <usize>load<u16>(subtable + ((<usize>i) << 1), SUBTABLE_OFFSETS);
}

/** The i-th block of the key under the mask. */
// @inline
export function maskedBlock(subtable: usize, key: usize, i: u32): v128 {
  const mask = v128.load(subtable + ((<usize>i) << 4), SUBTABLE_MASKS);
  return v128.and(v128.load(key + blockOffset(subtable, i)), mask);
}

/** Bits in which the i-th masked block differs from the flow's. */
// @inline
function difference(subtable: usize, flow: usize, key: usize, i: u32): v128 {
  return v128.xor(maskedBlock(subtable, key, i), v128.load(flow + ((<usize>i) << 4), FLOW_SIZEOF));
}

/** Whether a key falls under a live flow of the subtable. */
export function equalMasked(subtable: usize, flow: usize, key: usize): bool {
  const blocks = load<u32>(subtable, SUBTABLE_BLOCK_COUNT);
  if (blocks - 1 >= 6) return equalMaskedAny(subtable, flow, key, blocks);
  let differs = difference(subtable, flow, key, 0);
  if (blocks > 1) differs = v128.or(differs, difference(subtable, flow, key, 1));
  if (blocks > 2) differs = v128.or(differs, difference(subtable, flow, key, 2));
  if (blocks > 3) differs = v128.or(differs, difference(subtable, flow, key, 3));
  if (blocks > 4) differs = v128.or(differs, difference(subtable, flow, key, 4));
  if (blocks > 5) differs = v128.or(differs, difference(subtable, flow, key, 5));
  return !v128.any_true(differs);
}

function equalMaskedAny(subtable: usize, flow: usize, key: usize, blocks: u32): bool {
  for (let i: u32 = 0; i < blocks; i++) {
    if (v128.any_true(difference(subtable, flow, key, i))) return false;
  }
  return true;
}

/** Whether a key falls under a flow; false for a flow that is deleted. */
// @inline
export function flowMatches(flow: usize, key: usize): bool {
  const subtable = <usize>load<u32>(flow, FLOW_SUBTABLE);
  return subtable != 0 && equalMasked(subtable, flow, key);
}

/** Hash of the key under the mask: that of the packed masked key. */
export function hashMasked(subtable: usize, key: usize): u32 {
  const blocks = load<u32>(subtable, SUBTABLE_BLOCK_COUNT);
  if (blocks - 1 >= 6) return hashMaskedAny(subtable, key, blocks);
  let sums = mixBlock(i64x2.splat(0), maskedBlock(subtable, key, 0), secret(0));
  if (blocks > 1) sums = mixBlock(sums, maskedBlock(subtable, key, 1), secret(1));
  if (blocks > 2) sums = mixBlock(sums, maskedBlock(subtable, key, 2), secret(2));
  if (blocks > 3) sums = mixBlock(sums, maskedBlock(subtable, key, 3), secret(3));
  if (blocks > 4) sums = mixBlock(sums, maskedBlock(subtable, key, 4), secret(4));
  if (blocks > 5) sums = mixBlock(sums, maskedBlock(subtable, key, 5), secret(5));
  return finishHash(sums);
}

function hashMaskedAny(subtable: usize, key: usize, blocks: u32): u32 {
  let sums = i64x2.splat(0);
  let k = firstSecret();
  for (let i: u32 = 0; i < blocks; i++) {
    sums = mixBlock(sums, maskedBlock(subtable, key, i), k);
    k = nextSecret(k);
  }
  return finishHash(sums);
}

/** Scalar twin of equalMasked. */
export function equalMaskedScalar(subtable: usize, flow: usize, key: usize): bool {
  const words = load<u32>(subtable, SUBTABLE_BLOCK_COUNT) << 1;
  for (let i: u32 = 0; i < words; i++) {
    const at = (<usize>i) << 3;
    const value = load<u64>(key + blockOffset(subtable, i >> 1) + (at & 8));
    if ((value & load<u64>(subtable + at, SUBTABLE_MASKS)) != load<u64>(flow + at, FLOW_SIZEOF)) return false;
  }
  return true;
}

/** Scalar twin of hashMasked; `scratch` has room for the packed key. */
export function hashMaskedScalar(subtable: usize, key: usize, scratch: usize): u32 {
  const blocks = load<u32>(subtable, SUBTABLE_BLOCK_COUNT);
  for (let i: u32 = 0; i < blocks << 1; i++) {
    const at = (<usize>i) << 3;
    const value = load<u64>(key + blockOffset(subtable, i >> 1) + (at & 8));
    store<u64>(scratch + at, value & load<u64>(subtable + at, SUBTABLE_MASKS));
  }
  return hashPackedScalar(scratch, blocks);
}
