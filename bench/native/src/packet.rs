//! A frame on its way through the pipeline, and the slots that packets lie in.

use crate::layout::{KEY_SIZE, NONE_U16};
use crate::memory::place;

#[repr(C, align(64))]
pub struct Packet {
    pub data: *mut u8,
    /// KEY_SIZE bytes that belong to this slot for ever; blocks that are not in key_map are zero.
    pub key: *mut u8,
    pub key_map: u64,
    /// Handle of the megaflow, 0 before lookup.
    pub flow: u32,
    pub size: u32,
    /// Address of the chunk in the frame memory.
    pub chunk: u32,
    pub hash: u32,
    pub in_port: u32,
    pub recirc_id: u32,
    pub packet_type: u32,
    pub l2_pad: u16,
    pub l25_offset: u16,
    pub l3_offset: u16,
    pub l4_offset: u16,
    pub tcp_flags: u16,
    pub depth: u16,
    pub next: *mut Packet,
}

/// A free list of slots, the last one given back handed out first.
pub struct PacketSlots {
    free: *mut Packet,
}

impl PacketSlots {
    pub fn new(count: usize) -> Self {
        let packets = place(count * size_of::<Packet>(), 128).cast::<Packet>();
        let keys = place(count * KEY_SIZE as usize, 128);
        let mut free = std::ptr::null_mut();
        for i in (0..count).rev() {
            // SAFETY: i is below the count that was placed.
            unsafe {
                let p = packets.add(i);
                (*p).key = keys.add(i * KEY_SIZE as usize);
                (*p).next = free;
                free = p;
            }
        }
        Self { free }
    }

    /// Null when all slots are in use.
    #[inline(always)]
    pub fn take(&mut self) -> *mut Packet {
        let p = self.free;
        if !p.is_null() {
            // SAFETY: the free list holds slots only.
            self.free = unsafe { (*p).next };
        }
        p
    }

    #[inline(always)]
    pub fn give(&mut self, p: *mut Packet) {
        // SAFETY: p came from take.
        unsafe { (*p).next = self.free };
        self.free = p;
    }
}

pub const NONE: u16 = NONE_U16 as u16;
