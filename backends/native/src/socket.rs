//! AF_XDP sockets (the kernel's networking/af_xdp document).
//!
//! The worker moves the rings itself. What is left to do here: the kick that makes the kernel send, frames whose checksum
//! was left to a device that does not exist, the death of the interface, and the way out.
//!
//! Ownership at the end. When the socket is closed, chunks that the kernel had not given back are put where the worker
//! looks for them: see reconcile(). By zero copy a network card has chunks in an order of its own, and what it had at the end
//! is on no ring: the datapath finds it by exclusion.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libc::c_int;
use napi::bindgen_prelude::{Error, Result, Uint8Array};
use napi_derive::napi;

use crate::bind::{XdpOptions, bind_best, busy_poll, promiscuous, register, set_tx_budget};
use crate::bpf::{Mode, Redirect};
use crate::counts::PortCounts;
use crate::error::errno;
use crate::fd::{get_option, socket};
use crate::link::link_info;
use crate::ring::{PortPlaces, PortRings, Ring, RingPlace};
use crate::rings_map::{RingMaps, SOL_XDP, kernel_rings, raw, wait_for_readers};
use crate::vnet::complete_if_partial;

const XDP_STATISTICS: c_int = 7;
const RING_NEED_WAKEUP: u32 = 1;
/// The headroom that XDP itself keeps in front of a received frame.
const XDP_HEADROOM: u32 = 256;
/// Aligned chunks are no longer than a page.
const CHUNK_SIZE_MAX: u32 = 4096;
/// Frames under way at close are waited for so long.
const SETTLE_MAX: Duration = Duration::from_millis(100);

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

/// What the kernel counts of a socket.
#[napi(object)]
#[derive(Default)]
pub struct XdpCounts {
    pub rx_dropped: f64,
    pub rx_invalid: f64,
    pub tx_invalid: f64,
    pub rx_ring_full: f64,
    pub fill_ring_empty: f64,
    pub tx_ring_empty: f64,
}

struct Attached {
    // dropped in this order: program, rings, socket
    redirect: Arc<Redirect>,
    maps: RingMaps,
    /// Keeps the interface promiscuous.
    _promiscuous: OwnedFd,
    fd: OwnedFd,
    rings: PortRings,
    /// The kernel's index, when the one that the worker sees is set here, behind frames that were looked at.
    kernel_rx: Option<Ring<crate::ring::Descriptor>>,
    tx_flags: *const u32,
    fill_flags: *const u32,
    queue: u32,
    is_dead: bool,
    is_zero_copy: bool,
    is_busy_polling: bool,
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
        self.attached.as_ref().map(|attached| attached.redirect.mode.name().to_owned())
    }

    /// The network card reads and writes the chunks themselves.
    #[napi(getter)]
    pub fn is_zero_copy(&self) -> bool {
        self.attached.as_ref().is_some_and(|attached| attached.is_zero_copy)
    }

    /// All that the kernel counts, since the port was attached.
    #[napi]
    pub fn kernel_counts(&self) -> XdpCounts {
        let statistics = self.statistics();
        XdpCounts {
            rx_dropped: statistics.rx_dropped as f64,
            rx_invalid: statistics.rx_invalid as f64,
            tx_invalid: statistics.tx_invalid as f64,
            rx_ring_full: statistics.rx_ring_full as f64,
            fill_ring_empty: statistics.fill_ring_empty as f64,
            tx_ring_empty: statistics.tx_ring_empty as f64,
        }
    }

    fn statistics(&self) -> Statistics {
        let Some(attached) = &self.attached else { return Statistics::default() };
        get_option::<Statistics>(&attached.fd, SOL_XDP, XDP_STATISTICS, "statistics").unwrap_or_default()
    }

    /// Completes checksums of frames that came, and kicks again where frames did not leave. Returns frames looked at.
    #[napi]
    pub fn poll(&mut self) -> u32 {
        let Some(attached) = &mut self.attached else { return 0 };
        if attached.rings.tx.waiting() > 0 {
            attached.kick(&mut self.counts);
        }
        attached.wake_receiver();
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
        let statistics = self.statistics();
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
        let flags_at = |offset| rings.memory.at(offset, 4, 4).map(|at| at.cast::<u32>().cast_const());
        let tx_flags = flags_at(maps.tx_flags)?;
        let fill_flags = flags_at(maps.fill_flags)?;
        let is_busy_polling = busy_poll(&fd, options)?;
        let is_zero_copy = bind_best(&fd, interface, options)?;
        set_tx_budget(&fd, options.tx_budget.unwrap_or(places.tx.mask + 1));
        let promiscuous = promiscuous(interface)?;
        let allow_generic = options.allow_generic && !is_zero_copy;
        let modes = [(options.allow_native, Mode::Native), (allow_generic, Mode::Generic)];
        let modes: Vec<Mode> = modes.into_iter().filter(|(allowed, _)| *allowed).map(|(_, mode)| mode).collect();
        let redirect = Redirect::of(interface, &modes)?;
        let queue = options.queue;
        redirect.insert(queue, raw(&fd))?;
        Ok(Attached {
            redirect,
            maps,
            _promiscuous: promiscuous,
            fd,
            rings,
            kernel_rx,
            tx_flags,
            fill_flags,
            queue,
            is_dead: false,
            is_zero_copy,
            is_busy_polling,
        })
    }

    /// Has the driver go on receiving, where it waits to be told: it ran out of chunks, or we do what its interrupts would do.
    fn wake_receiver(&self) {
        if self.is_dead || !(self.is_busy_polling || wants_wakeup(self.fill_flags)) {
            return;
        }
        let none = std::ptr::null_mut();
        // SAFETY: nothing is received but the order to look at the fill ring.
        unsafe { libc::recvfrom(raw(&self.fd), none, 0, libc::MSG_DONTWAIT, none.cast(), none.cast()) };
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
        while !self.is_dead && self.rings.tx.waiting() > 0 && wants_wakeup(self.tx_flags) {
            let waiting = self.rings.tx.waiting();
            // SAFETY: nothing is sent but the order to look at the tx ring.
            let result =
                unsafe { libc::sendto(raw(&self.fd), std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0) };
            let error = if result < 0 { errno() } else { 0 };
            match error {
                // an interface that is switched off keeps what is on the ring
                0 | libc::EAGAIN | libc::EBUSY | libc::ENOBUFS | libc::EINTR | libc::ENETDOWN => {}
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
        let Attached { redirect, mut maps, _promiscuous, fd, rings, kernel_rx, queue, is_zero_copy, .. } = self;
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
        if !is_zero_copy {
            reconcile(&rings);
        }
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

/// Whether the kernel waits to be told of a ring. The flags of a ring lie in a mapped page, which the caller's maps keep.
fn wants_wakeup(flags: *const u32) -> bool {
    // SAFETY: the caller's promise; the word is aligned, and all access is atomic.
    let flags = unsafe { std::sync::atomic::AtomicU32::from_ptr(flags.cast_mut()) };
    flags.load(std::sync::atomic::Ordering::Acquire) & RING_NEED_WAKEUP != 0
}
