//! flood: as many frames as the processor makes, out of an interface, until the time is over.

use crate::bpf::{load, redirect_program, run_live};
use crate::frame::{mix, udp};
use crate::sys::{interface_index, now};

/// Frames of a call: the call itself costs tens of microseconds.
const REPEAT: u32 = 16_384;

pub fn flood(interface: &str, sizes: &str, flows: u32, seconds: f64) {
    let program = load(&redirect_program(interface_index(interface), flows));
    let frames: Vec<(Vec<u8>, u32)> = mix(sizes).into_iter().map(|(size, share)| (udp(size), share)).collect();
    let shares: u32 = frames.iter().map(|(_, share)| share).sum();
    let end = now() + (seconds * 1e9) as u64;
    let mut sent = 0u64;
    while now() < end {
        for (frame, share) in &frames {
            let repeat = REPEAT * share / shares;
            run_live(&program, frame, repeat);
            sent += u64::from(repeat);
        }
    }
    println!("{sent}");
}
