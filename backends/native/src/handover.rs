//! Descriptors of another process: how a device goes from one switch to the next without a frame lost.

use std::os::fd::OwnedFd;

use libc::{c_int, pid_t};
use napi::bindgen_prelude::Result;
use napi_derive::napi;

use crate::error::check;
use crate::fd::own;

/// Where a device is held: a process, and the descriptor's number there.
#[napi(object)]
pub struct HeldDescriptor {
    pub pid: i32,
    pub fd: i32,
}

/// A second descriptor of what another process has open (pidfd_getfd(2)).
pub fn take(held: &HeldDescriptor) -> Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, held.pid as pid_t, 0) };
    let pidfd = own(pidfd as c_int, "pidfd_open")?;
    // SAFETY: no memory is passed.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, std::os::fd::AsRawFd::as_raw_fd(&pidfd), held.fd, 0) };
    own(check(fd as c_int, "pidfd_getfd")?, "pidfd_getfd")
}
