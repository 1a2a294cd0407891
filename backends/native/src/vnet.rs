//! struct virtio_net_hdr: what the kernel says about the checksum and the segments of a frame (virtio 1.2 §5.1.6), and
//! how a checksum that was left to the device is completed.

use crate::checksum::{crc32c, field_of, fold, pseudo_header, sum};
use crate::headers::{Ip, SCTP, TCP, UDP};

pub const SIZE: usize = 10;
pub const GSO_NONE: u8 = 0;
pub const GSO_TCPV4: u8 = 1;
pub const GSO_TCPV6: u8 = 4;
pub const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;
pub const NEEDS_CSUM: u8 = 1;

/// Host byte order, as the kernel writes it unless told otherwise.
#[derive(Clone, Copy, Default)]
pub struct VnetHeader {
    pub needs_checksum: bool,
    pub gso_type: u8,
    pub gso_size: u16,
    /// From the start of the frame.
    pub csum_start: usize,
    /// From csum_start.
    pub csum_offset: usize,
}

impl VnetHeader {
    pub fn read(bytes: &[u8; SIZE]) -> VnetHeader {
        let u16_at = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        VnetHeader {
            needs_checksum: bytes[0] & NEEDS_CSUM != 0,
            gso_type: bytes[1] & !GSO_ECN,
            gso_size: u16_at(4),
            csum_start: usize::from(u16_at(6)),
            csum_offset: usize::from(u16_at(8)),
        }
    }
}

/// Fills in the checksum that the sender left to the device. False when the header contradicts the frame.
pub fn complete(frame: &mut [u8], header: &VnetHeader) -> bool {
    if !header.needs_checksum {
        return true;
    }
    let field = header.csum_start + header.csum_offset;
    if field + 2 > frame.len() {
        return false;
    }
    if header.csum_offset == 8 && is_sctp(frame, header.csum_start) {
        return complete_sctp(frame, header.csum_start);
    }
    // the field holds the pseudo header's sum already
    let value = field_of(sum(&frame[header.csum_start..], 0));
    frame[field..field + 2].copy_from_slice(&value);
    true
}

fn is_sctp(frame: &[u8], start: usize) -> bool {
    let transport = Ip::find(frame).and_then(|ip| ip.transport(frame));
    transport.is_some_and(|(protocol, at, _)| protocol == SCTP && at == start)
}

fn complete_sctp(frame: &mut [u8], start: usize) -> bool {
    if start + 12 > frame.len() {
        return false;
    }
    frame[start + 8..start + 12].fill(0);
    let crc = crc32c(&frame[start..]);
    frame[start + 8..start + 12].copy_from_slice(&crc.to_le_bytes());
    true
}

/// Completes a checksum where nothing says whether it is complete (AF_XDP on a virtual device): a TCP or UDP checksum
/// field that holds exactly the pseudo header's sum was left to the device. Should a complete checksum happen to have
/// that value, completing it again gives the same value: a frame that was right stays as it was.
/// Looks into one tunnel: a tunnel of the sender's leaves the inner checksum open, and has its own computed for when it is not.
pub fn complete_if_partial(frame: &mut [u8]) {
    let Some(ip) = Ip::find(frame) else { return };
    let Some((protocol, start, end)) = ip.transport(frame) else { return };
    if let Some(inner) = Ip::inside(frame, protocol, start)
        && let Some((protocol, start, end)) = inner.transport(frame)
    {
        complete_transport(frame, inner, protocol, start, end);
    }
    complete_transport(frame, ip, protocol, start, end);
}

fn complete_transport(frame: &mut [u8], ip: Ip, protocol: u8, start: usize, end: usize) {
    let field = match protocol {
        TCP => start + 16,
        UDP => start + 6,
        _ => return,
    };
    if field + 2 > end {
        return;
    }
    let pseudo = fold(pseudo_header(ip.addresses(frame), protocol, end - start));
    if [frame[field], frame[field + 1]] != pseudo.to_ne_bytes() {
        return;
    }
    let value = field_of(sum(&frame[start..end], 0));
    frame[field..field + 2].copy_from_slice(&value);
}
