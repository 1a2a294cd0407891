//! A subtable's hash table: buckets of one cache line with seven places each, as in assembly/classifier/table.

use crate::classifier::{Flow, Subtable, equal_masked};
use crate::memory::{Arena, place};
use std::arch::x86_64::*;

const PLACES: usize = 7;
/// The table doubles when a bucket would hold so many eighths of an entry on average.
const FILL_EIGHTHS: u64 = 35;

#[repr(C, align(64))]
pub struct Bucket {
    /// 0 where the place is free.
    hashes: [u32; PLACES],
    /// Entries whose way from their home bucket led past this one.
    overflowed: u32,
    flows: [u32; PLACES],
    unused: u32,
}

pub fn create(count: usize) -> *mut Bucket {
    place(count * size_of::<Bucket>(), 64).cast()
}

impl Bucket {
    /// Whether the bucket holds the hash or has overflowed: one test on one line.
    #[inline(always)]
    pub unsafe fn is_candidate(bucket: *const Bucket, hash: u32) -> bool {
        unsafe {
            let wanted = _mm_set1_epi32(hash as i32);
            let low = _mm_load_si128(bucket.cast());
            let high = _mm_load_si128(bucket.cast::<__m128i>().add(1));
            let equal = _mm_or_si128(_mm_cmpeq_epi32(low, wanted), _mm_cmpeq_epi32(high, wanted));
            let overflowed = _mm_and_si128(high, _mm_set_epi32(-1, 0, 0, 0));
            let either = _mm_or_si128(equal, overflowed);
            _mm_testz_si128(either, either) == 0
        }
    }

    #[inline(always)]
    unsafe fn places_of(bucket: *const Bucket, hash: u32) -> u32 {
        unsafe {
            let wanted = _mm_set1_epi32(hash as i32);
            let lines = bucket.cast::<__m128i>();
            let bits =
                |i| _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_load_si128(lines.add(i)), wanted))) as u32;
            (bits(0) | bits(1) << 4) & 0x7f
        }
    }
}

/// Handle of the flow that a key falls under, 0 for none. `hash` is that of the masked key.
#[inline(never)]
pub unsafe fn find(arena: &Arena, subtable: *const Subtable, hash: u32, key: *const u8) -> u32 {
    unsafe {
        let mask = (*subtable).bucket_mask;
        for i in 0..=mask {
            let bucket = (*subtable).buckets.add((hash.wrapping_add(i) & mask) as usize);
            let mut places = Bucket::places_of(bucket, hash);
            while places != 0 {
                let flow = *(*bucket).flows.get_unchecked(places.trailing_zeros() as usize);
                if flow != 0 && equal_masked(subtable, arena.at::<Flow>(flow), key) {
                    return flow;
                }
                places &= places - 1;
            }
            if (*bucket).overflowed == 0 {
                return 0;
            }
        }
        0
    }
}

pub fn insert(subtable: &mut Subtable, hash: u32, flow: u32) {
    let entries = (subtable.flow_count as u64 + 1) * 8;
    if entries > (subtable.bucket_mask as u64 + 1) * FILL_EIGHTHS {
        grow(subtable);
    }
    put(subtable, hash, flow);
    subtable.flow_count += 1;
}

fn put(subtable: &mut Subtable, hash: u32, flow: u32) {
    let mut at = hash & subtable.bucket_mask;
    loop {
        // SAFETY: at is masked; the table has room, so a free place comes.
        let bucket = unsafe { &mut *subtable.buckets.add(at as usize) };
        if let Some(i) = bucket.flows.iter().position(|&f| f == 0) {
            bucket.hashes[i] = hash;
            bucket.flows[i] = flow;
            return;
        }
        bucket.overflowed += 1;
        at = (at + 1) & subtable.bucket_mask;
    }
}

fn grow(subtable: &mut Subtable) {
    let old = subtable.buckets;
    let count = subtable.bucket_mask as usize + 1;
    subtable.buckets = create(count * 2);
    subtable.bucket_mask = count as u32 * 2 - 1;
    for i in 0..count {
        // SAFETY: i is below the old table's size.
        let bucket = unsafe { &*old.add(i) };
        for (&flow, &hash) in bucket.flows.iter().zip(&bucket.hashes) {
            if flow != 0 {
                put(subtable, hash, flow);
            }
        }
    }
}
