//! TAP devices: a kernel interface whose wire is a file descriptor (the kernel's networking/tuntap document).

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use libc::{c_int, c_short, c_uint, c_ulong, iovec};
use napi::bindgen_prelude::{Error, Result, Uint8Array};
use napi_derive::napi;

use crate::counts::PortCounts;
use crate::error::{check, errno, failed};
use crate::fd;
use crate::link::{ioctl, request};
use crate::merge::Group;
use crate::receive::{Message, Receiver, Source, Space};
use crate::ring::{PortPlaces, PortRings};
use crate::send::{self, Outgoing, Sink};
use crate::vnet;

const TUNSETPERSIST: c_ulong = 0x4004_54cb;
const TUNSETIFF: c_ulong = 0x4004_54ca;
const TUNSETOWNER: c_ulong = 0x4004_54cc;
const TUNSETGROUP: c_ulong = 0x4004_54ce;
const TUNSETOFFLOAD: c_ulong = 0x4004_54d0;
const TUNGETIFF: c_ulong = 0x8004_54d2;
const TUNSETVNETHDRSZ: c_ulong = 0x4004_54d8;
/// Checksums may be left to us; segments of TCP over v4 and v6, with ECN.
const OFFLOAD_TCP: c_uint = 0x01 | 0x02 | 0x04 | 0x08;
/// Segments of UDP over v4 and v6.
const OFFLOAD_UDP: c_uint = 0x20 | 0x40;

#[napi(object)]
#[derive(Default)]
pub struct TapOptions {
    /// The device outlives this process (true), or goes with it (false); a device that was there stays as it was.
    pub is_persistent: Option<bool>,
    /// User and group that may open the device.
    pub owner: Option<u32>,
    pub group: Option<u32>,
    /// Only a device that is there already.
    pub must_exist: Option<bool>,
}

struct Device {
    fd: OwnedFd,
    counts: PortCounts,
    /// Kept between calls for its room.
    groups: Vec<Group>,
}

struct Attached {
    rings: PortRings,
    receiver: Receiver,
}

#[napi]
pub struct TapPort {
    device: Option<Device>,
    attached: Option<Attached>,
}

#[napi]
impl TapPort {
    /// Makes the device, or opens one that is there and that nobody else has open.
    #[napi(factory)]
    pub fn open(name: String, options: TapOptions) -> Result<TapPort> {
        if options.must_exist == Some(true) && crate::link::link_info(name.clone())?.is_none() {
            return Err(Error::from_reason(format!("there is no interface {name}")));
        }
        let path = CString::new("/dev/net/tun").expect("no zero in it");
        // SAFETY: the path is a live C string.
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC) };
        let fd = fd::own(fd, "/dev/net/tun")?;
        set_interface(&fd, &name)?;
        let header_size = vnet::SIZE as c_int;
        // SAFETY: this request reads one int.
        check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETVNETHDRSZ as _, &header_size) }, "TUNSETVNETHDRSZ")?;
        set_offload(&fd)?;
        if let Some(is_persistent) = options.is_persistent {
            set_number(&fd, TUNSETPERSIST, c_ulong::from(is_persistent), "TUNSETPERSIST")?;
        }
        if let Some(owner) = options.owner {
            set_number(&fd, TUNSETOWNER, c_ulong::from(owner), "TUNSETOWNER")?;
        }
        if let Some(group) = options.group {
            set_number(&fd, TUNSETGROUP, c_ulong::from(group), "TUNSETGROUP")?;
        }
        Ok(TapPort { device: Some(Device { fd, counts: PortCounts::default(), groups: Vec::new() }), attached: None })
    }

    /// Begins to receive, with the rings in this memory.
    #[napi]
    pub fn attach(&mut self, memory: Uint8Array, places: PortPlaces) -> Result<()> {
        let rings = PortRings::new(memory, &places)?;
        let receiver = Receiver::new(&rings);
        self.attached = Some(Attached { rings, receiver });
        Ok(())
    }

    #[napi(getter)]
    pub fn fd(&self) -> i32 {
        self.device.as_ref().map_or(-1, |device| device.fd.as_raw_fd())
    }

    /// The device's name now, in whatever network namespace it is; null when it is gone.
    #[napi]
    pub fn current_name(&self) -> Result<Option<String>> {
        let Some(device) = &self.device else { return Ok(None) };
        let mut answer = request("any")?;
        if ioctl(&device.fd, TUNGETIFF, &mut answer, "TUNGETIFF").is_err() {
            return Ok(None);
        }
        let name = answer.ifr_name.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
        Ok(String::from_utf8(name).ok())
    }

    /// Moves frames that wait onto the rx ring, after frames that could not leave before. Returns frames received.
    #[napi]
    pub fn poll(&mut self) -> u32 {
        let (Some(device), Some(Attached { rings, receiver })) = (&mut self.device, &mut self.attached) else {
            return 0;
        };
        if rings.tx.waiting() > 0 {
            flush(device, rings);
        }
        receiver.poll(rings, device)
    }

    /// Sends what lies on the tx ring. Returns frames sent.
    #[napi]
    pub fn flush(&mut self) -> u32 {
        match (&mut self.device, &self.attached) {
            (Some(device), Some(attached)) => flush(device, &attached.rings),
            _ => 0,
        }
    }

    #[napi]
    pub fn counts(&self) -> PortCounts {
        let mut counts = self.device.as_ref().map_or_else(PortCounts::default, |device| device.counts);
        counts.rx_errors += self.attached.as_ref().map_or(0.0, |attached| attached.receiver.errors as f64);
        counts
    }

    /// Lets go of device and memory. Chunks stay on the rings where the worker finds them.
    #[napi]
    pub fn close(&mut self) {
        self.attached = None;
        self.device = None;
    }
}

