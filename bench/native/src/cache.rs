//! Exact-match cache: buckets of one cache line, eight signatures and then eight flow handles. A hit is verified by the
//! megaflow's own masked compare, so an entry needs no copy of the key and can be old, but never wrong.

use crate::classifier::{FLOW_KEY, Flow, equal_masked};
use crate::memory::{Arena, place, prefetch};
use crate::packet::Packet;
use std::arch::x86_64::*;

const WAYS: usize = 8;

#[repr(C, align(64))]
struct Bucket {
    signatures: [u32; WAYS],
    flows: [u32; WAYS],
}

pub struct Cache {
    buckets: *mut Bucket,
    mask: u32,
    /// A full bucket gives an entry up for one in so many new ones.
    insert_inverse: u32,
    random: u32,
}

impl Cache {
    pub fn new(entries: usize, insert_inverse: u32) -> Self {
        let count = entries / WAYS;
        let buckets = place(count * size_of::<Bucket>(), 64).cast();
        Self { buckets, mask: count as u32 - 1, insert_inverse, random: 1 }
    }

    /// Bit i is set when entry i of the bucket has this signature.
    #[inline(always)]
    unsafe fn candidates(bucket: *const Bucket, hash: u32) -> u32 {
        unsafe {
            let wanted = _mm_set1_epi32(hash as i32);
            let signatures = (*bucket).signatures.as_ptr().cast::<__m128i>();
            let bits = |at: *const __m128i| {
                _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_load_si128(at), wanted))) as u32
            };
            bits(signatures) | bits(signatures.add(1)) << 4
        }
    }

    /// The first flow with the packet's signature, 0 for none; its memory is on the way then.
    #[inline(always)]
    pub unsafe fn propose(&self, arena: &Arena, hash: u32) -> u32 {
        unsafe {
            let bucket = self.buckets.add((hash & self.mask) as usize);
            let places = Self::candidates(bucket, hash);
            if places == 0 {
                return 0;
            }
            let handle = *(*bucket).flows.get_unchecked(places.trailing_zeros() as usize);
            prefetch(arena.at::<u8>(handle));
            prefetch(arena.at::<u8>(handle).add(FLOW_KEY));
            handle
        }
    }

    /// Whether the packet falls under the flow.
    #[inline(always)]
    pub unsafe fn verify(arena: &Arena, handle: u32, packet: *const Packet) -> bool {
        unsafe {
            let flow = arena.at::<Flow>(handle);
            handle != 0 && !(*flow).subtable.is_null() && equal_masked((*flow).subtable, flow, (*packet).key)
        }
    }

    /// Tries every place with the packet's signature: keys of one hash, or that differ in TTL or TCP flags only.
    #[cold]
    pub unsafe fn find_elsewhere(&self, arena: &Arena, packet: *const Packet) -> u32 {
        unsafe {
            let bucket = self.buckets.add(((*packet).hash & self.mask) as usize);
            let mut places = Self::candidates(bucket, (*packet).hash);
            while places != 0 {
                let handle = *(*bucket).flows.get_unchecked(places.trailing_zeros() as usize);
                if Self::verify(arena, handle, packet) {
                    return handle;
                }
                places &= places - 1;
            }
            0
        }
    }

    /// Whether it found a place.
    pub unsafe fn insert(&mut self, hash: u32, flow: u32) -> bool {
        let bucket = unsafe { &mut *self.buckets.add((hash & self.mask) as usize) };
        // several packets of one burst may have missed for the same key
        if bucket.signatures.iter().zip(&bucket.flows).any(|(&s, &f)| s == hash && f == flow) {
            return false;
        }
        let place = bucket.flows.iter().position(|&f| f == 0).or_else(|| self.victim());
        if let Some(i) = place {
            bucket.signatures[i] = hash;
            bucket.flows[i] = flow;
        }
        place.is_some()
    }

    /// The place that a new entry takes in a full bucket, if it is let in.
    fn victim(&mut self) -> Option<usize> {
        self.random = self.random.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let is_in = ((self.random >> 8) as u64 * self.insert_inverse as u64) >> 24 == 0;
        is_in.then_some((self.random >> 5) as usize & (WAYS - 1))
    }
}

/// Lookups between two judgements of the cache.
const JUDGE_INTERVAL: u64 = 8192;
/// A cache that is left aside is asked by one burst in so many.
const SAMPLE_INTERVAL: u32 = 16;
const FILLING_INVERSE: u64 = 4;

/// Whether the cache is worth asking, as in assembly/cache/worth: with many more connections than places, and few masks, it
/// costs more than it saves.
#[derive(Default)]
pub struct Worth {
    bypass: u32,
    lookups: u64,
    hits: u64,
    visits: u64,
    inserted: u64,
}

impl Worth {
    /// Whether this burst goes to the cache.
    pub fn is_asked(&mut self) -> bool {
        if self.bypass == 0 {
            return true;
        }
        let is_last = self.bypass == 1;
        self.bypass = if is_last { SAMPLE_INTERVAL } else { self.bypass - 1 };
        is_last
    }

    /// Notes what a burst got from the cache, subtables visited for the rest, and how many of those got in.
    pub fn note(&mut self, lookups: u64, hits: u64, visits: u64, inserted: u64) {
        self.lookups += lookups;
        self.hits += hits;
        self.visits += visits;
        self.inserted += inserted;
        if self.lookups < JUDGE_INTERVAL {
            return;
        }
        let misses = self.lookups - self.hits;
        let is_filling = self.inserted * FILLING_INVERSE >= misses;
        let is_worth = self.hits * (self.visits + misses) >= self.lookups * misses;
        *self = Self::default();
        if !is_worth && !is_filling {
            self.bypass = SAMPLE_INTERVAL;
        }
    }
}
