//! As much of Ethernet, VLAN and IP as checksums and segmentation need.

pub const ETH_SIZE: usize = 14;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const GRE: u8 = 47;
pub const SCTP: u8 = 132;

const ETH_IPV4: u16 = 0x0800;
const ETH_IPV6: u16 = 0x86dd;
/// Tags in front of the network header at the most.
const TAGS_MAX: usize = 3;

pub fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Where the IP header of a frame lies.
#[derive(Clone, Copy)]
pub struct Ip {
    pub at: usize,
    pub is_v6: bool,
}

impl Ip {
    /// None for frames that are not IP, or end within the fixed part of the IP header.
    pub fn find(frame: &[u8]) -> Option<Ip> {
        Ip::find_behind(frame, 0)
    }

    /// As find(), of an Ethernet frame that begins at an offset.
    fn find_behind(frame: &[u8], ethernet: usize) -> Option<Ip> {
        let mut at = ethernet + 12;
        for _ in 0..=TAGS_MAX {
            if frame.len() < at + 2 {
                return None;
            }
            match be16(frame, at) {
                0x8100 | 0x88a8 | 0x9100 => at += 4,
                ETH_IPV4 => return Ip::check(frame, at + 2, false),
                ETH_IPV6 => return Ip::check(frame, at + 2, true),
                _ => return None,
            }
        }
        None
    }

    fn check(frame: &[u8], at: usize, is_v6: bool) -> Option<Ip> {
        let (version, fixed) = if is_v6 { (6, 40) } else { (4, 20) };
        let is_there = frame.len() >= at + fixed && frame[at] >> 4 == version;
        is_there.then_some(Ip { at, is_v6 })
    }

    /// The IP header right in front of a transport header that reaches to the end of the frame, inside whatever tunnel.
    pub fn in_front_of(frame: &[u8], l4: usize, protocol: u8) -> Option<Ip> {
        if l4 >= 40
            && let Some(ip) = Ip::check(frame, l4 - 40, true)
            && frame[ip.at + 6] == protocol
            && usize::from(be16(frame, ip.at + 4)) == frame.len() - l4
        {
            return Some(ip);
        }
        (5..=15usize).filter(|words| l4 >= words * 4).find_map(|words| {
            let ip = Ip::check(frame, l4 - words * 4, false)?;
            let is_it = usize::from(frame[ip.at] & 15) == words
                && frame[ip.at + 9] == protocol
                && usize::from(be16(frame, ip.at + 2)) == frame.len() - ip.at;
            is_it.then_some(ip)
        })
    }

    /// The IP header inside a VXLAN, Geneve or GRE tunnel whose UDP or GRE header lies at an offset.
    pub fn inside(frame: &[u8], protocol: u8, at: usize) -> Option<Ip> {
        const VXLAN_PORT: u16 = 4789;
        const GENEVE_PORT: u16 = 6081;
        const TRANSPARENT_ETHERNET: u16 = 0x6558;
        let (kind, behind) = match protocol {
            UDP if frame.len() >= at + 16 => match be16(frame, at + 2) {
                VXLAN_PORT => (TRANSPARENT_ETHERNET, at + 16),
                GENEVE_PORT => (be16(frame, at + 10), at + 16 + usize::from(frame[at + 8] & 0x3f) * 4),
                _ => return None,
            },
            GRE if frame.len() >= at + 4 => {
                let flags = be16(frame, at);
                // checksum, key and sequence number take four bytes each
                let options = [0x8000, 0x2000, 0x1000].iter().filter(|flag| flags & **flag != 0).count();
                (be16(frame, at + 2), at + 4 + options * 4)
            }
            _ => return None,
        };
        match kind {
            TRANSPARENT_ETHERNET => Ip::find_behind(frame, behind),
            ETH_IPV4 => Ip::check(frame, behind, false),
            ETH_IPV6 => Ip::check(frame, behind, true),
            _ => None,
        }
    }

    /// Source and destination address, one behind the other.
    pub fn addresses(self, frame: &[u8]) -> &[u8] {
        if self.is_v6 { &frame[self.at + 8..self.at + 40] } else { &frame[self.at + 12..self.at + 20] }
    }

    /// The transport header of an unfragmented packet: protocol, offset, and end of the packet within the frame.
    pub fn transport(self, frame: &[u8]) -> Option<(u8, usize, usize)> {
        if self.is_v6 { self.transport_v6(frame) } else { self.transport_v4(frame) }
    }

    fn transport_v4(self, frame: &[u8]) -> Option<(u8, usize, usize)> {
        let start = self.at + usize::from(frame[self.at] & 15) * 4;
        let end = self.at + usize::from(be16(frame, self.at + 2));
        let is_fragment = be16(frame, self.at + 6) & 0x3fff != 0;
        let is_whole = start >= self.at + 20 && start <= end && end <= frame.len();
        (is_whole && !is_fragment).then_some((frame[self.at + 9], start, end))
    }

    fn transport_v6(self, frame: &[u8]) -> Option<(u8, usize, usize)> {
        let end = self.at + 40 + usize::from(be16(frame, self.at + 4));
        let mut start = self.at + 40;
        let mut next = frame[self.at + 6];
        // hop-by-hop, routing and destination options may stand in between (RFC 8200 §4.1)
        while matches!(next, 0 | 43 | 60) {
            let header = frame.get(start..start + 2)?;
            next = header[0];
            start += (usize::from(header[1]) + 1) * 8;
        }
        (start <= end && end <= frame.len()).then_some((next, start, end))
    }
}