fn flush(device: &mut Device, rings: &PortRings) -> u32 {
    let mut counts = device.counts;
    let sent = send::flush(rings, device, &mut counts);
    device.counts = counts;
    sent
}

/// Ties the descriptor to the named interface. One that was made for several queues wants to be opened as such.
fn set_interface(fd: &OwnedFd, name: &str) -> Result<()> {
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    let mut wanted = request(name)?;
    wanted.ifr_ifru.ifru_flags = flags as c_short;
    let what = format!("TUNSETIFF {name}");
    match ioctl(fd, TUNSETIFF, &mut wanted, &what) {
        Err(_) if errno() == libc::EINVAL => {
            wanted.ifr_ifru.ifru_flags = (flags | libc::IFF_MULTI_QUEUE) as c_short;
            ioctl(fd, TUNSETIFF, &mut wanted, &what)
        }
        result => result,
    }
}

/// Older kernels know no segments of UDP.
fn set_offload(fd: &OwnedFd) -> Result<()> {
    set_number(fd, TUNSETOFFLOAD, c_ulong::from(OFFLOAD_TCP | OFFLOAD_UDP), "TUNSETOFFLOAD")
        .or_else(|_| set_number(fd, TUNSETOFFLOAD, c_ulong::from(OFFLOAD_TCP), "TUNSETOFFLOAD"))
}

fn set_number(fd: &OwnedFd, number: c_ulong, value: c_ulong, what: &str) -> Result<()> {
    // SAFETY: these requests take a number, no address.
    if unsafe { libc::ioctl(fd.as_raw_fd(), number as _, value) } < 0 { failed(what) } else { Ok(()) }
}

impl Source for Device {
    fn read(&mut self, messages: &mut [Message], spaces: &[Space]) -> usize {
        for (i, (message, space)) in messages.iter_mut().zip(spaces).enumerate() {
            let parts = [
                iovec { iov_base: message.header.as_mut_ptr().cast(), iov_len: vnet::SIZE },
                iovec { iov_base: space.chunk.cast(), iov_len: space.chunk_size },
                iovec { iov_base: space.slot.cast(), iov_len: space.slot_size },
            ];
            // SAFETY: the three parts are live buffers of the sizes given; chunk and slot belong to this receiver.
            let read = unsafe { libc::readv(self.fd.as_raw_fd(), parts.as_ptr(), 3) };
            if read < 0 {
                if !matches!(errno(), libc::EAGAIN | libc::EINTR) {
                    self.counts.rx_errors += 1.0;
                }
                return i;
            }
            let size = read as usize;
            message.size = size.saturating_sub(vnet::SIZE);
            message.is_truncated = size >= vnet::SIZE + space.chunk_size + space.slot_size;
            message.tag = None;
        }
        messages.len()
    }
}

impl Sink for Device {
    fn write(&mut self, frames: &[Outgoing], may_merge: bool) -> std::result::Result<usize, i32> {
        let mut groups = std::mem::take(&mut self.groups);
        groups.clear();
        send::group(frames, may_merge, &mut groups);
        let mut parts = [iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; send::PARTS_MAX];
        let mut written = 0;
        let mut result = Ok(());
        for group in &groups {
            let own = &mut parts[..send::parts_of(group)];
            send::fill(group, &frames[written..written + group.count], own);
            // SAFETY: the parts are live buffers of the sizes given, which the kernel only reads.
            if unsafe { libc::writev(self.fd.as_raw_fd(), own.as_ptr(), own.len() as c_int) } < 0 {
                result = Err(errno());
                break;
            }
            written += group.count;
        }
        self.groups = groups;
        if written > 0 { Ok(written) } else { result.map(|()| 0) }
    }
}
