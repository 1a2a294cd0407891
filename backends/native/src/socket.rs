//! AF_XDP sockets (the kernel's networking/af_xdp document).
//!
//! The worker moves the rings itself. What is left to do here: the kick that makes the kernel send, frames whose checksum
//! was left to a device that does not exist, the death of the interface, and the way out.
//!
//! Ownership at the end. When the socket is closed, chunks that the kernel had not given back are put where the worker
//! looks for them: see reconcile().

use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libc::c_int;
use napi::bindgen_prelude::{Error, Result, Uint8Array};
use napi_derive::napi;

use crate::bpf::{Mode, Redirect};
use crate::counts::PortCounts;
use crate::error::{check, errno};
use crate::fd::{get_option, set_option, socket};
use crate::link::link_info;
use crate::ring::{PortPlaces, PortRings, Ring, RingPlace};
use crate::rings_map::{RingMaps, SOL_XDP, kernel_rings, raw, wait_for_readers};
use crate::vnet::complete_if_partial;

const XDP_RX_RING: c_int = 2;
const XDP_TX_RING: c_int = 3;
const XDP_UMEM_REG: c_int = 4;
const XDP_UMEM_FILL_RING: c_int = 5;
const XDP_UMEM_COMPLETION_RING: c_int = 6;
const XDP_STATISTICS: c_int = 7;
const XDP_MAX_TX_SKB_BUDGET: c_int = 9;
const XDP_COPY: u16 = 1 << 1;
const XDP_USE_NEED_WAKEUP: u16 = 1 << 3;
const RING_NEED_WAKEUP: u32 = 1;
/// The headroom that XDP itself keeps in front of a received frame.
const XDP_HEADROOM: u32 = 256;
/// Aligned chunks are no longer than a page.
const CHUNK_SIZE_MAX: u32 = 4096;
/// Frames that one kick sends at the most, and the least that the option takes.
const TX_BUDGET_MIN: u32 = 32;
/// The kernel lets go of a queue a moment after the socket that had it was closed.
const BUSY_MAX: Duration = Duration::from_millis(500);
/// Frames under way at close are waited for so long.
const SETTLE_MAX: Duration = Duration::from_millis(100);

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

/// struct xdp_statistics.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Statistics {
    rx_dropped: u64,
    rx_invalid: u64,
    tx_invalid: u64,
    rx_ring_full: u64,
    fill_ring_empty: u64,
    tx_ring_empty: u64,
}

#[napi(object)]
pub struct XdpOptions {
    pub queue: u32,
    pub allow_native: bool,
    pub allow_generic: bool,
}

struct Attached {
    // dropped in this order: program, rings, socket
    redirect: Redirect,
    maps: RingMaps,
    /// Keeps the interface promiscuous.
    _promiscuous: OwnedFd,
    fd: OwnedFd,
    rings: PortRings,
    /// The kernel's index, when the one that the worker sees is set here, behind frames that were looked at.
    kernel_rx: Option<Ring<crate::ring::Descriptor>>,
    tx_flags: *const u32,
    queue: u32,
    is_dead: bool,
}

/// A socket on one queue of an interface.
#[napi]
pub struct XdpPort {
    name: String,
    attached: Option<Attached>,
    counts: PortCounts,
}

#[napi]
impl XdpPort {
    #[napi(factory)]
    pub fn open(name: String) -> Result<XdpPort> {
        if link_info(name.clone())?.is_none() {
            return Err(Error::from_reason(format!("there is no interface {name}")));
        }
        Ok(XdpPort { name, attached: None, counts: PortCounts::default() })
    }

    /// Binds a socket whose rings lie where `places` says, each from the start of a page on, as xdpRingOffsets() wants it.
    #[napi]
    pub fn attach(&mut self, memory: Uint8Array, places: PortPlaces, options: XdpOptions) -> Result<()> {
        let Some(link) = link_info(self.name.clone())? else {
            return Err(Error::from_reason("the interface is gone"));
        };
        self.attached = Some(Attached::new(memory, &places, link.index, &options)?);
        Ok(())
    }

    #[napi(getter)]
    pub fn fd(&self) -> i32 {
        self.attached.as_ref().filter(|attached| !attached.is_dead).map_or(-1, |attached| attached.fd.as_raw_fd())
    }

    /// "native" or "generic"; null when not attached.
    #[napi(getter)]
    pub fn mode(&self) -> Option<String> {
        let name = |mode| if mode == Mode::Native { "native" } else { "generic" };
        self.attached.as_ref().map(|attached| name(attached.redirect.mode).to_owned())
    }

