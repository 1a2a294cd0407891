//! Hashes of flow keys: those of assembly/flow/hash. Each block is two products of 32-bit halves (PMULUDQ), summed in 64
//! bits beside the data; a multiply-xor folds the sums. WebAssembly has no CRC32, AES or 128-bit product to do better.

use std::arch::x86_64::*;

const SECRET: [u32; 4] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d, 0x27d4_eb2f];
const STEP: u32 = 0x1656_67b1;
const PRIME_MIX: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// The secret of block i; constant when i is.
#[inline(always)]
pub fn secret(i: u32) -> __m128i {
    let step = i.wrapping_mul(STEP);
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        _mm_set_epi32(
            SECRET[3].wrapping_add(step) as i32,
            SECRET[2].wrapping_add(step) as i32,
            SECRET[1].wrapping_add(step) as i32,
            SECRET[0].wrapping_add(step) as i32,
        )
    }
}

/// One block into the sums: lane 0 times lane 2, lane 1 times lane 3, and the data, lest a zero factor hide it.
#[inline(always)]
pub fn mix(sums: __m128i, data: __m128i, secret: __m128i) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let keyed = _mm_xor_si128(data, secret);
        let low = _mm_shuffle_epi32::<0b01_01_00_00>(keyed);
        let high = _mm_shuffle_epi32::<0b11_11_10_10>(keyed);
        let product = _mm_mul_epu32(low, high);
        _mm_add_epi64(sums, _mm_add_epi64(product, data))
    }
}

/// The hash of two sums: the one XORed with the other's halves swapped, then multiplied and folded.
#[inline(always)]
pub fn finish(sums: __m128i) -> u32 {
    // SAFETY: SSE2 is part of x86-64.
    let x = unsafe { _mm_cvtsi128_si64(_mm_xor_si128(sums, _mm_shuffle_epi32::<0b00_01_10_11>(sums))) as u64 };
    ((x ^ (x >> 32)).wrapping_mul(PRIME_MIX) >> 32) as u32
}

#[inline(always)]
pub fn zero() -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_setzero_si128() }
}

/// The exact-match cache's hash of a whole key: all but TTL and TCP flags.
#[inline(always)]
pub unsafe fn hash_key(key: *const u8, map: u64) -> u32 {
    unsafe {
        let block = |i: usize| _mm_load_si128(key.add(i * 16).cast());
        let counted = _mm_set_epi64x(0x0000_00ff_ffff_ffff, -1);
        let mut sums = mix(zero(), block(0), secret(0));
        sums = mix(sums, block(1), secret(1));
        sums = mix(sums, _mm_and_si128(block(2), counted), secret(2));
        let mut rest = map & !7;
        while rest != 0 {
            let i = rest.trailing_zeros();
            sums = mix(sums, block(i as usize), secret(i));
            rest &= rest - 1;
        }
        finish(sums)
    }
}

/// Hash of blocks packed one behind the other: a masked key as a megaflow holds it.
pub unsafe fn hash_packed(packed: *const u8, blocks: usize) -> u32 {
    let mut sums = zero();
    for i in 0..blocks {
        sums = mix(sums, unsafe { _mm_loadu_si128(packed.add(i * 16).cast()) }, secret(i as u32));
    }
    finish(sums)
}
