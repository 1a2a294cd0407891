/**
 * Hashing of flow keys.
 *
 * What. 32-bit hashes of whole keys (the exact-match cache goes by them) and of packed masked keys (a subtable's table
 * does). Each 16-byte block is two products of 32-bit halves, summed in 64 bits beside the data, as XXH3 and NH do:
 * WebAssembly has no wide multiply, but i64x2.extmul is one PMULUDQ. A final multiply-xor folds the two sums.
 *
 * Terms. *secret*: the constant that block i is XORed with, SECRET + i × STEP in each 32-bit lane, so that equal blocks in
 * different places differ.
 *
 * Invariants. The SIMD functions and their scalar twins give the same number (test/unit/pipeline). Hash values live
 * in one process only: nothing outside may rely on them.
 *
 * Not supported: defence against an attacker who reads the secrets out of the source and aims for collisions.
 */
import { BLOCK_SIZE } from '../../src/gen/layout';

const SECRET_0: u32 = 0x9e3779b1;
const SECRET_1: u32 = 0x85ebca77;
const SECRET_2: u32 = 0xc2b2ae3d;
const SECRET_3: u32 = 0x27d4eb2f;
const STEP: u32 = 0x165667b1;
const PRIME_MIX: u64 = (0xc2b2ae3d << 32) | 0x27d4eb4f;

/** Block of the key with TTL and TCP flags, and its bytes that count in hashKey. */
const TTL_BLOCK: u32 = 2;

/** The secret of block i; constant when i is. */
// @inline
export function secret(i: u32): v128 {
  return i32x4.add(firstSecret(), i32x4.splat(i * STEP));
}

// @inline
export function firstSecret(): v128 {
  return i32x4(<i32>SECRET_0, <i32>SECRET_1, <i32>SECRET_2, <i32>SECRET_3);
}

// @inline
export function nextSecret(k: v128): v128 {
  return i32x4.add(k, i32x4.splat(STEP));
}

/** The sums of one block: 32-bit lane 0 times lane 2, lane 1 times lane 3, and the data, lest a zero factor hide it. */
// @inline
export function blockSums(data: v128, k: v128): v128 {
  const keyed = v128.xor(data, k);
  return i64x2.add(i64x2.extmul_low_i32x4_u(keyed, v128.shuffle<i64>(keyed, keyed, 1, 0)), data);
}

/** One block more into the sums. */
// @inline
export function mixBlock(sums: v128, data: v128, k: v128): v128 {
  return i64x2.add(sums, blockSums(data, k));
}

/** The hash of two sums: the one XORed with the other's halves swapped, then multiplied and folded. */
// @inline
export function finishHash(sums: v128): u32 {
  return fold(i64x2.extract_lane(v128.xor(sums, v128.shuffle<i32>(sums, sums, 3, 2, 1, 0)), 0));
}

// @inline
function fold(x: u64): u32 {
  return <u32>(((x ^ (x >> 32)) * PRIME_MIX) >> 32);
}

/** 0xff in the bytes of TTL_BLOCK that hashKey counts: not TTL (byte 13), not TCP flags (14, 15). */
// @inline
function ttlBlockMask(): v128 {
  return i64x2(-1, 0x000000ff_ffffffff);
}

/**
 * Hash of a whole key but TTL and TCP flags, which change within one connection. Blocks outside `map` must be zero.
 * @param map the key map; blocks 0 to 2 are hashed whatever it says
 */
export function hashKey(key: usize, map: u64): u32 {
  const counted = v128.and(v128.load(key, 32), ttlBlockMask());
  return hashBlocks(v128.load(key), v128.load(key, 16), counted, key, map);
}

/** The same with the first three blocks at hand, TTL and TCP flags taken out: they need not come from memory. */
// @inline
export function hashBlocks(block0: v128, block1: v128, block2: v128, key: usize, map: u64): u32 {
  let sums = blockSums(block0, secret(0));
  sums = mixBlock(sums, block1, secret(1));
  sums = mixBlock(sums, block2, secret(2));
  const rest = map & ~(<u64>7);
  if (rest != 0) sums = mixRest(sums, key, rest);
  return finishHash(sums);
}

function mixRest(sums: v128, key: usize, map: u64): v128 {
  let rest = map;
  while (rest != 0) {
    const i = <u32>ctz(rest);
    sums = mixBlock(sums, v128.load(key + ((<usize>i) << 4)), secret(i));
    rest &= rest - 1;
  }
  return sums;
}

/** Hash of `blocks` packed blocks (a key & mask without the blocks that the mask leaves out). */
export function hashPacked(address: usize, blocks: u32): u32 {
  let sums = i64x2.splat(0);
  let k = firstSecret();
  for (let i: u32 = 0; i < blocks; i++) {
    sums = mixBlock(sums, v128.load(address + ((<usize>i) << 4)), k);
    k = nextSecret(k);
  }
  return finishHash(sums);
}

/** The products of one block without SIMD: lane 0 × lane 2 for `half` 0, lane 1 × lane 3 for 1; plus that half. */
function scalarSum(lo: u64, hi: u64, i: u32, half: u64): u64 {
  const shift = half << 5;
  const s = i * STEP;
  const a = <u32>(lo >> shift) ^ ((half ? SECRET_1 : SECRET_0) + s);
  const b = <u32>(hi >> shift) ^ ((half ? SECRET_3 : SECRET_2) + s);
  return <u64>a * <u64>b + (half ? hi : lo);
}

/** Scalar twin of hashPacked. */
export function hashPackedScalar(address: usize, blocks: u32): u32 {
  let a: u64 = 0;
  let b: u64 = 0;
  for (let i: u32 = 0; i < blocks; i++) {
    const at = address + ((<usize>i) << 4);
    a += scalarSum(load<u64>(at), load<u64>(at, 8), i, 0);
    b += scalarSum(load<u64>(at), load<u64>(at, 8), i, 1);
  }
  return fold(a ^ rotl<u64>(b, 32));
}

/** Scalar twin of hashKey. */
export function hashKeyScalar(key: usize, map: u64): u32 {
  let a: u64 = 0;
  let b: u64 = 0;
  let rest = map | 7;
  while (rest != 0) {
    const i = <u32>ctz(rest);
    const at = key + <usize>(i * BLOCK_SIZE);
    const lo = load<u64>(at);
    const hi = i == TTL_BLOCK ? load<u64>(at, 8) & 0x000000ff_ffffffff : load<u64>(at, 8);
    a += scalarSum(lo, hi, i, 0);
    b += scalarSum(lo, hi, i, 1);
    rest &= rest - 1;
  }
  return fold(a ^ rotl<u64>(b, 32));
}
