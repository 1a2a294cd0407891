//! Test frames: Ethernet, IPv4 without options, UDP without checksum (RFC 768: zero says that there is none).

/// From 02:00:00:00:00:01 to 02:00:00:00:00:02, 10.0.0.1:1024 to 10.0.0.2:2000, `size` bytes without the frame check sequence.
pub fn udp(size: usize) -> Vec<u8> {
    let mut frame = vec![0u8; size];
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    frame[12..14].copy_from_slice(&0x0800u16.to_be_bytes());
    let ip = &mut frame[14..34];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&((size - 14) as u16).to_be_bytes());
    ip[8] = 64;
    ip[9] = 17;
    ip[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    ip[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    let udp = &mut frame[34..42];
    udp[..2].copy_from_slice(&1024u16.to_be_bytes());
    udp[2..4].copy_from_slice(&2000u16.to_be_bytes());
    udp[4..6].copy_from_slice(&((size - 34) as u16).to_be_bytes());
    frame
}

/// Sizes and how many of each in a round: the usual mix of 7 small, 4 middle and 1 large frames, or one size only.
pub fn mix(name: &str) -> Vec<(usize, u32)> {
    match name {
        "imix" => vec![(60, 7), (594, 4), (1514, 1)],
        size => vec![(size.parse().expect("a frame size"), 1)],
    }
}