    /// Completes checksums of frames that came, and kicks again where frames did not leave. Returns frames looked at.
    #[napi]
    pub fn poll(&mut self) -> u32 {
        let Some(attached) = &mut self.attached else { return 0 };
        if attached.rings.tx.waiting() > 0 {
            attached.kick(&mut self.counts);
        }
        attached.look_at_received()
    }

    /// Has the kernel send what lies on the tx ring. Returns frames taken.
    #[napi]
    pub fn flush(&mut self) -> u32 {
        self.attached.as_mut().map_or(0, |attached| attached.kick(&mut self.counts))
    }

    #[napi]
    pub fn counts(&self) -> PortCounts {
        let mut counts = self.counts;
        let Some(attached) = &self.attached else { return counts };
        let statistics = get_option::<Statistics>(&attached.fd, SOL_XDP, XDP_STATISTICS, "statistics");
        let statistics = statistics.unwrap_or_default();
        // a frame that finds the fill ring empty is counted in rx_dropped as well
        counts.rx_dropped += (statistics.rx_dropped + statistics.rx_ring_full) as f64;
        counts.rx_errors += statistics.rx_invalid as f64;
        counts.tx_errors += statistics.tx_invalid as f64;
        counts
    }

    /// Detaches the program, gives pages and queue back. Chunks are on the rings where the worker finds them.
    #[napi]
    pub fn close(&mut self) {
        self.counts = self.counts();
        if let Some(attached) = self.attached.take() {
            attached.close();
        }
    }
}

impl Attached {
    fn new(array: Uint8Array, places: &PortPlaces, interface: u32, options: &XdpOptions) -> Result<Attached> {
        if places.chunk_size > CHUNK_SIZE_MAX || places.headroom != XDP_HEADROOM {
            let reason = format!("AF_XDP needs chunks of 2048 or 4096 bytes, not {}", places.chunk_size);
            return Err(Error::from_reason(reason));
        }
        let rings = PortRings::new(array, places)?;
        let fd = socket(libc::AF_XDP, libc::SOCK_RAW, 0)?;
        register(&fd, &rings, places)?;
        let kernel = kernel_rings(&fd)?;
        let maps = RingMaps::new(raw(&fd), &rings.memory, places, &kernel)?;
        let kernel_rx = if maps.rx_producer == places.rx.producer {
            None
        } else {
            let RingPlace { consumer, entries, mask, .. } = places.rx;
            Some(Ring::new(&rings.memory, &RingPlace { producer: maps.rx_producer, consumer, entries, mask })?)
        };
        let tx_flags = rings.memory.at(maps.tx_flags, 4, 4)?.cast::<u32>().cast_const();
        bind(&fd, interface, options.queue)?;
        // optional: kernels before 6.16 do not know it and send 32 frames a kick
        let budget = (places.tx.mask + 1).max(TX_BUDGET_MIN);
        let _ = set_option(&fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, "XDP_MAX_TX_SKB_BUDGET");
        let promiscuous = promiscuous(interface)?;
        let modes = [(options.allow_native, Mode::Native), (options.allow_generic, Mode::Generic)];
        let modes: Vec<Mode> = modes.into_iter().filter(|(allowed, _)| *allowed).map(|(_, mode)| mode).collect();
        let redirect = Redirect::attach(interface, &modes)?;
        redirect.insert(options.queue, raw(&fd))?;
        let queue = options.queue;
        Ok(Attached {
            redirect,
            maps,
            _promiscuous: promiscuous,
            fd,
            rings,
            kernel_rx,
            tx_flags,
            queue,
            is_dead: false,
        })
    }

    /// Looks at frames that the kernel has put on the rx ring since, and shows them to the worker.
    fn look_at_received(&mut self) -> u32 {
        let Some(kernel) = &self.kernel_rx else { return 0 };
        let rings = &self.rings;
        let from = rings.rx.producer();
        let to = kernel.producer();
        let count = to.wrapping_sub(from);
        for i in 0..count {
            let descriptor = rings.rx.get(from.wrapping_add(i));
            // SAFETY: the frame is on the rx ring, but the worker does not see that yet: it is still the device's.
            if let Some(frame) = unsafe { rings.umem.owned(descriptor.address, descriptor.size as usize) } {
                complete_if_partial(frame);
            }
        }
        if count > 0 {
            rings.rx.set_producer(to);
        }
        count
    }

