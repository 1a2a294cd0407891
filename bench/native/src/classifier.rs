//! Megaflows by tuple-space search, burst-wise: subtable by subtable over the packets that have no flow yet.

use crate::hash::{finish, hash_packed, mix, secret, zero};
use crate::layout::{BURST_MAX, KEY_BLOCK_COUNT};
use crate::memory::{Arena, place, prefetch};
use crate::packet::Packet;
use crate::table::{self, Handles, Tags};
use std::arch::x86_64::*;

/// A megaflow. Its packed masked key follows.
#[repr(C, align(16))]
pub struct Flow {
    /// Null for a flow that is gone.
    pub subtable: *const Subtable,
    pub actions: *const u8,
    pub packets: u64,
    pub bytes: u64,
    pub used: f64,
    pub hash: u32,
    pub actions_size: u32,
    /// Scratch of the act pass.
    pub batch: u32,
    pub tcp_flags: u16,
}

pub const FLOW_KEY: usize = size_of::<Flow>();

/// All megaflows of one mask.
#[repr(C, align(64))]
pub struct Subtable {
    pub masks: [u8; KEY_BLOCK_COUNT as usize * 16],
    pub blocks: usize,
    pub tags: *mut Tags,
    pub handles: *mut Handles,
    pub mask: u32,
    pub flow_count: u32,
    pub hits: u64,
    /// Byte offset in the key of each block that the mask touches.
    pub offsets: [u16; KEY_BLOCK_COUNT as usize],
}

#[inline(always)]
unsafe fn masked_block(subtable: *const Subtable, key: *const u8, i: usize) -> __m128i {
    unsafe {
        let block = _mm_load_si128(key.add(*(*subtable).offsets.get_unchecked(i) as usize).cast());
        _mm_and_si128(block, _mm_load_si128((*subtable).masks.as_ptr().add(i * 16).cast()))
    }
}

/// Whether a key falls under a live flow of the subtable.
#[inline(always)]
pub unsafe fn equal_masked(subtable: *const Subtable, flow: *const Flow, key: *const u8) -> bool {
    unsafe {
        let packed = flow.cast::<u8>().add(FLOW_KEY).cast::<__m128i>();
        let mut differs = zero();
        for i in 0..(*subtable).blocks {
            let block = masked_block(subtable, key, i);
            differs = _mm_or_si128(differs, _mm_xor_si128(block, _mm_load_si128(packed.add(i))));
        }
        _mm_testz_si128(differs, differs) != 0
    }
}

pub struct Classifier {
    /// By number, as the workload names them.
    numbered: Vec<*mut Subtable>,
    /// Most hits first.
    order: Vec<*mut Subtable>,
    lookups_until_sort: u32,
}

const SORT_INTERVAL: u32 = 65536;
/// Groups from which on a table is visited step by step.
const LARGE_GROUPS: u32 = 4096;

impl Classifier {
    pub fn new() -> Self {
        Self { numbered: Vec::new(), order: Vec::new(), lookups_until_sort: SORT_INTERVAL }
    }

    /// A subtable for a mask: which blocks it touches, and those blocks one behind the other.
    pub fn add_subtable(&mut self, map: u64, masks: &[u8]) {
        let subtable = place(size_of::<Subtable>(), 64).cast::<Subtable>();
        // SAFETY: freshly placed and zeroed; a Subtable of zeroes is valid.
        let it = unsafe { &mut *subtable };
        let mut rest = map;
        while rest != 0 {
            it.offsets[it.blocks] = rest.trailing_zeros() as u16 * 16;
            it.blocks += 1;
            rest &= rest - 1;
        }
        it.masks[..masks.len()].copy_from_slice(masks);
        table::create(it, 1);
        self.numbered.push(subtable);
        self.order.push(subtable);
    }

    /// Enters a flow that takes the packet whose key's blocks are `blocks`; its actions must outlive it.
    pub fn insert(&mut self, arena: &mut Arena, number: usize, blocks: &[u8], actions: *const u8, actions_size: u32) {
        // SAFETY: the pointer came from add_subtable.
        let subtable = unsafe { &mut *self.numbered[number] };
        let packed: Vec<u8> = blocks.iter().zip(&subtable.masks).map(|(key, mask)| key & mask).collect();
        let handle = arena.alloc(FLOW_KEY + packed.len());
        let hash = unsafe { hash_packed(packed.as_ptr(), subtable.blocks) };
        // SAFETY: the cell was just handed out, zeroed, with room for the key.
        unsafe {
            let flow = arena.at::<Flow>(handle);
            (*flow).subtable = subtable;
            (*flow).hash = hash;
            (*flow).actions = actions;
            (*flow).actions_size = actions_size;
            std::ptr::copy_nonoverlapping(packed.as_ptr(), flow.cast::<u8>().add(FLOW_KEY), packed.len());
        }
        table::insert(arena, subtable, hash, handle);
    }

