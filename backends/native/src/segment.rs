//! Cuts a large TCP or UDP segment into the frames that a network card would send: what the kernel calls GSO.
//!
//! Every piece gets the large frame's headers with lengths, IPv4 identification (counting up), TCP sequence number and
//! flags (FIN and PSH on the last piece only, CWR on the first only) and checksums of its own. A segment inside a tunnel of
//! the sender's (VXLAN, Geneve, GRE, IP in IP) is cut with the tunnel's headers in front of each piece.
//!
//! Not supported: GRE with checksums or sequence numbers; a tunnel in a tunnel.

use crate::checksum::{field_of, fold, pseudo_header, sum};
use crate::headers::{ETH_SIZE, GRE, Ip, TCP, UDP, be16, be32, put};
use crate::vnet::{GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, VnetHeader};

const FLAG_FIN: u8 = 0x01;
const FLAG_PSH: u8 = 0x08;
const FLAG_CWR: u8 = 0x80;
const UDP_HEADER_SIZE: usize = 8;

/// The headers of a tunnel around the segment.
#[derive(Clone, Copy)]
struct Outer {
    ip: Ip,
    protocol: u8,
    /// Offset of the header behind IP.
    l4: usize,
    has_checksum: bool,
}

impl Outer {
    fn new(frame: &[u8], ip: Ip, protocol: u8, l4: usize) -> Option<Outer> {
        const IPV4: u8 = 4;
        const IPV6: u8 = 41;
        const GRE_CHECKSUM_OR_SEQUENCE: u16 = 0x9000;
        let has_checksum = match protocol {
            UDP => be16(frame, l4 + 6) != 0,
            GRE if be16(frame, l4) & GRE_CHECKSUM_OR_SEQUENCE == 0 => false,
            IPV4 | IPV6 => false,
            _ => return None,
        };
        Some(Outer { ip, protocol, l4, has_checksum })
    }
}

/// How a large frame is to be cut.
#[derive(Clone, Copy)]
pub struct Cut {
    outer: Option<Outer>,
    ip: Ip,
    protocol: u8,
    /// Offset of the transport header.
    l4: usize,
    /// Bytes of all headers.
    head: usize,
    /// Payload bytes of a piece; the last may have fewer.
    piece: usize,
}

impl Cut {
    /// None when the header contradicts the frame, the kind of segment is unknown, or a datagram does not fit in `room`.
    /// TCP pieces are made smaller when they would not fit: the receiver cannot tell.
    pub fn plan(frame: &[u8], header: &VnetHeader, room: usize) -> Option<Cut> {
        let l4 = header.csum_start;
        if !header.needs_checksum || header.gso_size == 0 || l4 < ETH_SIZE {
            return None;
        }
        let (protocol, l4_size) = match header.gso_type {
            GSO_TCPV4 | GSO_TCPV6 => (TCP, usize::from(frame.get(l4 + 12)? >> 4) * 4),
            GSO_UDP_L4 => (UDP, UDP_HEADER_SIZE),
            _ => return None,
        };
        let (ip, outer) = Cut::find_ip(frame, l4, protocol)?;
        if protocol == TCP && ip.is_v6 != (header.gso_type == GSO_TCPV6) {
            return None;
        }
        let head = l4 + l4_size;
        if (protocol == TCP && l4_size < 20) || head >= frame.len() || head >= room {
            return None;
        }
        let mut piece = usize::from(header.gso_size);
        if head + piece > room {
            if protocol == UDP {
                return None;
            }
            piece = room - head;
        }
        Some(Cut { outer, ip, protocol, l4, head, piece })
    }

    /// The IP header of the segment, and the tunnel around it, if there is one.
    fn find_ip(frame: &[u8], l4: usize, protocol: u8) -> Option<(Ip, Option<Outer>)> {
        let first = Ip::find(frame)?;
        let (first_protocol, first_l4, _) = first.transport(frame)?;
        if first_l4 == l4 {
            return (first_protocol == protocol).then_some((first, None));
        }
        let ip = Ip::in_front_of(frame, l4, protocol).filter(|ip| ip.at >= first_l4)?;
        Some((ip, Some(Outer::new(frame, first, first_protocol, first_l4)?)))
    }

    /// How many frames come out.
    pub fn count(&self, frame: &[u8]) -> usize {
        (frame.len() - self.head).div_ceil(self.piece)
    }

    /// Writes piece `index` (below count) to the front of `out` and returns its size.
    pub fn write(&self, frame: &[u8], index: usize, out: &mut [u8]) -> usize {
        let from = self.head + index * self.piece;
        let to = frame.len().min(from + self.piece);
        let size = self.head + to - from;
        let out = &mut out[..size];
        out[..self.head].copy_from_slice(&frame[..self.head]);
        out[self.head..].copy_from_slice(&frame[from..to]);
        write_ip(self.ip, self.l4, index, out);
        if self.protocol == TCP {
            self.write_tcp(frame, index, to == frame.len(), out);
        } else {
            put(out, self.l4 + 4, &((size - self.l4) as u16).to_be_bytes());
        }
        let field = self.l4 + if self.protocol == TCP { 16 } else { 6 };
        write_checksum(self.ip, self.protocol, self.l4, field, out);
        if let Some(outer) = self.outer {
            outer.write(index, out);
        }
        size
    }

    fn write_tcp(&self, frame: &[u8], index: usize, is_last: bool, out: &mut [u8]) {
        let sequence = be32(frame, self.l4 + 4).wrapping_add((index * self.piece) as u32);
        put(out, self.l4 + 4, &sequence.to_be_bytes());
        if !is_last {
            out[self.l4 + 13] &= !(FLAG_FIN | FLAG_PSH);
        }
        if index > 0 {
            out[self.l4 + 13] &= !FLAG_CWR;
        }
    }
}

impl Outer {
    fn write(&self, index: usize, out: &mut [u8]) {
        write_ip(self.ip, self.l4, index, out);
        if self.protocol != UDP {
            return;
        }
        put(out, self.l4 + 4, &((out.len() - self.l4) as u16).to_be_bytes());
        if self.has_checksum {
            write_checksum(self.ip, UDP, self.l4, self.l4 + 6, out);
        }
    }
}

/// Lengths, identification and checksum of piece `index`; the header of the large frame is there.
fn write_ip(ip: Ip, end: usize, index: usize, out: &mut [u8]) {
    let at = ip.at;
    if ip.is_v6 {
        let length = (out.len() - at - 40) as u16;
        put(out, at + 4, &length.to_be_bytes());
        return;
    }
    let length = (out.len() - at) as u16;
    put(out, at + 2, &length.to_be_bytes());
    let id = be16(out, at + 4).wrapping_add(index as u16);
    put(out, at + 4, &id.to_be_bytes());
    put(out, at + 10, &[0, 0]);
    let value = !fold(sum(&out[at..end], 0));
    put(out, at + 10, &value.to_ne_bytes());
}

fn write_checksum(ip: Ip, protocol: u8, l4: usize, field: usize, out: &mut [u8]) {
    put(out, field, &[0, 0]);
    let pseudo = pseudo_header(ip.addresses(out), protocol, out.len() - l4);
    let value = field_of(sum(&out[l4..], pseudo));
    put(out, field, &value);
}
