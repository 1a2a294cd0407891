//! Waking the event loop when a frame comes.
//!
//! What. The descriptors of all ports are in one epoll set, and the loop of libuv watches that set. While JavaScript has
//! nothing to do the thread sleeps in the loop's own epoll_wait(2): a frame, a socket and a timer wake it alike, without a
//! second thread.
//!
//! Invariants. The set is watched for one wake only: arm() again for the next. Descriptors that were closed leave the set
//! by themselves.
//!
//! Not supported: a thread that ends with a Waker that is not closed.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::c_void;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{null, null_mut};

use libc::c_int;
use napi::bindgen_prelude::{Env, Error, Function, JsValue, Result};
use napi::sys;
use napi_derive::napi;

use crate::error::{check, errno};
use crate::fd::own;

const UV_POLL: c_int = 8;
const UV_READABLE: c_int = 1;
const ALIGN: usize = 16;

type PollCallback = extern "C" fn(handle: *mut c_void, status: c_int, events: c_int);
type CloseCallback = extern "C" fn(handle: *mut c_void);

// The program that loads the addon has these: Node exports libuv's functions to addons.
unsafe extern "C" {
    fn uv_handle_size(kind: c_int) -> usize;
    fn uv_handle_set_data(handle: *mut c_void, data: *mut c_void);
    fn uv_handle_get_data(handle: *const c_void) -> *mut c_void;
    fn uv_poll_init(event_loop: *mut c_void, handle: *mut c_void, fd: c_int) -> c_int;
    fn uv_poll_start(handle: *mut c_void, events: c_int, callback: PollCallback) -> c_int;
    fn uv_poll_stop(handle: *mut c_void) -> c_int;
    fn uv_close(handle: *mut c_void, callback: CloseCallback);
}

/// What the callback finds behind its handle. Lives until the handle is closed.
struct Listener {
    env: sys::napi_env,
    callback: sys::napi_ref,
    /// The watched set: open as long as libuv may look at it.
    epoll: OwnedFd,
}

fn layout() -> Layout {
    // SAFETY: no memory is passed; the alignment is a power of two.
    unsafe { Layout::from_size_align_unchecked(uv_handle_size(UV_POLL), ALIGN) }
}

/// One set of descriptors, and whom to tell.
#[napi]
pub struct Waker {
    handle: *mut c_void,
}

