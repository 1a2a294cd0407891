//! An AF_XDP socket with its four rings in copy mode (the kernel's networking/af_xdp document).

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bpf::{attach, load, socket_map, socket_program};
use crate::sys::{interface_index, must, owned, set_option};

const SOL_XDP: i32 = 283;
const XDP_MMAP_OFFSETS: i32 = 1;
const XDP_RX_RING: i32 = 2;
const XDP_TX_RING: i32 = 3;
const XDP_UMEM_REG: i32 = 4;
const XDP_UMEM_FILL_RING: i32 = 5;
const XDP_UMEM_COMPLETION_RING: i32 = 6;
const XDP_MAX_TX_SKB_BUDGET: i32 = 9;
const XDP_COPY: u16 = 1 << 1;
const XDP_USE_NEED_WAKEUP: u16 = 1 << 3;
const RING_NEED_WAKEUP: u32 = 1;
const FRAMES: usize = 16_384;
pub const CHUNK: usize = 2048;
const ENTRIES: u32 = 2048;

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Descriptor {
    pub address: u64,
    pub size: u32,
    options: u32,
}

#[derive(Default)]
#[repr(C)]
struct Offsets {
    producer: u64,
    consumer: u64,
    descriptors: u64,
    flags: u64,
}

/// The memory that frames lie in; every socket registers it for itself.
pub struct Frames {
    base: *mut u8,
}

impl Frames {
    pub fn new() -> Frames {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: a new mapping at no particular place.
        let base = unsafe {
            libc::mmap(std::ptr::null_mut(), FRAMES * CHUNK, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        must(if base == libc::MAP_FAILED { -1 } else { 0 }, "memory for frames");
        Frames { base: base.cast() }
    }

    pub fn count(&self) -> usize {
        FRAMES
    }

    /// A frame that nobody else has.
    #[allow(clippy::mut_from_ref)]
    pub fn frame(&self, descriptor: Descriptor) -> &mut [u8] {
        // SAFETY: the kernel gives addresses within the memory, and each chunk has one owner at a time.
        unsafe { std::slice::from_raw_parts_mut(self.base.add(descriptor.address as usize), descriptor.size as usize) }
    }
}

/// One ring: where its indices and entries are mapped, and the index on this side.
pub struct Ring<T> {
    producer: *const AtomicU32,
    consumer: *const AtomicU32,
    flags: *const AtomicU32,
    entries: *mut T,
}

impl<T: Copy> Ring<T> {
    fn map(fd: RawFd, page: i64, offsets: &Offsets) -> Ring<T> {
        let size = offsets.descriptors as usize + ENTRIES as usize * size_of::<T>();
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: the kernel maps a ring of the size that was set; the mapping lives as long as the process.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, fd, page) };
        must(if at == libc::MAP_FAILED { -1 } else { 0 }, "mapping a ring");
        // SAFETY: the offsets are the kernel's own and lie in the mapping.
        unsafe {
            Ring {
                producer: at.add(offsets.producer as usize).cast(),
                consumer: at.add(offsets.consumer as usize).cast(),
                flags: at.add(offsets.flags as usize).cast(),
                entries: at.add(offsets.descriptors as usize).cast(),
            }
        }
    }

    fn index(&self, of: *const AtomicU32) -> &AtomicU32 {
        let _ = self;
        // SAFETY: the mapping lives as long as the process.
        unsafe { &*of }
    }

    /// Entries that wait for the consumer.
    pub fn waiting(&self) -> u32 {
        let consumer = self.index(self.consumer).load(Ordering::Acquire);
        self.index(self.producer).load(Ordering::Acquire).wrapping_sub(consumer)
    }

    pub fn room(&self) -> u32 {
        ENTRIES - self.waiting()
    }

