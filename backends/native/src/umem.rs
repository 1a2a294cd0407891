//! The frames of a datapath's linear memory.
//!
//! Law of ownership. The memory is an array of chunks. A chunk is owned by whoever holds it: the datapath, or one device.
//! A device comes to own a chunk by finding it on its fill ring (free) or on its tx ring (a frame to send), and gives it
//! up by writing it to its rx ring (a frame) or its comp ring (sent). Between the two only that device touches its bytes.
//! The rings' acquire loads and release stores make what the one has written visible to the other.

use napi::bindgen_prelude::{Error, Result, Uint8Array};

/// Holds a linear memory alive and says where it lies.
pub struct Memory {
    base: *mut u8,
    size: usize,
    /// Keeps the memory from being collected: V8 does not move or free what is referred to.
    _array: Uint8Array,
}

impl Memory {
    pub fn new(array: Uint8Array) -> Memory {
        Memory { base: array.as_ptr().cast_mut(), size: array.len(), _array: array }
    }

    /// The address of `size` bytes at an offset, when they lie inside and the offset is a multiple of `align`.
    pub fn at(&self, offset: u32, size: usize, align: usize) -> Result<*mut u8> {
        let offset = offset as usize;
        if !offset.is_multiple_of(align) || offset.checked_add(size).is_none_or(|end| end > self.size) {
            return Err(Error::from_reason(format!("{size} bytes at {offset} do not lie in the memory")));
        }
        // SAFETY: the sum lies inside the memory, as was just checked.
        Ok(unsafe { self.base.add(offset) })
    }

    pub fn size(&self) -> usize {
        self.size
    }
}

/// The chunks. Addresses are those of descriptors: bytes from the start of the first chunk.
pub struct Umem {
    base: *mut u8,
    size: usize,
    chunk_size: usize,
    headroom: usize,
}

impl Umem {
    pub fn new(memory: &Memory, start: u32, chunk_size: u32, headroom: u32) -> Result<Umem> {
        let chunk_size = chunk_size as usize;
        let headroom = headroom as usize;
        if !chunk_size.is_power_of_two() || chunk_size < 2048 || headroom >= chunk_size {
            return Err(Error::from_reason(format!("no chunks of {chunk_size} bytes with {headroom} in front")));
        }
        let size = memory.size().saturating_sub(start as usize) / chunk_size * chunk_size;
        Ok(Umem { base: memory.at(start, size, 1)?, size, chunk_size, headroom })
    }

    pub fn base(&self) -> *mut u8 {
        self.base
    }

    pub fn size(&self) -> usize {
        self.size
    }

    pub fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// Bytes of the longest frame.
    pub fn room(&self) -> usize {
        self.chunk_size - self.headroom
    }

    /// Address of a received frame's first byte.
    pub fn frame_address(&self, chunk: u64) -> u64 {
        self.chunk_of(chunk) + self.headroom as u64
    }

    pub fn chunk_of(&self, address: u64) -> u64 {
        address & !(self.chunk_size as u64 - 1)
    }

    /// A pointer to `size` bytes that must lie within one chunk; None when they do not.
    pub fn bytes_at(&self, address: u64, size: usize) -> Option<*mut u8> {
        let inside = (address - self.chunk_of(address)) as usize;
        if address >= self.size as u64 || inside + size > self.chunk_size {
            return None;
        }
        // SAFETY: the chunk lies inside the frames, and the bytes inside the chunk, as was just checked.
        Some(unsafe { self.base.add(address as usize) })
    }

    /// The bytes of a chunk that the calling device owns (see the law of ownership), from `address` on.
    ///
    /// # Safety
    /// The caller owns the chunk and holds no other slice of it.
    #[allow(clippy::mut_from_ref)] // one slice a chunk, by the law of ownership and not by the borrow of self
    pub unsafe fn owned(&self, address: u64, size: usize) -> Option<&mut [u8]> {
        let start = self.bytes_at(address, size)?;
        // SAFETY: the bytes lie inside the memory; by the law of ownership nobody else touches them meanwhile.
        Some(unsafe { std::slice::from_raw_parts_mut(start, size) })
    }
}
