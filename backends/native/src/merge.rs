//! Puts consecutive frames of one TCP stream together before they are handed to the kernel: one large segment costs it
//! about as much as one frame. What the kernel calls GRO, on the way out; the counterpart of segment.rs.
//!
//! Frames are put together only when cutting the result gives the same frames again (IPv4 identification of packets that
//! must not be fragmented left out: RFC 6864 §4.1 gives it no meaning), and only when their checksums are right, since
//! the large segment gets new ones.
//!
//! Not supported: UDP; VLAN tags, IPv6 extension headers; flags other than ACK and, on the last frame, PSH.

use crate::checksum::{field_of, fold, pseudo_header, sum};
use crate::headers::{ETH_SIZE, Ip, TCP, be16, be32, put};
use crate::send::Outgoing;
use crate::vnet::{self, GSO_TCPV4, GSO_TCPV6};

/// Ethernet, IP with options and TCP with options.
const HEAD_MAX: usize = 14 + 60 + 60;
/// IPv4's total length ends here; so does what most kernels take as one segment.
const PACKET_MAX: usize = 65535;
const FLAG_PSH: u8 = 0x08;
const FLAG_ACK: u8 = 0x10;

/// Frames that go out together: `count` of them, from the front of what is left.
pub struct Group {
    pub count: usize,
    /// What the kernel is told.
    pub header: [u8; vnet::SIZE],
    head: [u8; HEAD_MAX],
    /// Bytes of headers, which replace those of all frames; 0 for a single frame, which goes as it is.
    pub head_size: usize,
}

impl Group {
    pub fn single() -> Group {
        Group { count: 1, header: [0; vnet::SIZE], head: [0; HEAD_MAX], head_size: 0 }
    }

    pub fn head(&self) -> &[u8] {
        &self.head[..self.head_size]
    }

    /// The longest group that the frames begin with. There is at least one frame.
    ///
    /// # Safety
    /// The caller owns the bytes of the frames.
    pub unsafe fn first(frames: &[Outgoing]) -> Group {
        // SAFETY: the caller's promise.
        let bytes = |frame: &Outgoing| unsafe { std::slice::from_raw_parts(frame.start, frame.size) };
        let mut group = Group::single();
        let Some(second) = frames.get(1) else { return group };
        let first = bytes(&frames[0]);
        let Some(segment) = Segment::find(first).filter(|segment| segment.flags == FLAG_ACK) else { return group };
        if !segment.is_continued_by(bytes(second), 1) || !segment.has_right_checksums(first) {
            return group;
        }
        let piece = segment.payload;
        let mut size = first.len();
        let mut flags = FLAG_ACK;
        for (index, frame) in frames.iter().enumerate().skip(1) {
            let next = bytes(frame);
            let payload = next.len().saturating_sub(segment.head);
            let fits = size + payload - ETH_SIZE <= PACKET_MAX;
            if !fits || !segment.is_continued_by(next, index) || !segment.has_right_checksums(next) {
                break;
            }
            group.count += 1;
            size += payload;
            flags = next[segment.l4 + 13];
            if payload < piece || flags != FLAG_ACK {
                break;
            }
        }
        if group.count > 1 {
            group.write_head(&segment, first, size, flags);
        }
        group
    }

    fn write_head(&mut self, segment: &Segment, first: &[u8], size: usize, flags: u8) {
        let Segment { ip, l4, head, payload, .. } = *segment;
        self.head_size = head;
        self.head[..head].copy_from_slice(&first[..head]);
        let out = &mut self.head[..head];
        if ip.is_v6 {
            put(out, ip.at + 4, &((size - ip.at - 40) as u16).to_be_bytes());
        } else {
            put(out, ip.at + 2, &((size - ip.at) as u16).to_be_bytes());
            put(out, ip.at + 10, &[0, 0]);
            let value = !fold(sum(&out[ip.at..l4], 0));
            put(out, ip.at + 10, &value.to_ne_bytes());
        }
        out[l4 + 13] = flags;
        let pseudo = fold(pseudo_header(ip.addresses(out), TCP, size - l4));
        put(out, l4 + 16, &pseudo.to_ne_bytes());
        let gso_type = if ip.is_v6 { GSO_TCPV6 } else { GSO_TCPV4 };
        self.header[..2].copy_from_slice(&[vnet::NEEDS_CSUM, gso_type]);
        for (at, value) in [(2, head), (4, payload), (6, l4), (8, 16)] {
            put(&mut self.header, at, &(value as u16).to_ne_bytes());
        }
    }
}

/// A TCP segment with a payload, without tags in front of it.
struct Segment<'a> {
    frame: &'a [u8],
    ip: Ip,
    l4: usize,
    head: usize,
    payload: usize,
    flags: u8,
}

impl<'a> Segment<'a> {
    fn find(frame: &'a [u8]) -> Option<Segment<'a>> {
        let ip = Ip::find(frame).filter(|ip| ip.at == ETH_SIZE)?;
        let (protocol, l4, end) = ip.transport(frame)?;
        let has_extensions = ip.is_v6 && l4 != ip.at + 40;
        if protocol != TCP || has_extensions || end != frame.len() || l4 + 20 > end {
            return None;
        }
        let head = l4 + usize::from(frame[l4 + 12] >> 4) * 4;
        if head < l4 + 20 || head >= end {
            return None;
        }
        Some(Segment { frame, ip, l4, head, payload: end - head, flags: frame[l4 + 13] })
    }

    /// Whether `next` is what comes `index` pieces behind this one: the same headers, but for what counts up.
    fn is_continued_by(&self, next: &[u8], index: usize) -> bool {
        let Segment { frame, ip, l4, head, payload, .. } = *self;
        if next.len() <= head || next.len() - head > payload || next[..ip.at] != frame[..ip.at] {
            return false;
        }
        let same = |from: usize, to: usize| next[from..to] == frame[from..to];
        let is_ip_same = if ip.is_v6 {
            let length = usize::from(be16(next, ip.at + 4)) + 40;
            same(ip.at, ip.at + 4) && same(ip.at + 6, l4) && length == next.len() - ip.at
        } else {
            let must_not_fragment = frame[ip.at + 6] & 0x40 != 0;
            let id = be16(frame, ip.at + 4).wrapping_add(index as u16);
            same(ip.at, ip.at + 2)
                && usize::from(be16(next, ip.at + 2)) == next.len() - ip.at
                && (must_not_fragment || be16(next, ip.at + 4) == id)
                && same(ip.at + 6, ip.at + 10)
                && same(ip.at + 12, l4)
        };
        let sequence = be32(frame, l4 + 4).wrapping_add((index * payload) as u32);
        is_ip_same
            && same(l4, l4 + 4)
            && be32(next, l4 + 4) == sequence
            && same(l4 + 8, l4 + 13)
            && next[l4 + 13] & !FLAG_PSH == FLAG_ACK
            && same(l4 + 14, l4 + 16)
            && same(l4 + 18, head)
    }

    /// Of a frame with headers of the same sizes.
    fn has_right_checksums(&self, frame: &[u8]) -> bool {
        let Segment { ip, l4, .. } = *self;
        let pseudo = pseudo_header(ip.addresses(frame), TCP, frame.len() - l4);
        let is_ip_right = ip.is_v6 || fold(sum(&frame[ip.at..l4], 0)) == 0xffff;
        is_ip_right && field_of(sum(&frame[l4..], pseudo)) == [0xff, 0xff]
    }
}
