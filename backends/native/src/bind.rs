//! Setting an AF_XDP socket up: its frames and rings, how it polls, and the queue that it is bound to.

use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libc::c_int;
use napi::bindgen_prelude::{Error, Result};
use napi_derive::napi;

use crate::error::errno;
use crate::fd::{set_option, socket};
use crate::ring::{PortPlaces, PortRings};
use crate::rings_map::{SOL_XDP, raw};

const XDP_RX_RING: c_int = 2;
const XDP_TX_RING: c_int = 3;
const XDP_UMEM_REG: c_int = 4;
const XDP_UMEM_FILL_RING: c_int = 5;
const XDP_UMEM_COMPLETION_RING: c_int = 6;
const XDP_MAX_TX_SKB_BUDGET: c_int = 9;
const XDP_COPY: u16 = 1 << 1;
const XDP_ZEROCOPY: u16 = 1 << 2;
const XDP_USE_NEED_WAKEUP: u16 = 1 << 3;
const SO_BUSY_POLL: c_int = 46;
const SO_PREFER_BUSY_POLL: c_int = 69;
const SO_BUSY_POLL_BUDGET: c_int = 70;
/// Frames of one round of busy polling, unless it is said.
const BUSY_POLL_FRAMES: u32 = 64;
/// Frames that one kick sends at the most, and the least that the option takes.
const TX_BUDGET_MIN: u32 = 32;
/// The kernel lets go of a queue a moment after the socket that had it was closed.
const BUSY_MAX: Duration = Duration::from_millis(500);

/// struct xdp_umem_reg, up to and with its flags.
#[repr(C)]
struct UmemRegistration {
    address: u64,
    length: u64,
    chunk_size: u32,
    headroom: u32,
    flags: u32,
    tx_metadata_size: u32,
}

/// struct sockaddr_xdp.
#[repr(C)]
struct Address {
    family: u16,
    flags: u16,
    interface: u32,
    queue: u32,
    shared_umem_fd: u32,
}

#[napi(object)]
pub struct XdpOptions {
    pub queue: u32,
    pub allow_native: bool,
    pub allow_generic: bool,
    /// Zero copy is asked for first; and what comes of it when the driver has none.
    pub allow_zero_copy: bool,
    pub allow_copy: bool,
    /// Microseconds: the receiving call drives the network card itself, for so long at the most, in place of interrupts.
    pub busy_poll: Option<u32>,
    /// Frames of one such round.
    pub busy_poll_budget: Option<u32>,
    /// Frames that one kick sends at the most; as many as the tx ring has entries when left out.
    pub tx_budget: Option<u32>,
}

/// Registers all frames of the memory, and sizes the rings. Each port registers them anew: the kernel counts the pages
/// twice and copies nothing, and no port depends on another's life.
pub fn register(fd: &OwnedFd, rings: &PortRings, places: &PortPlaces) -> Result<()> {
    let registration = UmemRegistration {
        address: rings.umem.base() as u64,
        length: rings.umem.size() as u64,
        chunk_size: rings.umem.chunk_size() as u32,
        headroom: 0,
        flags: 0,
        tx_metadata_size: 0,
    };
    set_option(fd, SOL_XDP, XDP_UMEM_REG, &registration, "registering the frames")?;
    let sizes = [
        (XDP_UMEM_FILL_RING, &places.fill),
        (XDP_UMEM_COMPLETION_RING, &places.comp),
        (XDP_RX_RING, &places.rx),
        (XDP_TX_RING, &places.tx),
    ];
    for (option, place) in sizes {
        set_option(fd, SOL_XDP, option, &(place.mask + 1), "sizing a ring")?;
    }
    Ok(())
}

/// Sets busy polling up, where it is wanted.
pub fn busy_poll(fd: &OwnedFd, options: &XdpOptions) -> Result<bool> {
    let Some(time @ 1..) = options.busy_poll else { return Ok(false) };
    let budget = options.busy_poll_budget.unwrap_or(BUSY_POLL_FRAMES);
    let settings = [
        (SO_PREFER_BUSY_POLL, 1, "SO_PREFER_BUSY_POLL"),
        (SO_BUSY_POLL, time, "SO_BUSY_POLL"),
        (SO_BUSY_POLL_BUDGET, budget, "SO_BUSY_POLL_BUDGET"),
    ];
    for (option, value, what) in settings {
        set_option(fd, libc::SOL_SOCKET, option, &value, what)?;
    }
    Ok(true)
}

/// Frames that one kick sends at the most. Kernels before 6.16 do not know the option, and send 32.
pub fn set_tx_budget(fd: &OwnedFd, budget: u32) {
    let _ = set_option(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget.max(TX_BUDGET_MIN), "XDP_MAX_TX_SKB_BUDGET");
}

/// Binds by zero copy where that is allowed and the driver has it, else by copy. True for zero copy.
pub fn bind_best(fd: &OwnedFd, interface: u32, options: &XdpOptions) -> Result<bool> {
    let queue = options.queue;
    let mut result = Err(libc::EOPNOTSUPP);
    if options.allow_zero_copy {
        result = bind(fd, interface, queue, XDP_ZEROCOPY).map(|()| true);
    }
    // a queue that is taken is taken for copying too
    if options.allow_copy && !matches!(result, Ok(_) | Err(libc::EBUSY)) {
        result = bind(fd, interface, queue, XDP_COPY).map(|()| false);
    }
    result.map_err(|error| {
        Error::from_reason(match error {
            libc::EBUSY => format!("queue {queue} is busy: it has a socket"),
            // the kernel's word for a queue that is not there
            libc::EINVAL => format!("there is no queue {queue}, or it cannot have a socket"),
            libc::EOPNOTSUPP if !options.allow_copy => "the driver has no zero copy".to_owned(),
            _ => format!("binding to queue {queue}: {}", std::io::Error::from_raw_os_error(error)),
        })
    })
}

/// Fails with the error number.
fn bind(fd: &OwnedFd, interface: u32, queue: u32, how: u16) -> std::result::Result<(), i32> {
    let flags = how | XDP_USE_NEED_WAKEUP;
    let address = Address { family: libc::AF_XDP as u16, flags, interface, queue, shared_umem_fd: 0 };
    let at: *const Address = &address;
    let start = Instant::now();
    loop {
        // SAFETY: the kernel reads as many bytes of a live address as it has.
        if unsafe { libc::bind(raw(fd), at.cast(), size_of::<Address>() as u32) } == 0 {
            return Ok(());
        }
        match errno() {
            libc::EBUSY if start.elapsed() <= BUSY_MAX => sleep(Duration::from_millis(2)),
            error => return Err(error),
        }
    }
}

/// A packet socket that receives nothing and keeps the interface promiscuous while it is open.
pub fn promiscuous(interface: u32) -> Result<OwnedFd> {
    let fd = socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    let request = libc::packet_mreq {
        mr_ifindex: interface as c_int,
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(&fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request, "promiscuous mode")?;
    Ok(fd)
}
