//! The one region that frames, rings, keys and flows lie in, as they lie in Weft's linear memory.
//! Everything is placed once, before the first packet; nothing is freed.

use std::alloc::{Layout, alloc_zeroed};

/// Hands out zeroed memory that lives as long as the process.
pub fn place(size: usize, align: usize) -> *mut u8 {
    let layout = Layout::from_size_align(size.max(align), align).expect("a size that fits in memory");
    // SAFETY: the layout's size is not zero.
    let start = unsafe { alloc_zeroed(layout) };
    assert!(!start.is_null(), "out of memory: {size} bytes");
    start
}

/// A bump arena of fixed size. Cells are named by their offset / 16, so that a pointer takes four bytes, as in Wasm.
pub struct Arena {
    pub base: *mut u8,
    next: usize,
    size: usize,
}

impl Arena {
    pub fn new(size: usize) -> Self {
        // offset 0 is never handed out: handle 0 is none
        Self { base: place(size, 4096), next: 64, size }
    }

    pub fn alloc(&mut self, size: usize) -> u32 {
        let start = self.next;
        self.next += size.next_multiple_of(16);
        assert!(self.next <= self.size, "arena of {} bytes is full", self.size);
        (start >> 4) as u32
    }

    #[inline(always)]
    pub fn at<T>(&self, handle: u32) -> *mut T {
        // SAFETY: handles come from alloc, which keeps them inside the region.
        unsafe { self.base.add((handle as usize) << 4).cast() }
    }
}

/// Starts the way of a line into the nearest cache.
#[inline(always)]
pub fn prefetch<T>(address: *const T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch of any address is harmless.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[inline(always)]
pub unsafe fn load<T: Copy>(address: *const u8) -> T {
    unsafe { address.cast::<T>().read_unaligned() }
}

#[inline(always)]
pub unsafe fn store<T>(address: *mut u8, value: T) {
    unsafe { address.cast::<T>().write_unaligned(value) }
}

/// A number in network order.
#[inline(always)]
pub unsafe fn load_be16(address: *const u8) -> u32 {
    unsafe { u16::from_be(load::<u16>(address)) as u32 }
}
