//! The XDP program that hands frames to our sockets: a few bpf(2) calls and six instructions of our own.
//!
//! The program sends frames of a queue that has a socket to that socket, and lets those of all other queues pass to the
//! host: `return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS)`.

use std::ffi::c_long;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use napi::bindgen_prelude::{Error, Result};

use crate::error::{errno, failed};
use crate::fd::own;
use crate::interface::{Interface, Shared};

const MAP_CREATE: c_long = 0;
const MAP_UPDATE: c_long = 2;
const MAP_DELETE: c_long = 3;
const PROG_LOAD: c_long = 5;
const LINK_CREATE: c_long = 28;
const MAP_TYPE_XSKMAP: u32 = 17;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_TYPE_XDP: u32 = 37;
const XDP_PASS: u32 = 2;
const HELPER_REDIRECT_MAP: i32 = 51;
/// Offset of rx_queue_index in struct xdp_md.
const RX_QUEUE_INDEX: i16 = 16;
/// Queues of an interface that can have a socket.
const QUEUES_MAX: u32 = 256;

const FLAG_GENERIC: u32 = 1 << 1;
const FLAG_NATIVE: u32 = 1 << 2;

/// How the driver runs the program: itself, or the kernel behind it, on whole socket buffers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Native,
    Generic,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Native => "native",
            Mode::Generic => "generic",
        }
    }
}

/// The beginning of union bpf_attr as the commands used here read it; the kernel takes the rest as zeros.
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

#[repr(C, align(8))]
struct MapElement {
    map_fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C, align(8))]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
}

#[repr(C)]
struct LinkCreate {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
}

/// struct bpf_insn.
#[derive(Clone, Copy)]
#[repr(C)]
struct Instruction {
    code: u8,
    /// Destination in the low four bits, source in the high.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn instruction(code: u8, registers: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers, offset, immediate }
}

fn program(map: RawFd) -> [Instruction; 6] {
    [
        // r2 = *(u32 *)(r1 + rx_queue_index)
        instruction(0x61, 0x12, RX_QUEUE_INDEX, 0),
        // r1 = map, in two slots
        instruction(0x18, 0x11, 0, map),
        instruction(0, 0, 0, 0),
        // r3 = XDP_PASS: what becomes of frames of a queue without a socket
        instruction(0xb7, 0x03, 0, XDP_PASS as i32),
        instruction(0x85, 0, 0, HELPER_REDIRECT_MAP),
        instruction(0x95, 0, 0, 0),
    ]
}

fn bpf<T>(command: c_long, attribute: &T) -> i32 {
    let at: *const T = attribute;
    // SAFETY: the kernel reads size_of::<T>() bytes of a live attribute; addresses in it point to what outlives the call.
    unsafe { libc::syscall(libc::SYS_bpf, command, at, size_of::<T>()) as i32 }
}

static PROGRAMS: Shared<Redirect> = Shared::new();

/// A program on an interface, and the map of sockets that it reads: one for all sockets of this process on the interface.
/// Detached and freed when dropped, in that order.
pub struct Redirect {
    _link: OwnedFd,
    _program: OwnedFd,
    sockets: OwnedFd,
    pub mode: Mode,
}

impl Redirect {
    /// The interface's program: it is attached, in the first mode that works, unless it is there already.
    pub fn of(interface: u32, modes: &[Mode]) -> Result<Arc<Redirect>> {
        let redirect = PROGRAMS.get(Interface::here(interface), || Redirect::attach(interface, modes))?;
        if modes.contains(&redirect.mode) {
            return Ok(redirect);
        }
        let reason = format!("another queue has the interface's program in {} mode", redirect.mode.name());
        Err(Error::from_reason(reason))
    }

    fn attach(interface: u32, modes: &[Mode]) -> Result<Redirect> {
        let create =
            MapCreate { map_type: MAP_TYPE_XSKMAP, key_size: 4, value_size: 4, max_entries: QUEUES_MAX, map_flags: 0 };
        let sockets = own(bpf(MAP_CREATE, &create), "making the map of sockets")?;
        let program = load(&program(sockets.as_raw_fd()))?;
        let mut reason = Error::from_reason("no XDP mode is allowed");
        for &mode in modes {
            let link = LinkCreate {
                prog_fd: program.as_raw_fd() as u32,
                target_ifindex: interface,
                attach_type: ATTACH_TYPE_XDP,
                flags: if mode == Mode::Native { FLAG_NATIVE } else { FLAG_GENERIC },
            };
            match own(bpf(LINK_CREATE, &link), "attaching the XDP program") {
                Ok(link) => return Ok(Redirect { _link: link, _program: program, sockets, mode }),
                // another program is there: no other mode would help
                Err(error) if errno() == libc::EBUSY => return Err(error),
                Err(error) => reason = error,
            }
        }
        Err(reason)
    }

    /// From now on frames of the queue go to the socket.
    pub fn insert(&self, queue: u32, socket: RawFd) -> Result<()> {
        if self.element(MAP_UPDATE, queue, &(socket as u32)) < 0 { failed("entering the socket") } else { Ok(()) }
    }

    /// From now on they do not; the kernel may still be busy with one.
    pub fn remove(&self, queue: u32) {
        self.element(MAP_DELETE, queue, &0);
    }

    fn element(&self, command: c_long, queue: u32, value: &u32) -> i32 {
        let key: *const u32 = &queue;
        let value: *const u32 = value;
        let value = if command == MAP_DELETE { 0 } else { value as u64 };
        let map_fd = self.sockets.as_raw_fd() as u32;
        bpf(command, &MapElement { map_fd, padding: 0, key: key as u64, value, flags: 0 })
    }
}

fn load(instructions: &[Instruction]) -> Result<OwnedFd> {
    let license = c"Apache-2.0";
    let load = ProgLoad {
        prog_type: PROG_TYPE_XDP,
        insn_cnt: instructions.len() as u32,
        insns: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
    };
    own(bpf(PROG_LOAD, &load), "loading the XDP program")
}
