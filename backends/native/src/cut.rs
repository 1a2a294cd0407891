//! Segmentation and checksums for callers that have a frame in hand.

use napi::bindgen_prelude::{Error, Result, Uint8Array};
use napi_derive::napi;

use crate::segment::Cut;
use crate::send::{self, Outgoing};
use crate::vnet::{self, VnetHeader, complete, complete_if_partial};

/// What a device makes of a frame with a virtio header (10 bytes): the frames that it would put on its rx ring, each at
/// most `room` bytes. Fails where a device would count an error.
#[napi]
pub fn cut_frame(frame: Uint8Array, header: Uint8Array, room: u32) -> Result<Vec<Uint8Array>> {
    let contradiction = || Error::from_reason("the header contradicts the frame");
    let header: [u8; vnet::SIZE] = header.to_vec().try_into().map_err(|_| contradiction())?;
    let header = VnetHeader::read(&header);
    let room = room as usize;
    let mut bytes = frame.to_vec();
    if header.gso_type == vnet::GSO_NONE {
        let is_good = bytes.len() <= room && complete(&mut bytes, &header);
        return if is_good { Ok(vec![Uint8Array::new(bytes)]) } else { Err(contradiction()) };
    }
    let cut = Cut::plan(&bytes, &header, room).ok_or_else(contradiction)?;
    let mut out = vec![0; room];
    let pieces = (0..cut.count(&bytes)).map(|index| {
        let size = cut.write(&bytes, index, &mut out);
        Uint8Array::new(out[..size].to_vec())
    });
    Ok(pieces.collect())
}

/// Frames that a device would hand to the kernel together.
#[napi(object)]
pub struct MergedFrame {
    /// How many.
    pub count: u32,
    /// The virtio header.
    pub header: Uint8Array,
    pub frame: Uint8Array,
}

/// What a device makes of frames on their way out.
#[napi]
pub fn merge_frames(frames: Vec<Uint8Array>) -> Vec<MergedFrame> {
    let mut copies: Vec<Vec<u8>> = frames.iter().map(|frame| frame.to_vec()).collect();
    let outgoing: Vec<Outgoing> =
        copies.iter_mut().map(|copy| Outgoing { start: copy.as_mut_ptr(), size: copy.len() }).collect();
    let mut groups = Vec::new();
    send::group(&outgoing, true, &mut groups);
    let mut first = 0;
    let merged = groups.iter().map(|group| {
        let mut frame = group.head().to_vec();
        for copy in &copies[first..first + group.count] {
            frame.extend_from_slice(&copy[group.head_size..]);
        }
        first += group.count;
        let header = Uint8Array::new(group.header.to_vec());
        MergedFrame { count: group.count as u32, header, frame: Uint8Array::new(frame) }
    });
    merged.collect()
}

/// A copy of a frame of which nothing says whether its checksum is complete, completed where it was not.
#[napi]
pub fn complete_frame(frame: Uint8Array) -> Uint8Array {
    let mut bytes = frame.to_vec();
    complete_if_partial(&mut bytes);
    Uint8Array::new(bytes)
}
