//! TAP devices: a kernel interface whose wire is a file descriptor (the kernel's networking/tuntap document).

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use libc::{c_int, c_short, c_uint, c_ulong, iovec};
use napi::bindgen_prelude::{Error, Result, Uint8Array};
use napi_derive::napi;

use crate::counts::PortCounts;
use crate::error::{check, errno, failed};
use crate::fd;
use crate::frames::FramePort;
use crate::handover::{self, HeldDescriptor};
use crate::link::{ioctl, request};
use crate::merge::Group;
use crate::receive::{Message, Source, Space};
use crate::ring::PortPlaces;
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
    /// One of several queues: each is opened by itself.
    pub has_queues: Option<bool>,
}

struct Device {
    fd: OwnedFd,
}

impl AsRef<OwnedFd> for Device {
    fn as_ref(&self) -> &OwnedFd {
        &self.fd
    }
}

/// A device, or one queue of it.
#[napi]
pub struct TapPort {
    port: FramePort<Device>,
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
        set_interface(&fd, &name, options.has_queues == Some(true))?;
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
        Ok(TapPort { port: FramePort::new(Device { fd }) })
    }

    /// Takes over a device that another process holds, with the frames that wait there.
    #[napi(factory)]
    pub fn take(name: String, held: HeldDescriptor) -> Result<TapPort> {
        let port = TapPort { port: FramePort::new(Device { fd: handover::take(&held)? }) };
        if port.current_name()?.as_deref() == Some(name.as_str()) {
            return Ok(port);
        }
        Err(Error::from_reason(format!("descriptor {} is not the device {name}", held.fd)))
    }

    /// Begins to receive, with the rings in this memory.
    #[napi]
    pub fn attach(&mut self, memory: Uint8Array, places: PortPlaces) -> Result<()> {
        self.port.attach(memory, &places)
    }

    #[napi(getter)]
    pub fn fd(&self) -> i32 {
        self.port.fd()
    }

    /// The device's name now, in whatever network namespace it is; null when it is gone.
    #[napi]
    pub fn current_name(&self) -> Result<Option<String>> {
        let Ok(device) = self.port.device() else { return Ok(None) };
        let mut answer = request("any")?;
        if ioctl(&device.fd, TUNGETIFF, &mut answer, "TUNGETIFF").is_err() {
            return Ok(None);
        }
        let name = answer.ifr_name.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
        Ok(String::from_utf8(name).ok())
    }

    #[napi]
    pub fn poll(&mut self) -> u32 {
        self.port.poll()
    }

    #[napi]
    pub fn flush(&mut self) -> u32 {
        self.port.flush()
    }

    #[napi]
    pub fn counts(&self) -> PortCounts {
        self.port.counts()
    }

    #[napi]
    pub fn close(&mut self) {
        self.port.close();
    }
}

/// Ties the descriptor to the named interface, as one of its queues when there are to be several. A device that was made
/// for several wants to be opened as such.
fn set_interface(fd: &OwnedFd, name: &str, has_queues: bool) -> Result<()> {
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    let mut wanted = request(name)?;
    let mut set = |flags: c_int| {
        wanted.ifr_ifru.ifru_flags = flags as c_short;
        // SAFETY: this request reads and writes one ifreq.
        if unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETIFF as _, &mut wanted) } < 0 { errno() } else { 0 }
    };
    let error = match set(if has_queues { flags | libc::IFF_MULTI_QUEUE } else { flags }) {
        libc::EINVAL if !has_queues => set(flags | libc::IFF_MULTI_QUEUE),
        error => error,
    };
    let reason = match error {
        0 => return Ok(()),
        libc::EBUSY => format!("{name} is busy: it is open elsewhere"),
        libc::EINVAL if has_queues => format!("{name} was made for one queue"),
        libc::E2BIG => format!("{name} has no queue left"),
        _ => format!("TUNSETIFF {name}: {}", std::io::Error::from_raw_os_error(error)),
    };
    Err(Error::from_reason(reason))
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
    fn read(&mut self, messages: &mut [Message], spaces: &[Space]) -> std::result::Result<usize, i32> {
        for (i, (message, space)) in messages.iter_mut().zip(spaces).enumerate() {
            let parts = [
                iovec { iov_base: message.header.as_mut_ptr().cast(), iov_len: vnet::SIZE },
                iovec { iov_base: space.chunk.cast(), iov_len: space.chunk_size },
                iovec { iov_base: space.slot.cast(), iov_len: space.slot_size },
            ];
            // SAFETY: the three parts are live buffers of the sizes given; chunk and slot belong to this receiver.
            let read = unsafe { libc::readv(self.fd.as_raw_fd(), parts.as_ptr(), 3) };
            if read < 0 {
                return if i > 0 { Ok(i) } else { Err(errno()) };
            }
            let size = read as usize;
            message.size = size.saturating_sub(vnet::SIZE);
            message.is_truncated = size >= vnet::SIZE + space.chunk_size + space.slot_size;
            message.tag = None;
        }
        Ok(messages.len())
    }
}

impl Sink for Device {
    fn write(&mut self, groups: &[Group], frames: &[Outgoing]) -> std::result::Result<usize, i32> {
        let mut parts = [iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; send::PARTS_MAX];
        let mut first = 0;
        for (i, group) in groups.iter().enumerate() {
            let own = &mut parts[..send::parts_of(group)];
            send::fill(group, &frames[first..first + group.count], own);
            // SAFETY: the parts are live buffers of the sizes given, which the kernel only reads.
            if unsafe { libc::writev(self.fd.as_raw_fd(), own.as_ptr(), own.len() as c_int) } < 0 {
                return if i > 0 { Ok(i) } else { Err(errno()) };
            }
            first += group.count;
        }
        Ok(groups.len())
    }
}
