//! An event counter (eventfd) that wakes a thread out of poll(2). Whoever writes eight bytes to its descriptor rings.

use std::os::fd::{AsRawFd, OwnedFd};

use libc::c_void;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

use crate::fd::own;

#[napi]
pub struct EventBell {
    fd: OwnedFd,
}

#[napi]
impl EventBell {
    #[napi(factory)]
    pub fn open() -> Result<EventBell> {
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        Ok(EventBell { fd: own(fd, "eventfd")? })
    }

    #[napi(getter)]
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Silences it until it is rung anew.
    #[napi]
    pub fn drain(&self) {
        let mut count = 0u64;
        let at: *mut u64 = &mut count;
        // SAFETY: the kernel writes eight bytes to a live value, or nothing when it has not been rung.
        unsafe { libc::read(self.fd.as_raw_fd(), at.cast::<c_void>(), size_of::<u64>()) };
    }
}