    /// Takes up to `most` entries, each into `take`.
    pub fn pop(&self, most: u32, mut take: impl FnMut(T)) -> u32 {
        let from = self.index(self.consumer).load(Ordering::Relaxed);
        let count = self.waiting().min(most);
        for i in 0..count {
            // SAFETY: the index is below the number of entries.
            take(unsafe { *self.entries.add((from.wrapping_add(i) & (ENTRIES - 1)) as usize) });
        }
        self.index(self.consumer).store(from.wrapping_add(count), Ordering::Release);
        count
    }

    /// Adds entries; there must be room.
    pub fn push(&self, entries: impl Iterator<Item = T>) {
        let mut at = self.index(self.producer).load(Ordering::Relaxed);
        for entry in entries {
            // SAFETY: as above; the consumer does not read it before the producer's index has moved.
            unsafe { *self.entries.add((at & (ENTRIES - 1)) as usize) = entry };
            at = at.wrapping_add(1);
        }
        self.index(self.producer).store(at, Ordering::Release);
    }

    fn needs_wakeup(&self) -> bool {
        self.index(self.flags).load(Ordering::Acquire) & RING_NEED_WAKEUP != 0
    }
}

pub struct Xsk {
    fd: OwnedFd,
    pub fill: Ring<u64>,
    pub completion: Ring<u64>,
    pub rx: Ring<Descriptor>,
    pub tx: Ring<Descriptor>,
    _program: OwnedFd,
    _map: OwnedFd,
    _link: OwnedFd,
}

impl Xsk {
    /// Queue 0 of an interface.
    pub fn open(name: &str, frames: &Frames) -> Xsk {
        let interface = interface_index(name);
        // SAFETY: makes a socket.
        let fd = owned(must(unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW, 0) }.into(), "a socket"));
        let raw = fd.as_raw_fd();
        let registration = [frames.base as u64, (FRAMES * CHUNK) as u64, CHUNK as u64, 0];
        set_option(raw, SOL_XDP, XDP_UMEM_REG, &registration, "registering frames");
        for option in [XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING] {
            set_option(raw, SOL_XDP, option, &ENTRIES, "sizing a ring");
        }
        let mut offsets: [Offsets; 4] = Default::default();
        let mut size = size_of_val(&offsets) as u32;
        // SAFETY: the kernel writes at most `size` bytes of live memory.
        let result =
            unsafe { libc::getsockopt(raw, SOL_XDP, XDP_MMAP_OFFSETS, (&raw mut offsets).cast(), &raw mut size) };
        must(result.into(), "offsets of rings");
        let [rx, tx, fill, completion] = &offsets;
        let rings = (
            Ring::map(raw, 0, rx),
            Ring::map(raw, 0x8000_0000, tx),
            Ring::map(raw, 0x1_0000_0000, fill),
            Ring::map(raw, 0x1_8000_0000, completion),
        );
        let address: [u16; 8] = [
            libc::AF_XDP as u16,
            XDP_COPY | XDP_USE_NEED_WAKEUP,
            interface as u16,
            (interface >> 16) as u16,
            0,
            0,
            0,
            0,
        ];
        // SAFETY: the kernel reads as many bytes of a live address as it has.
        must(unsafe { libc::bind(raw, address.as_ptr().cast(), 16) }.into(), "binding");
        let entries = ENTRIES;
        // SAFETY: optional: kernels before 6.16 do not know it and send 32 frames a call.
        unsafe {
            libc::setsockopt(raw, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, (&raw const entries).cast(), 4);
        }
        let map = socket_map(raw);
        let program = load(&socket_program(&map));
        let link = attach(&program, interface);
        let (rx, tx, fill, completion) = rings;
        Xsk { fd, fill, completion, rx, tx, _program: program, _map: map, _link: link }
    }

    /// Has the kernel send what lies on the tx ring, as long as it takes something.
    pub fn kick(&self) {
        while self.tx.waiting() > 0 && self.tx.needs_wakeup() {
            let before = self.tx.waiting();
            // SAFETY: nothing is sent but the order to look at the ring.
            unsafe {
                libc::sendto(self.fd.as_raw_fd(), std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0);
            }
            if self.tx.waiting() == before {
                return;
            }
        }
    }
}
