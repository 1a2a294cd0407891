//! Failed system calls as errors with the call's name in front.

use std::io;

use napi::bindgen_prelude::{Error, Result};

pub fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The error of the system call that failed just now.
pub fn failed<T>(what: &str) -> Result<T> {
    Err(Error::from_reason(format!("{what}: {}", io::Error::last_os_error())))
}

/// The result of a system call that gives -1 on failure.
pub fn check(result: i32, what: &str) -> Result<i32> {
    if result < 0 { failed(what) } else { Ok(result) }
}
