//! A subtable's hash table, as in assembly/classifier/table: groups of seven places; sixteen bytes of tags a group, and
//! the flows' handles apart from them, so that a visit that finds nothing reads the tags only.

use crate::classifier::{Flow, Subtable, equal_masked};
use crate::memory::{Arena, place};
use std::arch::x86_64::*;

const PLACES: usize = 7;
/// The table doubles when a group would hold so many eighths of an entry on average.
const FILL_EIGHTHS: u64 = 35;

#[repr(C, align(16))]
pub struct Tags {
    /// The upper half of each entry's hash, 0 where the place is free.
    tags: [u16; PLACES],
    /// Entries whose way from their home group led past this one.
    overflowed: u16,
}

#[repr(C, align(32))]
pub struct Handles {
    flows: [u32; PLACES],
    unused: u32,
}

/// Gives the subtable an empty table of so many groups, a power of two.
pub fn create(subtable: &mut Subtable, groups: usize) {
    subtable.tags = place(groups * size_of::<Tags>(), 64).cast();
    subtable.handles = place(groups * size_of::<Handles>(), 64).cast();
    subtable.mask = groups as u32 - 1;
}

#[inline(always)]
unsafe fn equal_tags(tags: *const Tags, hash: u32) -> __m128i {
    unsafe { _mm_cmpeq_epi16(_mm_load_si128(tags.cast()), _mm_set1_epi16((hash >> 16) as i16)) }
}

/// Whether the group has an entry with the hash's tag, or has overflowed: false is a miss.
#[inline(always)]
pub unsafe fn is_candidate(tags: *const Tags, hash: u32) -> bool {
    unsafe {
        let overflowed = _mm_and_si128(_mm_load_si128(tags.cast()), _mm_set_epi16(-1, 0, 0, 0, 0, 0, 0, 0));
        let either = _mm_or_si128(equal_tags(tags, hash), overflowed);
        _mm_testz_si128(either, either) == 0
    }
}

/// A bit for each place of the group with the hash's tag.
#[inline(always)]
unsafe fn places_of(tags: *const Tags, hash: u32) -> u32 {
    unsafe {
        let bytes = _mm_packs_epi16(equal_tags(tags, hash), _mm_setzero_si128());
        _mm_movemask_epi8(bytes) as u32 & 0x7f
    }
}

/// Handle of the first entry with the hash's tag in its home group, 0 for none: most likely the flow.
#[inline(always)]
pub unsafe fn first_guess(subtable: *const Subtable, hash: u32) -> u32 {
    unsafe {
        let home = (hash & (*subtable).mask) as usize;
        let places = places_of((*subtable).tags.add(home), hash);
        if places == 0 {
            0
        } else {
            *(*(*subtable).handles.add(home)).flows.get_unchecked(places.trailing_zeros() as usize)
        }
    }
}

/// Handle of the flow that a key falls under, 0 for none. `hash` is that of the masked key.
pub unsafe fn find(arena: &Arena, subtable: *const Subtable, hash: u32, key: *const u8) -> u32 {
    unsafe {
        let mask = (*subtable).mask;
        for i in 0..=mask {
            let home = (hash.wrapping_add(i) & mask) as usize;
            let tags = (*subtable).tags.add(home);
            let handles = (*subtable).handles.add(home);
            let mut places = places_of(tags, hash);
            while places != 0 {
                let flow = *(*handles).flows.get_unchecked(places.trailing_zeros() as usize);
                if flow != 0 && equal_masked(subtable, arena.at::<Flow>(flow), key) {
                    return flow;
                }
                places &= places - 1;
            }
            if (*tags).overflowed == 0 {
                return 0;
            }
        }
        0
    }
}

pub fn insert(arena: &Arena, subtable: &mut Subtable, hash: u32, flow: u32) {
    let entries = (subtable.flow_count as u64 + 1) * 8;
    if entries > (subtable.mask as u64 + 1) * FILL_EIGHTHS {
        grow(arena, subtable);
    }
    put(subtable, hash, flow);
    subtable.flow_count += 1;
}

fn put(subtable: &mut Subtable, hash: u32, flow: u32) {
    let mut at = hash & subtable.mask;
    loop {
        // SAFETY: at is masked; the table has room, so a free place comes.
        let (tags, handles) =
            unsafe { (&mut *subtable.tags.add(at as usize), &mut *subtable.handles.add(at as usize)) };
        if let Some(i) = handles.flows.iter().position(|&f| f == 0) {
            tags.tags[i] = (hash >> 16) as u16;
            handles.flows[i] = flow;
            return;
        }
        tags.overflowed = tags.overflowed.saturating_add(1);
        at = (at + 1) & subtable.mask;
    }
}

fn grow(arena: &Arena, subtable: &mut Subtable) {
    let old = subtable.handles;
    let groups = subtable.mask as usize + 1;
    create(subtable, groups * 2);
    for i in 0..groups {
        // SAFETY: i is below the old table's size; handles in it are those of live flows.
        for flow in unsafe { &(*old.add(i)).flows }.iter().copied().filter(|&f| f != 0) {
            put(subtable, unsafe { (*arena.at::<Flow>(flow)).hash }, flow);
        }
    }
}
