//! The way in, for devices that hand over one frame a read together with a virtio header (AF_PACKET, TAP).
//!
//! A frame is read straight into a free chunk. What is longer than a chunk runs over into a slot of its own; such a frame
//! is a large segment, and is cut into chunks there. Pieces that find no free chunk wait in their slot, and frames
//! behind them wait as well, so that none overtakes another; nothing is read while one waits.

use std::collections::VecDeque;

use crate::ring::{Descriptor, PortRings};
use crate::segment::Cut;
use crate::vnet::{self, VnetHeader, complete};

/// Frames of one read call.
pub const BATCH: usize = 32;
/// Frames that one poll reads at the most.
const POLL_MAX: usize = 64;
/// Chunks looked at in one poll.
const HAND_MAX: usize = 512;
/// The largest segment that a kernel hands over (BIG TCP left out), with its Ethernet header.
const FRAME_MAX: usize = 65536 + 64;
/// Room in front of a slot for a VLAN tag.
const TAG_SIZE: usize = 4;

/// One frame as it was read: the first part in its chunk, the rest in its slot.
#[derive(Clone, Copy)]
pub struct Message {
    pub header: [u8; vnet::SIZE],
    pub chunk: u64,
    /// Bytes without the virtio header.
    pub size: usize,
    pub is_truncated: bool,
    /// Tag protocol and tag, where the kernel has taken it out of the frame.
    pub tag: Option<(u16, u16)>,
}

const NO_MESSAGE: Message = Message { header: [0; vnet::SIZE], chunk: 0, size: 0, is_truncated: false, tag: None };

/// Where the bytes of message `i` go: chunk first, then slot.
#[derive(Clone, Copy)]
pub struct Space {
    pub chunk: *mut u8,
    pub chunk_size: usize,
    pub slot: *mut u8,
    pub slot_size: usize,
}

pub trait Source {
    /// Reads frames, at most one a space. Returns how many, or the error number of the first: EAGAIN when none waits.
    fn read(&mut self, messages: &mut [Message], spaces: &[Space]) -> Result<usize, i32>;
}

/// A frame in a slot, not wholly delivered yet.
struct Waiting {
    start: usize,
    size: usize,
    /// None for a frame that needs no cutting.
    cut: Option<Cut>,
    next: usize,
}

#[derive(Default)]
pub struct Receiver {
    slots: Vec<u8>,
    room: usize,
    slot_size: usize,
    messages: Vec<Message>,
    spaces: Vec<Space>,
    waiting: VecDeque<Waiting>,
    /// Free chunks that this poll may use, the next one last.
    hand: Vec<u64>,
    delivered: Vec<Descriptor>,
    /// Chunks in use by messages that were read and not delivered yet.
    reserved: usize,
    rx_room: usize,
    /// Frames that were cut short, contradicted their header, or fit in no chunk; reads that failed.
    pub errors: u64,
}

impl Receiver {
    pub fn new(rings: &PortRings) -> Receiver {
        let room = rings.umem.room();
        let slot_size = TAG_SIZE + FRAME_MAX.max(room);
        let slots = vec![0; slot_size * BATCH];
        Receiver { slots, room, slot_size, messages: vec![NO_MESSAGE; BATCH], ..Receiver::default() }
    }

    /// Moves what waits outside onto the rx ring, as far as there are free chunks. Returns frames delivered.
    pub fn poll(&mut self, rings: &PortRings, source: &mut impl Source) -> u32 {
        self.pick_up(rings);
        self.drain(rings);
        let mut left = POLL_MAX;
        while self.waiting.is_empty() {
            let count = BATCH.min(left).min(self.available());
            if count == 0 {
                break;
            }
            let read = self.read(rings, source, count);
            left -= read;
            if read < count {
                break;
            }
        }
        self.put_down(rings)
    }

    fn available(&self) -> usize {
        self.hand.len().min(self.rx_room.saturating_sub(self.delivered.len() + self.reserved))
    }

    /// Looks at the free chunks; they stay on the fill ring until put_down.
    fn pick_up(&mut self, rings: &PortRings) {
        let from = rings.fill.consumer();
        let count = (rings.fill.waiting() as usize).min(HAND_MAX) as u32;
        self.hand.clear();
        self.delivered.clear();
        self.hand.extend((0..count).rev().map(|i| rings.fill.get(from.wrapping_add(i))));
        self.rx_room = rings.rx.room() as usize;
    }

    /// Writes the frames to the rx ring and the chunks that were not used back to the end of what was looked at:
    /// entries between the indices of the fill ring are the consumer's until it moves its index past them.
    fn put_down(&mut self, rings: &PortRings) -> u32 {
        let count = self.delivered.len() as u32;
        if count == 0 {
            return 0;
        }
        let mut at = rings.fill.consumer().wrapping_add(count);
        for chunk in self.hand.iter().rev() {
            rings.fill.set(at, *chunk);
            at = at.wrapping_add(1);
        }
        let producer = rings.rx.producer();
        for (i, descriptor) in self.delivered.iter().enumerate() {
            rings.rx.set(producer.wrapping_add(i as u32), *descriptor);
        }
        rings.fill.set_consumer(rings.fill.consumer().wrapping_add(count));
        rings.rx.set_producer(producer.wrapping_add(count));
        count
    }

