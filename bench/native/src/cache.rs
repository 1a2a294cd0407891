//! Exact-match cache: buckets of one cache line, eight signatures and then eight flow handles. A hit is verified by the
//! megaflow's own masked compare, so an entry needs no copy of the key and can be old, but never wrong.

use crate::classifier::{Flow, equal_masked};
use crate::memory::{Arena, place};
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
    pub insertions: u64,
}

impl Cache {
    pub fn new(entries: usize, insert_inverse: u32) -> Self {
        let count = entries / WAYS;
        let buckets = place(count * size_of::<Bucket>(), 64).cast();
        Self { buckets, mask: count as u32 - 1, insert_inverse, random: 1, insertions: 0 }
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

    /// Handle of the packet's flow, 0 for none.
    #[inline(always)]
    pub unsafe fn find(&self, arena: &Arena, packet: *const Packet) -> u32 {
        unsafe {
            let hash = (*packet).hash;
            let bucket = self.buckets.add((hash & self.mask) as usize);
            let mut bits = Self::candidates(bucket, hash);
            while bits != 0 {
                let handle = *(*bucket).flows.get_unchecked(bits.trailing_zeros() as usize);
                let flow = arena.at::<Flow>(handle);
                if handle != 0 && !(*flow).subtable.is_null() && equal_masked((*flow).subtable, flow, (*packet).key) {
                    return handle;
                }
                bits &= bits - 1;
            }
            0
        }
    }

    pub unsafe fn insert(&mut self, hash: u32, flow: u32) {
        let bucket = unsafe { &mut *self.buckets.add((hash & self.mask) as usize) };
        // several packets of one burst may have missed for the same key
        if bucket.signatures.iter().zip(&bucket.flows).any(|(&s, &f)| s == hash && f == flow) {
            return;
        }
        let place = bucket.flows.iter().position(|&f| f == 0).or_else(|| self.victim());
        if let Some(i) = place {
            bucket.signatures[i] = hash;
            bucket.flows[i] = flow;
            self.insertions += 1;
        }
    }

    /// The place that a new entry takes in a full bucket, if it is let in.
    fn victim(&mut self) -> Option<usize> {
        self.random = self.random.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let is_in = ((self.random >> 8) as u64 * self.insert_inverse as u64) >> 24 == 0;
        is_in.then_some((self.random >> 5) as usize & (WAYS - 1))
    }
}