    fn kick(&mut self, counts: &mut PortCounts) -> u32 {
        let before = self.rings.tx.waiting();
        while !self.is_dead && self.rings.tx.waiting() > 0 && self.needs_kick() {
            let waiting = self.rings.tx.waiting();
            // SAFETY: nothing is sent but the order to look at the tx ring.
            let result =
                unsafe { libc::sendto(raw(&self.fd), std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0) };
            let error = if result < 0 { errno() } else { 0 };
            match error {
                0 | libc::EAGAIN | libc::EBUSY | libc::ENOBUFS | libc::EINTR => {}
                _ => self.is_dead = true,
            }
            // no progress: the device has no room, the next call tries again
            if self.rings.tx.waiting() == waiting {
                break;
            }
        }
        if self.is_dead {
            self.bury(counts);
        }
        before - self.rings.tx.waiting()
    }

    fn needs_kick(&self) -> bool {
        // SAFETY: the flags of the tx ring lie in a mapped page, which outlives this port's maps.
        let flags = unsafe { std::sync::atomic::AtomicU32::from_ptr(self.tx_flags.cast_mut()) };
        flags.load(std::sync::atomic::Ordering::Acquire) & RING_NEED_WAKEUP != 0
    }

    /// The interface is gone and the kernel does not look at the rings any more: frames to send go home from here.
    fn bury(&mut self, counts: &mut PortCounts) {
        self.settle();
        let count = self.rings.tx.waiting();
        counts.tx_errors += f64::from(count);
        self.rings.complete_tx(count);
    }

    /// Waits for frames that the kernel has taken and not sent yet.
    fn settle(&self) {
        let start = Instant::now();
        while self.rings.comp.producer() != self.rings.tx.consumer() && start.elapsed() < SETTLE_MAX {
            sleep(Duration::from_millis(1));
        }
    }

    /// Program first, then the pages, then the socket: a queue is free again only when nothing of ours refers to it.
    fn close(self) {
        let Attached { redirect, mut maps, _promiscuous, fd, rings, kernel_rx, queue, .. } = self;
        redirect.remove(queue);
        drop(redirect);
        wait_for_readers();
        let start = Instant::now();
        while rings.comp.producer() != rings.tx.consumer() && start.elapsed() < SETTLE_MAX {
            sleep(Duration::from_millis(1));
        }
        maps.release();
        drop(fd);
        if let Some(kernel) = kernel_rx {
            rings.rx.set_producer(kernel.producer());
        }
        reconcile(&rings);
    }
}

/// Puts chunks that the kernel took and did not give back where the worker finds them. Both of the kernel's ends are at
/// rest now, and all indices began at 0.
fn reconcile(rings: &PortRings) {
    // A chunk taken off the fill ring for a frame that found no room on the rx ring is kept for the next frame: it is the
    // last one taken, and its entry is still there.
    let kept = rings.fill.consumer().wrapping_sub(rings.rx.producer());
    if kept == 1 && rings.fill.room() > 0 {
        rings.fill.set_consumer(rings.fill.consumer().wrapping_sub(1));
    }
    // Frames that were taken to be sent, and whose chunk did not come home in time: the kernel sends a copy.
    let under_way = rings.tx.consumer().wrapping_sub(rings.comp.producer());
    if under_way == 0 {
        return;
    }
    let from = rings.comp.consumer();
    let count = rings.comp.producer().wrapping_sub(from);
    let home: Vec<u64> = (0..count).map(|i| rings.umem.chunk_of(rings.comp.get(from.wrapping_add(i)))).collect();
    let mut producer = rings.comp.producer();
    for i in 0..count.wrapping_add(under_way) {
        let chunk = rings.umem.chunk_of(rings.tx.get(from.wrapping_add(i)).address);
        if !home.contains(&chunk) {
            rings.comp.set(producer, chunk);
            producer = producer.wrapping_add(1);
        }
    }
    rings.comp.set_producer(producer);
}

/// Registers all frames of the memory, and sizes the rings. Each port registers them anew: the kernel counts the pages
/// twice and copies nothing, and no port depends on another's life.
fn register(fd: &OwnedFd, rings: &PortRings, places: &PortPlaces) -> Result<()> {
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

fn bind(fd: &OwnedFd, interface: u32, queue: u32) -> Result<()> {
    let flags = XDP_COPY | XDP_USE_NEED_WAKEUP;
    let address = Address { family: libc::AF_XDP as u16, flags, interface, queue, shared_umem_fd: 0 };
    let at: *const Address = &address;
    let start = Instant::now();
    loop {
        // SAFETY: the kernel reads as many bytes of a live address as it has.
        let result = unsafe { libc::bind(raw(fd), at.cast(), size_of::<Address>() as u32) };
        if result == 0 || errno() != libc::EBUSY || start.elapsed() > BUSY_MAX {
            return check(result, &format!("binding to queue {queue}")).map(drop);
        }
        sleep(Duration::from_millis(2));
    }
}

/// A packet socket that receives nothing and keeps the interface promiscuous while it is open.
fn promiscuous(interface: u32) -> Result<OwnedFd> {
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
