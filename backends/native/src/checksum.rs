//! Internet checksums (RFC 1071) and SCTP's CRC32c (RFC 9260, appendix A).
//!
//! Sums are kept in memory order: bytes are added as the host loads them and stored as it stores them. A one's
//! complement sum comes out right that way on either byte order; a number that is added must be in network order.

/// Adds the bytes, taken as 16-bit words from the first one on; an odd last byte is padded with zero.
pub fn sum(bytes: &[u8], initial: u64) -> u64 {
    let mut lanes = [0u64; 4];
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
        }
    }
    let mut total = initial + lanes[0] + lanes[1] + lanes[2] + lanes[3];
    let mut pairs = blocks.remainder().chunks_exact(2);
    for pair in &mut pairs {
        total += u64::from(u16::from_ne_bytes([pair[0], pair[1]]));
    }
    if let [last] = pairs.remainder() {
        total += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    total
}

/// Folds a sum to 16 bits; a sum that is not zero does not become zero.
pub fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The sum of a pseudo header: addresses as they lie in the IP header, protocol and length of the transport part.
pub fn pseudo_header(addresses: &[u8], protocol: u8, length: usize) -> u64 {
    let length = length as u32;
    let words = [(length >> 16) as u16, length as u16, u16::from(protocol)];
    sum(addresses, words.iter().map(|word| u64::from(word.to_be())).sum())
}

/// What goes into a checksum field for a sum; 0xffff in place of 0, which UDP reads as "no checksum".
pub fn field_of(sum: u64) -> [u8; 2] {
    let value = !fold(sum);
    (if value == 0 { 0xffff } else { value }).to_ne_bytes()
}

const CRC32C: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 != 0 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| CRC32C[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}
