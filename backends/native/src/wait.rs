//! Sleeping until a frame comes.

use napi::bindgen_prelude::{Int32Array, Result};
use napi_derive::napi;

use crate::error::{errno, failed};

/// Blocks the calling thread until one of the descriptors can be read or has an error, or the time is over: poll(2).
/// Negative descriptors are left out; a negative time is for ever. Returns how many are ready; 0 after a signal.
#[napi]
pub fn wait_readable(fds: Int32Array, timeout_ms: i32) -> Result<u32> {
    let mut questions: Vec<libc::pollfd> =
        fds.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 }).collect();
    // SAFETY: the pointer and the count are those of a live vector.
    let ready = unsafe { libc::poll(questions.as_mut_ptr(), questions.len() as libc::nfds_t, timeout_ms) };
    match ready {
        0.. => Ok(ready as u32),
        _ if errno() == libc::EINTR => Ok(0),
        _ => failed("poll"),
    }
}
