//! Thin wrappers around system calls: every failure ends the program with what failed.

use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Ends the program when a system call failed.
pub fn must(result: libc::c_long, what: &str) -> libc::c_long {
    if result < 0 {
        eprintln!("weft-io: {what}: {}", std::io::Error::last_os_error());
        std::process::exit(1);
    }
    result
}

pub fn owned(fd: libc::c_long) -> OwnedFd {
    // SAFETY: the descriptor has just been made by the kernel, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}

pub fn interface_index(name: &str) -> u32 {
    let text = CString::new(name).expect("a name without zero bytes");
    // SAFETY: the kernel reads a live string that ends with a zero byte.
    let index = unsafe { libc::if_nametoindex(text.as_ptr()) };
    must(if index == 0 { -1 } else { 0 }, name);
    index
}

/// Runs this thread on one processor only.
pub fn pin(cpu: usize) {
    // SAFETY: a set of processors is plain bits; the kernel reads as many bytes as it has.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        must(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set).into(), "sched_setaffinity");
    }
}

/// Nanoseconds of the monotonic clock.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes a live timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

pub fn set_option<T>(fd: RawFd, level: i32, option: i32, value: &T, what: &str) {
    let at: *const T = value;
    // SAFETY: the kernel reads as many bytes of a live value as it has.
    let result = unsafe { libc::setsockopt(fd, level, option, at.cast(), size_of::<T>() as u32) };
    must(result.into(), what);
}
