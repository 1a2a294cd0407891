//! The kernel's four rings of an AF_XDP socket, mapped over pages of the linear memory.

use std::os::fd::{AsRawFd, RawFd};

use libc::{c_int, c_void, off_t};
use napi::bindgen_prelude::{Error, Result};
use napi_derive::napi;

use crate::error::failed;
use crate::fd::{get_option, socket};
use crate::ring::{PortPlaces, RingPlace};
use crate::umem::Memory;

pub const SOL_XDP: c_int = 283;
const XDP_MMAP_OFFSETS: c_int = 1;
const PAGE: usize = 4096;
/// mmap offsets that name the rings.
const RX_RING: u64 = 0;
const TX_RING: u64 = 0x8000_0000;
const FILL_RING: u64 = 0x1_0000_0000;
const COMP_RING: u64 = 0x1_8000_0000;

/// struct xdp_ring_offset.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct KernelOffsets {
    producer: u64,
    consumer: u64,
    entries: u64,
    flags: u64,
}

/// struct xdp_mmap_offsets.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct KernelRings {
    pub rx: KernelOffsets,
    pub tx: KernelOffsets,
    pub fill: KernelOffsets,
    comp: KernelOffsets,
}

/// Where indices and entries lie, in bytes from the start of the ring's first page.
#[napi(object)]
pub struct RingOffsets {
    pub producer: u32,
    pub consumer: u32,
    pub entries: u32,
}

#[napi(object)]
pub struct PortRingOffsets {
    pub rx: RingOffsets,
    pub tx: RingOffsets,
    pub fill: RingOffsets,
    pub comp: RingOffsets,
}

pub fn kernel_rings(fd: &std::os::fd::OwnedFd) -> Result<KernelRings> {
    get_option(fd, SOL_XDP, XDP_MMAP_OFFSETS, "XDP_MMAP_OFFSETS")
}

/// The kernel's way to lay rings out. Fails on a kernel without AF_XDP.
#[napi]
pub fn xdp_ring_offsets() -> Result<PortRingOffsets> {
    let rings = kernel_rings(&socket(libc::AF_XDP, libc::SOCK_RAW, 0)?)?;
    let offsets = |ring: KernelOffsets| RingOffsets {
        producer: ring.producer as u32,
        consumer: ring.consumer as u32,
        entries: ring.entries as u32,
    };
    Ok(PortRingOffsets {
        rx: offsets(rings.rx),
        tx: offsets(rings.tx),
        fill: offsets(rings.fill),
        comp: offsets(rings.comp),
    })
}

/// Pages of the linear memory with a ring of the kernel's over them.
struct Mapped {
    start: *mut u8,
    size: usize,
}

/// The four mappings. Until release() they keep the socket open.
pub struct RingMaps {
    maps: Vec<Mapped>,
    /// The kernel's own rx producer index, and the flags of the tx and the fill ring.
    pub rx_producer: u32,
    pub tx_flags: u32,
    pub fill_flags: u32,
}

impl RingMaps {
    /// Maps all four; what was mapped is undone when one fails.
    pub fn new(fd: RawFd, memory: &Memory, places: &PortPlaces, kernel: &KernelRings) -> Result<RingMaps> {
        let mut maps = RingMaps {
            maps: Vec::with_capacity(4),
            rx_producer: (places.rx.entries as u64 - kernel.rx.entries + kernel.rx.producer) as u32,
            tx_flags: (places.tx.entries as u64 - kernel.tx.entries + kernel.tx.flags) as u32,
            fill_flags: (places.fill.entries as u64 - kernel.fill.entries + kernel.fill.flags) as u32,
        };
        let rings = [
            (&places.rx, kernel.rx, 16, RX_RING),
            (&places.tx, kernel.tx, 16, TX_RING),
            (&places.fill, kernel.fill, 8, FILL_RING),
            (&places.comp, kernel.comp, 8, COMP_RING),
        ];
        for (place, offsets, entry_size, page_offset) in rings {
            if let Err(error) = maps.map(fd, memory, place, offsets, entry_size, page_offset) {
                maps.release();
                return Err(error);
            }
        }
        Ok(maps)
    }

    fn map(
        &mut self,
        fd: RawFd,
        memory: &Memory,
        place: &RingPlace,
        offsets: KernelOffsets,
        entry_size: usize,
        page_offset: u64,
    ) -> Result<()> {
        let used = offsets.entries as usize + (place.mask as usize + 1) * entry_size;
        let size = used.next_multiple_of(PAGE);
        let offset = u64::from(place.entries).checked_sub(offsets.entries);
        let Some(offset) = offset else { return Err(Error::from_reason("a ring lies in front of the memory")) };
        let start = memory.at(offset as u32, size, PAGE)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_FIXED | libc::MAP_POPULATE;
        // SAFETY: the pages lie inside the linear memory, which this port keeps alive, and are set aside for this ring
        // alone: nobody else has pointers into them but the worker, who sees zeros before and zeros after.
        let at = unsafe { libc::mmap(start.cast::<c_void>(), size, protection, flags, fd, page_offset as off_t) };
        if at == libc::MAP_FAILED {
            return failed("mapping a ring");
        }
        self.maps.push(Mapped { start, size });
        Ok(())
    }

    /// Puts private pages with the same bytes in the place of the kernel's, so that the worker finds what was there.
    pub fn release(&mut self) {
        for Mapped { start, size } in self.maps.drain(..) {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            // SAFETY: the pages are mapped, and were ours before and are after; the copy is taken while no one writes.
            unsafe {
                let bytes = std::slice::from_raw_parts(start, size).to_vec();
                let at = libc::mmap(start.cast::<c_void>(), size, protection, flags, -1, 0);
                // the kernel has no memory for a few pages: the linear memory has a hole, and nothing can go on
                assert!(at != libc::MAP_FAILED, "pages of a ring could not be given back");
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), start, size);
            }
        }
    }
}

impl Drop for RingMaps {
    fn drop(&mut self) {
        self.release();
    }
}

/// Waits until no other processor is busy with anything that it had begun to read under the kernel's RCU.
pub fn wait_for_readers() {
    const MEMBARRIER_CMD_GLOBAL: c_int = 1;
    // SAFETY: no memory is passed.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result < 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The descriptor of an owner, for calls that take the number.
pub fn raw(fd: &impl AsRawFd) -> RawFd {
    fd.as_raw_fd()
}