    fn read(&mut self, rings: &PortRings, source: &mut impl Source, count: usize) -> usize {
        self.spaces.clear();
        for i in 0..count {
            let chunk = self.hand.pop().expect("no more than available() chunks are asked for");
            let start = rings.umem.frame_address(chunk);
            let bytes = rings.umem.bytes_at(start, self.room).expect("the fill ring holds chunks of the frames only");
            self.messages[i].chunk = chunk;
            let slot = i * self.slot_size + TAG_SIZE + self.room;
            self.spaces.push(Space {
                chunk: bytes,
                chunk_size: self.room,
                slot: self.slots[slot..].as_mut_ptr(),
                slot_size: self.slot_size - TAG_SIZE - self.room,
            });
        }
        let read = source.read(&mut self.messages[..count], &self.spaces).unwrap_or_else(|error| {
            if !matches!(error, libc::EAGAIN | libc::EINTR) {
                self.errors += 1;
            }
            0
        });
        self.hand.extend(self.messages[read..count].iter().rev().map(|message| message.chunk));
        self.reserved = read;
        for i in 0..read {
            self.reserved -= 1;
            self.accept(rings, i);
        }
        read
    }

    fn accept(&mut self, rings: &PortRings, index: usize) {
        let message = self.messages[index];
        let mut header = VnetHeader::read(&message.header);
        let tag_size = if message.tag.is_some() { TAG_SIZE } else { 0 };
        header.csum_start += tag_size;
        let size = message.size + tag_size;
        let is_large = header.gso_type != vnet::GSO_NONE;
        if message.is_truncated || message.size < 14 || (!is_large && size > self.room) {
            return self.refuse(message.chunk);
        }
        if is_large || !self.waiting.is_empty() {
            return self.stash(rings, index, &header, is_large);
        }
        // SAFETY: the chunk came off the fill ring and is on no other yet: it is ours.
        let frame = unsafe { rings.umem.owned(rings.umem.frame_address(message.chunk), size) };
        let frame = frame.expect("the size was checked");
        if let Some(tag) = message.tag {
            frame.copy_within(12..message.size, 12 + TAG_SIZE);
            write_tag(frame, tag);
        }
        if !complete(frame, &header) {
            return self.refuse(message.chunk);
        }
        self.deliver(rings, message.chunk, size);
    }

    fn refuse(&mut self, chunk: u64) {
        self.errors += 1;
        self.hand.push(chunk);
    }

    fn deliver(&mut self, rings: &PortRings, chunk: u64, size: usize) {
        let address = rings.umem.frame_address(chunk);
        self.delivered.push(Descriptor { address, size: size as u32, options: 0 });
    }

    /// Brings a frame together in its slot and has it wait there; then delivers what can be delivered.
    fn stash(&mut self, rings: &PortRings, index: usize, header: &VnetHeader, is_large: bool) {
        let message = self.messages[index];
        let at = index * self.slot_size;
        let in_chunk = message.size.min(self.room);
        // SAFETY: as in accept().
        let head = unsafe { rings.umem.owned(rings.umem.frame_address(message.chunk), in_chunk) };
        let start = at + TAG_SIZE;
        self.slots[start..start + in_chunk].copy_from_slice(head.expect("the size was checked"));
        self.hand.push(message.chunk);
        let (start, size) = match message.tag {
            None => (start, message.size),
            Some(tag) => {
                self.slots.copy_within(start..start + 12, at);
                write_tag(&mut self.slots[at..], tag);
                (at, message.size + TAG_SIZE)
            }
        };
        let frame = &mut self.slots[start..start + size];
        let cut = if is_large { Cut::plan(frame, header, self.room) } else { None };
        if (is_large && cut.is_none()) || (!is_large && !complete(frame, header)) {
            self.errors += 1;
            return;
        }
        self.waiting.push_back(Waiting { start, size, cut, next: 0 });
        self.drain(rings);
    }

    /// Delivers waiting frames as far as there are chunks.
    fn drain(&mut self, rings: &PortRings) {
        while let Some(front) = self.waiting.front() {
            let (start, size, cut, mut next) = (front.start, front.size, front.cut, front.next);
            let frame = start..start + size;
            let count = cut.map_or(1, |cut| cut.count(&self.slots[frame.clone()]));
            while next < count && self.available() > 0 {
                let chunk = self.hand.pop().expect("available() has seen it");
                // SAFETY: as in accept().
                let out = unsafe { rings.umem.owned(rings.umem.frame_address(chunk), self.room) };
                let out = out.expect("the fill ring holds chunks of the frames only");
                let bytes = &self.slots[frame.clone()];
                let written = match cut {
                    Some(cut) => cut.write(bytes, next, out),
                    None => {
                        out[..size].copy_from_slice(bytes);
                        size
                    }
                };
                self.deliver(rings, chunk, written);
                next += 1;
            }
            if next < count {
                self.waiting[0].next = next;
                return;
            }
            self.waiting.pop_front();
        }
    }
}

/// Writes a tag behind the addresses.
fn write_tag(frame: &mut [u8], (protocol, tag): (u16, u16)) {
    frame[12..14].copy_from_slice(&protocol.to_be_bytes());
    frame[14..16].copy_from_slice(&tag.to_be_bytes());
}