#[napi]
impl Waker {
    /// `callback` is called without arguments, once after each arm().
    #[napi(constructor)]
    pub fn new(env: Env, callback: Function<(), ()>) -> Result<Waker> {
        // SAFETY: no memory is passed.
        let epoll = own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }, "epoll_create1")?;
        let env = env.raw();
        let mut event_loop = null_mut();
        let mut reference = null_mut();
        // SAFETY: the environment is the calling one, the value lives in its current scope, the results are live.
        let status = unsafe {
            match sys::napi_get_uv_event_loop(env, &mut event_loop) {
                sys::Status::napi_ok => sys::napi_create_reference(env, callback.raw(), 1, &mut reference),
                bad => bad,
            }
        };
        if status != sys::Status::napi_ok {
            return Err(Error::from_reason("no event loop"));
        }
        // SAFETY: the layout is not empty.
        let handle = unsafe { alloc_zeroed(layout()) }.cast::<c_void>();
        // SAFETY: the handle has the size that libuv asks for, and is not in use.
        if handle.is_null() || unsafe { uv_poll_init(event_loop.cast(), handle, epoll.as_raw_fd()) } != 0 {
            return Err(Error::from_reason("the event loop takes no more descriptors"));
        }
        let listener = Box::new(Listener { env, callback: reference, epoll });
        // SAFETY: the handle was initialised just now; closed() frees what is put behind it.
        unsafe { uv_handle_set_data(handle, Box::into_raw(listener).cast()) };
        Ok(Waker { handle })
    }

    fn control(&self, operation: c_int, fd: i32) -> Result<()> {
        if self.handle.is_null() {
            return Err(Error::from_reason("the waker is closed"));
        }
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        // SAFETY: the handle is not closed, so its listener is there; the event is a live value.
        let result = unsafe { libc::epoll_ctl(listener(self.handle).epoll.as_raw_fd(), operation, fd, &mut event) };
        check(result, "epoll_ctl").map(drop)
    }

    /// Wakes for this descriptor as well.
    #[napi]
    pub fn add(&self, fd: i32) -> Result<()> {
        match self.control(libc::EPOLL_CTL_ADD, fd) {
            Err(_) if errno() == libc::EEXIST => Ok(()),
            result => result,
        }
    }

    /// Not for this one any more; a descriptor that is not in the set, or closed, is none.
    #[napi]
    pub fn remove(&self, fd: i32) -> Result<()> {
        match self.control(libc::EPOLL_CTL_DEL, fd) {
            Err(_) if matches!(errno(), libc::ENOENT | libc::EBADF) => Ok(()),
            result => result,
        }
    }

    /// Calls back once, when a descriptor can be read. Until then the event loop stays alive.
    #[napi]
    pub fn arm(&self) -> Result<()> {
        // SAFETY: the handle is not closed.
        if self.handle.is_null() || unsafe { uv_poll_start(self.handle, UV_READABLE, woken) } != 0 {
            return Err(Error::from_reason("the waker is closed"));
        }
        Ok(())
    }

    /// Takes arm() back.
    #[napi]
    pub fn disarm(&self) {
        if !self.handle.is_null() {
            // SAFETY: the handle is not closed.
            unsafe { uv_poll_stop(self.handle) };
        }
    }

    #[napi]
    pub fn close(&mut self) {
        let handle = std::mem::replace(&mut self.handle, null_mut());
        if !handle.is_null() {
            // SAFETY: the handle is open, and nobody uses it after this; closed() frees it when libuv lets go of it.
            unsafe { uv_close(handle, closed) };
        }
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.close();
    }
}

/// SAFETY: `handle` must be one of a Waker whose closed() has not run.
unsafe fn listener<'a>(handle: *const c_void) -> &'a Listener {
    // SAFETY: see above.
    unsafe { &*uv_handle_get_data(handle).cast::<Listener>() }
}

extern "C" fn woken(handle: *mut c_void, _status: c_int, _events: c_int) {
    // SAFETY: libuv calls this for open handles only, on the environment's thread, outside of any scope.
    unsafe {
        uv_poll_stop(handle);
        let Listener { env, callback, .. } = listener(handle);
        let (env, mut scope, mut function, mut receiver) = (*env, null_mut(), null_mut(), null_mut());
        if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
            return;
        }
        sys::napi_get_reference_value(env, *callback, &mut function);
        sys::napi_get_global(env, &mut receiver);
        let mut result = null_mut();
        let status = sys::napi_make_callback(env, null_mut(), receiver, function, 0, null(), &mut result);
        if status == sys::Status::napi_pending_exception {
            let mut exception = null_mut();
            sys::napi_get_and_clear_last_exception(env, &mut exception);
            sys::napi_fatal_exception(env, exception);
        }
        sys::napi_close_handle_scope(env, scope);
    }
}

extern "C" fn closed(handle: *mut c_void) {
    // SAFETY: libuv is done with the handle; its listener was put there by new() and is taken back once, here.
    unsafe {
        let listener = Box::from_raw(uv_handle_get_data(handle).cast::<Listener>());
        sys::napi_delete_reference(listener.env, listener.callback);
        drop(listener);
        dealloc(handle.cast(), layout());
    }
}

/// Lets the calling thread run on these processors only.
#[napi]
pub fn set_affinity(processors: Vec<u32>) -> Result<()> {
    // SAFETY: a set of processors is plain data, for which zeros are valid.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for processor in processors {
        if processor as usize >= 8 * size_of::<libc::cpu_set_t>() {
            return Err(Error::from_reason(format!("no processor has the number {processor}")));
        }
        // SAFETY: the number is within the set.
        unsafe { libc::CPU_SET(processor as usize, &mut set) };
    }
    // SAFETY: the kernel reads a live set of the size given.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) }, "sched_setaffinity").map(drop)
}