    /// Finds the flows of the packets in `list`; those without one are left at its front. Returns how many those are.
    pub unsafe fn look_up(&mut self, arena: &Arena, list: &mut [*mut Packet], count: usize, visits: &mut u64) -> usize {
        self.sort_when_due(count as u32);
        let mut left = count;
        for &subtable in &self.order {
            *visits += left as u64;
            unsafe {
                let rest = match (*subtable).blocks {
                    _ if (*subtable).mask >= LARGE_GROUPS && left > 1 => visit_large(arena, subtable, list, left),
                    1 => visit::<1>(arena, subtable, list, left),
                    2 => visit::<2>(arena, subtable, list, left),
                    3 => visit::<3>(arena, subtable, list, left),
                    4 => visit::<4>(arena, subtable, list, left),
                    _ => visit_any(arena, subtable, list, left),
                };
                (*subtable).hits += (left - rest) as u64;
                left = rest;
            }
            if left == 0 {
                break;
            }
        }
        left
    }

    fn sort_when_due(&mut self, count: u32) {
        if self.lookups_until_sort > count {
            self.lookups_until_sort -= count;
            return;
        }
        self.lookups_until_sort = SORT_INTERVAL;
        // SAFETY: all of them came from add_subtable.
        self.order.sort_by_key(|&s| std::cmp::Reverse(unsafe { (*s).hits }));
        self.order.iter().for_each(|&s| unsafe { (*s).hits >>= 1 });
    }
}

/// One subtable over a list of packets: masks and offsets stay in registers. Returns how many are left, at the front.
unsafe fn visit<const BLOCKS: usize>(
    arena: &Arena,
    subtable: *const Subtable,
    list: &mut [*mut Packet],
    count: usize,
) -> usize {
    unsafe {
        let s = &*subtable;
        let masks: [__m128i; BLOCKS] = std::array::from_fn(|i| _mm_load_si128(s.masks.as_ptr().add(i * 16).cast()));
        let offsets: [usize; BLOCKS] = std::array::from_fn(|i| s.offsets[i] as usize);
        let mut left = 0;
        for i in 0..count {
            let packet = *list.get_unchecked(i);
            let key = (*packet).key;
            let mut sums = zero();
            for b in 0..BLOCKS {
                let block = _mm_and_si128(_mm_load_si128(key.add(offsets[b]).cast()), masks[b]);
                sums = mix(sums, block, secret(b as u32));
            }
            left = settle(arena, subtable, finish(sums), packet, list, left);
        }
        left
    }
}

unsafe fn visit_any(arena: &Arena, subtable: *const Subtable, list: &mut [*mut Packet], count: usize) -> usize {
    unsafe {
        let mut left = 0;
        for i in 0..count {
            let packet = *list.get_unchecked(i);
            left = settle(arena, subtable, hash_masked(subtable, (*packet).key), packet, list, left);
        }
        left
    }
}

#[inline(always)]
unsafe fn hash_masked(subtable: *const Subtable, key: *const u8) -> u32 {
    let mut sums = zero();
    for b in 0..unsafe { (*subtable).blocks } {
        sums = mix(sums, unsafe { masked_block(subtable, key, b) }, secret(b as u32));
    }
    finish(sums)
}

/// A visit to a table that the caches do not hold: each step asks for the memory that the next one needs, of all packets,
/// so that their misses overlap.
unsafe fn visit_large(arena: &Arena, subtable: *const Subtable, list: &mut [*mut Packet], count: usize) -> usize {
    let mut hashes = [0u32; BURST_MAX as usize];
    unsafe {
        for i in 0..count {
            let hash = hash_masked(subtable, (*list[i]).key);
            let home = (hash & (*subtable).mask) as usize;
            hashes[i] = hash;
            prefetch((*subtable).tags.add(home));
            prefetch((*subtable).handles.add(home));
        }
        for &hash in &hashes[..count] {
            let flow = arena.at::<u8>(table::first_guess(subtable, hash));
            prefetch(flow);
            prefetch(flow.add(FLOW_KEY));
        }
        let mut left = 0;
        for i in 0..count {
            let packet = *list.get_unchecked(i);
            left = settle(arena, subtable, hashes[i], packet, list, left);
        }
        left
    }
}

/// Ends one packet's visit: its flow, or its place among those left. Returns how many are left.
#[inline(always)]
unsafe fn settle(
    arena: &Arena,
    subtable: *const Subtable,
    hash: u32,
    packet: *mut Packet,
    list: &mut [*mut Packet],
    left: usize,
) -> usize {
    unsafe {
        if table::is_candidate((*subtable).tags.add((hash & (*subtable).mask) as usize), hash) {
            let flow = table::find(arena, subtable, hash, (*packet).key);
            if flow != 0 {
                (*packet).flow = flow;
                return left;
            }
        }
        *list.get_unchecked_mut(left) = packet;
        left + 1
    }
}
