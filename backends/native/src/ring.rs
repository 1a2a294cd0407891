//! A port's four rings from the device's end. Invariants: each ring has one producer and one consumer; indices run freely
//! and are masked on use; an index is stored (release) behind the entries it covers and loaded (acquire) before them.

use std::sync::atomic::{AtomicU32, Ordering};

use napi::bindgen_prelude::{Error, Result, Uint8Array};
use napi_derive::napi;

use crate::umem::{Memory, Umem};

/// Where a ring lies in linear memory: byte offsets, and the number of entries minus one.
#[napi(object)]
pub struct RingPlace {
    pub producer: u32,
    pub consumer: u32,
    pub entries: u32,
    pub mask: u32,
}

#[napi(object)]
pub struct PortPlaces {
    pub rx: RingPlace,
    pub tx: RingPlace,
    pub fill: RingPlace,
    pub comp: RingPlace,
    pub umem_base: u32,
    pub chunk_size: u32,
    /// Bytes in front of a received frame.
    pub headroom: u32,
}

/// struct xdp_desc.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Descriptor {
    pub address: u64,
    pub size: u32,
    pub options: u32,
}

/// A ring of `T`, which is Descriptor or u64.
pub struct Ring<T> {
    producer: *mut u32,
    consumer: *mut u32,
    entries: *mut T,
    mask: u32,
}

impl<T: Copy> Ring<T> {
    pub fn new(memory: &Memory, place: &RingPlace) -> Result<Ring<T>> {
        let count = place.mask as usize + 1;
        if !count.is_power_of_two() {
            return Err(Error::from_reason(format!("a ring of {count} entries is no power of two")));
        }
        Ok(Ring {
            producer: memory.at(place.producer, 4, 4)?.cast(),
            consumer: memory.at(place.consumer, 4, 4)?.cast(),
            entries: memory.at(place.entries, count * size_of::<T>(), 8)?.cast(),
            mask: place.mask,
        })
    }

    pub fn producer(&self) -> u32 {
        // SAFETY: new() has seen that the aligned word lies in the memory, which outlives the ring; all access is atomic.
        unsafe { AtomicU32::from_ptr(self.producer) }.load(Ordering::Acquire)
    }

    pub fn consumer(&self) -> u32 {
        // SAFETY: as in producer().
        unsafe { AtomicU32::from_ptr(self.consumer) }.load(Ordering::Acquire)
    }

    pub fn set_producer(&self, value: u32) {
        // SAFETY: as in producer().
        unsafe { AtomicU32::from_ptr(self.producer) }.store(value, Ordering::Release);
    }

    pub fn set_consumer(&self, value: u32) {
        // SAFETY: as in producer().
        unsafe { AtomicU32::from_ptr(self.consumer) }.store(value, Ordering::Release);
    }

    /// Entries between consumer and producer.
    pub fn waiting(&self) -> u32 {
        self.producer().wrapping_sub(self.consumer())
    }

    /// Entries that the producer may still write.
    pub fn room(&self) -> u32 {
        (self.mask + 1).saturating_sub(self.waiting())
    }

    pub fn get(&self, index: u32) -> T {
        // SAFETY: a masked index lies inside the entries; the other end does not write what lies between the indices.
        unsafe { self.entries.add((index & self.mask) as usize).read() }
    }

    pub fn set(&self, index: u32, value: T) {
        // SAFETY: as in get(); the caller writes only entries that are its own.
        unsafe { self.entries.add((index & self.mask) as usize).write(value) }
    }
}

pub struct PortRings {
    pub rx: Ring<Descriptor>,
    pub tx: Ring<Descriptor>,
    pub fill: Ring<u64>,
    pub comp: Ring<u64>,
    pub umem: Umem,
    pub memory: Memory,
}

impl PortRings {
    pub fn new(array: Uint8Array, places: &PortPlaces) -> Result<PortRings> {
        let memory = Memory::new(array);
        Ok(PortRings {
            rx: Ring::new(&memory, &places.rx)?,
            tx: Ring::new(&memory, &places.tx)?,
            fill: Ring::new(&memory, &places.fill)?,
            comp: Ring::new(&memory, &places.comp)?,
            umem: Umem::new(&memory, places.umem_base, places.chunk_size, places.headroom)?,
            memory,
        })
    }

    /// Takes the first `count` frames off the tx ring and sends their chunks home. The worker keeps room for them.
    pub fn complete_tx(&self, count: u32) {
        let consumer = self.tx.consumer();
        let producer = self.comp.producer();
        for i in 0..count {
            let address = self.tx.get(consumer.wrapping_add(i)).address;
            self.comp.set(producer.wrapping_add(i), self.umem.chunk_of(address));
        }
        self.comp.set_producer(producer.wrapping_add(count));
        self.tx.set_consumer(consumer.wrapping_add(count));
    }
}
