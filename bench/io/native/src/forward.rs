//! forward: frames of each of two interfaces go out of the other, with a new destination address and a smaller TTL. No lookup, no
//! parser but a look at the Ethernet type: the least that an AF_XDP switch can do.

use crate::sys::pin;
use crate::xsk::{CHUNK, Descriptor, Frames, Xsk};

const BURST: u32 = 32;

/// New destination, TTL less one and its checksum (RFC 1624).
fn rewrite(frame: &mut [u8]) {
    if frame.len() < 34 || frame[12..14] != [8, 0] {
        return;
    }
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 3]);
    frame[22] -= 1;
    let sum = u32::from(u16::from_be_bytes([frame[24], frame[25]])) + 0x100;
    let folded = ((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&folded.to_be_bytes());
}

pub fn forward(names: [&str; 2], cpu: usize) {
    pin(cpu);
    let frames = Frames::new();
    let ports = names.map(|name| Xsk::open(name, &frames));
    let mut free: Vec<u64> = (0..frames.count()).map(|i| (i * CHUNK) as u64).collect();
    println!("ready");
    let mut burst: Vec<Descriptor> = Vec::new();
    loop {
        for i in 0..2 {
            let (port, other) = (&ports[i], &ports[1 - i]);
            port.completion.pop(BURST * 4, |address| free.push(address & !(CHUNK as u64 - 1)));
            let fills = port.fill.room().min(free.len() as u32) as usize;
            port.fill.push(free.drain(free.len() - fills..));
            burst.clear();
            port.rx.pop(BURST.min(other.tx.room()), |descriptor| burst.push(descriptor));
            if burst.is_empty() {
                continue;
            }
            for descriptor in &burst {
                rewrite(frames.frame(*descriptor));
            }
            other.tx.push(burst.iter().copied());
            other.kick();
        }
        for port in &ports {
            port.kick();
        }
    }
}
