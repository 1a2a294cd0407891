//! The way out, for devices that take one frame a write (AF_PACKET, TAP).

use libc::iovec;

use crate::counts::PortCounts;
use crate::merge::Group;
use crate::ring::PortRings;
use crate::vnet;

/// Frames of one write call.
pub const BATCH: usize = 64;
/// Parts of one write call: two for a frame by itself, two and one a frame for a group.
pub const PARTS_MAX: usize = 2 * BATCH;

/// A frame on its way out.
#[derive(Clone, Copy)]
pub struct Outgoing {
    pub start: *mut u8,
    pub size: usize,
}

pub trait Sink {
    /// Writes groups of frames from the first on; returns how many groups, at least one, or the error number of the first.
    fn write(&mut self, groups: &[Group], frames: &[Outgoing]) -> Result<usize, i32>;
}

/// Puts frames together as far as they may be.
pub fn group(frames: &[Outgoing], may_merge: bool, groups: &mut Vec<Group>) {
    let mut left = frames;
    while !left.is_empty() {
        // SAFETY: frames on the tx ring are the device's until it has sent them home.
        let group = if may_merge { unsafe { Group::first(left) } } else { Group::single() };
        left = &left[group.count..];
        groups.push(group);
    }
}

/// Parts that a group takes: what the kernel is told, then the frame; or headers and payloads.
pub fn parts_of(group: &Group) -> usize {
    if group.head_size == 0 { 2 } else { 2 + group.count }
}

/// Fills in the parts of a group. The kernel only reads them, whatever the type says.
pub fn fill(group: &Group, frames: &[Outgoing], parts: &mut [iovec]) {
    let part = |start: *const u8, size: usize| iovec { iov_base: start.cast_mut().cast(), iov_len: size };
    parts[0] = part(group.header.as_ptr(), vnet::SIZE);
    if group.head_size == 0 {
        parts[1] = part(frames[0].start, frames[0].size);
        return;
    }
    parts[1] = part(group.head().as_ptr(), group.head_size);
    for (to, frame) in parts[2..].iter_mut().zip(frames) {
        *to = part(frame.start.wrapping_add(group.head_size), frame.size - group.head_size);
    }
}

/// What goes out, and what could not.
#[derive(Default)]
pub struct Sender {
    pub counts: PortCounts,
    /// Kept between calls for its room.
    groups: Vec<Group>,
}

impl Sender {
    /// Sends what lies on the tx ring. A frame that the device refuses is counted and gone; when it has no room for now
    /// (EAGAIN), frames stay on the ring for the next call. Returns frames sent.
    pub fn flush(&mut self, rings: &PortRings, sink: &mut impl Sink) -> u32 {
        let mut frames = [Outgoing { start: std::ptr::null_mut(), size: 0 }; BATCH];
        let mut total = 0;
        let mut may_merge = true;
        loop {
            let from = rings.tx.consumer();
            let waiting = (rings.tx.waiting() as usize).min(BATCH);
            if waiting == 0 {
                return total;
            }
            let mut count = 0;
            for (i, frame) in frames[..waiting].iter_mut().enumerate() {
                let descriptor = rings.tx.get(from.wrapping_add(i as u32));
                let size = descriptor.size as usize;
                let Some(start) = rings.umem.bytes_at(descriptor.address, size) else { break };
                *frame = Outgoing { start, size };
                count += 1;
            }
            // a descriptor outside the frames is refused as the device would refuse it
            self.groups.clear();
            group(&frames[..count], may_merge, &mut self.groups);
            let written = if count == 0 { Err(libc::EINVAL) } else { sink.write(&self.groups, &frames[..count]) };
            match written.map(|groups| self.groups[..groups].iter().map(|group| group.count).sum::<usize>()) {
                Ok(sent) => {
                    rings.complete_tx(sent as u32);
                    total += sent as u32;
                }
                Err(libc::EAGAIN) => return total,
                Err(libc::EINTR) => {}
                // a device that does not take large segments gets the frames one by one
                Err(_) if may_merge => may_merge = false,
                Err(libc::ENOBUFS) => {
                    rings.complete_tx(1);
                    self.counts.tx_dropped += 1.0;
                }
                Err(_) => {
                    rings.complete_tx(1);
                    self.counts.tx_errors += 1.0;
                }
            }
        }
    }
}
