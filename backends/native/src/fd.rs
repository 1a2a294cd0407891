//! File descriptors that are closed when they are dropped, and what is done to sockets.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{c_int, c_void, socklen_t};
use napi::bindgen_prelude::Result;

use crate::error::check;

/// Takes a descriptor that a system call just gave, or its error.
pub fn own(result: c_int, what: &str) -> Result<OwnedFd> {
    let fd = check(result, what)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub fn socket(family: c_int, kind: c_int, protocol: c_int) -> Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, protocol) };
    own(fd, "socket")
}

/// `T` is the option's C struct: plain data.
pub fn set_option<T>(fd: &OwnedFd, level: c_int, name: c_int, value: &T, what: &str) -> Result<()> {
    let at: *const T = value;
    // SAFETY: the kernel reads size_of::<T>() bytes of a live value.
    let result =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, at.cast::<c_void>(), size_of::<T>() as socklen_t) };
    check(result, what).map(drop)
}

pub fn get_option<T: Default>(fd: &OwnedFd, level: c_int, name: c_int, what: &str) -> Result<T> {
    let mut value = T::default();
    let mut size = size_of::<T>() as socklen_t;
    let at: *mut T = &mut value;
    // SAFETY: the kernel writes at most size_of::<T>() bytes to a live value for which any bytes will do.
    let result = unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, at.cast::<c_void>(), &mut size) };
    check(result, what)?;
    Ok(value)
}
