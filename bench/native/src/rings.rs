//! A port's four rings with AF_XDP's descriptors, and the device at their other end.
//!
//! Addresses in descriptors are relative to the frame memory. Each ring has one producer and one consumer; indices run
//! freely and are published with release stores, as between a kernel and a process.

use crate::layout::HEADROOM;
use crate::memory::place;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Descriptor {
    pub address: u64,
    pub size: u32,
    pub options: u32,
}

/// Producer and consumer on lines of their own.
#[repr(C, align(64))]
struct Index(AtomicU32);

pub struct Ring<T> {
    producer: *mut Index,
    consumer: *mut Index,
    entries: *mut T,
    pub mask: u32,
}

impl<T: Copy> Ring<T> {
    fn new(count: u32) -> Self {
        let indices = place(128, 64).cast::<Index>();
        let entries = place(count as usize * size_of::<T>(), 64).cast();
        // SAFETY: two indices were placed.
        Self { producer: indices, consumer: unsafe { indices.add(1) }, entries, mask: count - 1 }
    }

    #[inline(always)]
    pub fn producer(&self) -> u32 {
        unsafe { (*self.producer).0.load(Ordering::Acquire) }
    }

    #[inline(always)]
    pub fn consumer(&self) -> u32 {
        unsafe { (*self.consumer).0.load(Ordering::Acquire) }
    }

    #[inline(always)]
    pub fn publish(&self, producer: u32) {
        unsafe { (*self.producer).0.store(producer, Ordering::Release) }
    }

    #[inline(always)]
    pub fn release(&self, consumer: u32) {
        unsafe { (*self.consumer).0.store(consumer, Ordering::Release) }
    }

    #[inline(always)]
    pub fn get(&self, index: u32) -> T {
        unsafe { *self.entries.add((index & self.mask) as usize) }
    }

    #[inline(always)]
    pub fn set(&self, index: u32, value: T) {
        unsafe { *self.entries.add((index & self.mask) as usize) = value }
    }
}

/// Where in its chunk a frame goes: as src/netdev/rings.ts does it, up to seven cache lines behind HEADROOM.
#[inline(always)]
fn place_in(chunk: u32, size: u32, chunk_size: u32) -> u32 {
    let room = (chunk_size - HEADROOM - size) & !63;
    chunk + HEADROOM + room.min((chunk >> chunk_size.trailing_zeros() & 7) << 6)
}

pub struct Port {
    pub rx: Ring<Descriptor>,
    pub tx: Ring<Descriptor>,
    pub fill: Ring<u64>,
    pub comp: Ring<u64>,
    /// The worker's copy of the tx producer: what is written and not yet published.
    pub tx_reserved: u32,
    /// Next port in the list of ports written to in this burst, + 1; 0 ends it.
    pub dirty_next: u32,
    pub is_dirty: bool,
    pub is_up: bool,
    pub mtu: u32,
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub tx_dropped: u64,
}

impl Port {
    pub fn new(entries: u32) -> Self {
        Self {
            rx: Ring::new(entries),
            tx: Ring::new(entries),
            fill: Ring::new(entries),
            comp: Ring::new(entries),
            tx_reserved: 0,
            dirty_next: 0,
            is_dirty: false,
            is_up: true,
            mtu: 1500,
            rx_packets: 0,
            rx_bytes: 0,
            tx_packets: 0,
            tx_bytes: 0,
            tx_dropped: 0,
        }
    }

    /// The device's receive side: copies a frame into a free chunk and describes it. False when there is no chunk or room.
    #[inline(always)]
    pub unsafe fn deliver(&self, frames: *mut u8, chunk_size: u32, frame: *const u8, size: u32) -> bool {
        let at = self.fill.consumer();
        let to = self.rx.producer();
        if self.fill.producer() == at || to.wrapping_sub(self.rx.consumer()) > self.rx.mask {
            return false;
        }
        let address = place_in(self.fill.get(at) as u32, size, chunk_size) as u64;
        self.fill.release(at.wrapping_add(1));
        unsafe { std::ptr::copy_nonoverlapping(frame, frames.add(address as usize), size as usize) };
        self.rx.set(to, Descriptor { address, size, options: 0 });
        self.rx.publish(to.wrapping_add(1));
        true
    }

    /// The device's transmit side: every frame is sent at once, its chunk comes home. Returns frames.
    #[inline(always)]
    pub fn drain(&self, chunk_size: u64) -> u32 {
        let from = self.tx.consumer();
        let end = self.tx.producer();
        let mut home = self.comp.producer();
        let mut at = from;
        while at != end {
            self.comp.set(home, self.tx.get(at).address & !(chunk_size - 1));
            home = home.wrapping_add(1);
            at = at.wrapping_add(1);
        }
        self.comp.publish(home);
        self.tx.release(end);
        end.wrapping_sub(from)
    }
}
