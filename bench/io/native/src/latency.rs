//! latency: frames out of one interface at a steady rate, in again by another; a histogram of the time between.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::frame::udp;
use crate::sys::{interface_index, must, now, owned, pin, set_option};

const MAGIC: u32 = 0x7765_6674;
const AT: usize = 42;

fn packet_socket(name: &str, protocol: u16) -> OwnedFd {
    // SAFETY: makes a socket; the address is plain bytes.
    unsafe {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK;
        let fd = owned(must(libc::socket(libc::AF_PACKET, kind, 0).into(), "a packet socket"));
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol.to_be();
        address.sll_ifindex = interface_index(name) as i32;
        let at = (&raw const address).cast();
        must(libc::bind(fd.as_raw_fd(), at, size_of::<libc::sockaddr_ll>() as u32).into(), "binding");
        fd
    }
}

/// Both interfaces in the namespaces of the two names of files (/run/netns/NAME).
fn in_namespace<T>(path: &str, work: impl FnOnce() -> T) -> T {
    let text = std::ffi::CString::new(path).expect("a path without zero bytes");
    // SAFETY: this thread goes into another namespace; sockets stay where they were made.
    unsafe {
        let fd = owned(must(libc::open(text.as_ptr(), libc::O_RDONLY).into(), path));
        must(libc::setns(fd.as_raw_fd(), libc::CLONE_NEWNET).into(), "setns");
    }
    work()
}

/// Prints sent, received and the percentiles 50, 99 and 99.99 in nanoseconds.
pub fn latency(out: [&str; 2], back: [&str; 2], rate: f64, seconds: f64, size: usize, cpu: usize) {
    pin(cpu);
    let tx = in_namespace(out[0], || packet_socket(out[1], 0));
    let rx = in_namespace(back[0], || packet_socket(back[1], 0x0003));
    set_option(tx.as_raw_fd(), libc::SOL_PACKET, 20, &1i32, "PACKET_QDISC_BYPASS");
    set_option(rx.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &(64i32 << 20), "a receive buffer");
    let mut frame = udp(size);
    frame[AT..AT + 4].copy_from_slice(&MAGIC.to_be_bytes());
    let start = now();
    let end = start + (seconds * 1e9) as u64;
    let gap = 1e9 / rate;
    let mut sent = 0u64;
    let mut times: Vec<u32> = Vec::with_capacity((rate * seconds) as usize);
    let mut buffer = [0u8; 2048];
    loop {
        let time = now();
        // what is under way at the end is waited for
        if time > end + 100_000_000 {
            break;
        }
        if time < end && (sent as f64) * gap <= (time - start) as f64 {
            frame[AT + 4..AT + 12].copy_from_slice(&now().to_be_bytes());
            // SAFETY: the kernel reads a live frame.
            if unsafe { libc::send(tx.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) } > 0 {
                sent += 1;
            }
        }
        // SAFETY: the kernel writes at most as many bytes as the live buffer has.
        let got = unsafe { libc::recv(rx.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if got >= (AT + 12) as isize && buffer[AT..AT + 4] == MAGIC.to_be_bytes() {
            let then = u64::from_be_bytes(buffer[AT + 4..AT + 12].try_into().expect("eight bytes"));
            times.push(now().saturating_sub(then).min(u64::from(u32::MAX)) as u32);
        }
    }
    times.sort_unstable();
    let at = |part: f64| times.get(((times.len() as f64) * part) as usize).or(times.last()).copied().unwrap_or(0);
    println!("{sent} {} {} {} {}", times.len(), at(0.5), at(0.99), at(0.9999));
}
