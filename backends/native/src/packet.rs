//! AF_PACKET: frames of a network interface, in and out, many a system call (packet(7)).

use std::os::fd::{AsRawFd, OwnedFd};

use libc::{c_int, c_void, iovec, mmsghdr};
use napi::bindgen_prelude::{Error, Result, Uint8Array};
use napi_derive::napi;

use crate::counts::PortCounts;
use crate::error::{check, errno};
use crate::fanout::Membership;
use crate::fd;
use crate::frames::FramePort;
use crate::handover::{self, HeldDescriptor};
use crate::link::link_info;
use crate::merge::Group;
use crate::receive::{self, Message, Source, Space};
use crate::ring::PortPlaces;
use crate::send::{self, Outgoing, Sink};
use crate::vnet;

const PACKET_STATISTICS: c_int = 6;
const PACKET_AUXDATA: c_int = 8;
const PACKET_VNET_HDR: c_int = 15;
const PACKET_IGNORE_OUTGOING: c_int = 23;
const TP_STATUS_VLAN_VALID: u32 = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
const ETH_P_8021Q: u16 = 0x8100;
/// Bytes of frames that wait to be read, or to be sent.
const BUFFER_SIZE: c_int = 16 << 20;
/// Room for one tpacket_auxdata with its header, in words that align it.
const CONTROL_WORDS: usize = 8;

/// struct tpacket_auxdata.
#[derive(Clone, Copy)]
#[repr(C)]
struct AuxData {
    status: u32,
    len: u32,
    snaplen: u32,
    mac: u16,
    net: u16,
    vlan_tci: u16,
    vlan_tpid: u16,
}

/// struct tpacket_stats.
#[derive(Default)]
#[repr(C)]
struct Statistics {
    packets: u32,
    drops: u32,
}

struct Socket {
    fd: OwnedFd,
}

impl AsRef<OwnedFd> for Socket {
    fn as_ref(&self) -> &OwnedFd {
        &self.fd
    }
}

/// A socket on one interface, or on a part of its flows. Frames of the interface's own host that go out there are not seen.
#[napi]
pub struct PacketPort {
    port: FramePort<Socket>,
    index: u32,
    /// Frames that found no room, as the kernel told so far.
    dropped: f64,
    membership: Option<Membership>,
}

#[napi]
impl PacketPort {
    /// Opens a socket that receives nothing yet.
    #[napi(factory)]
    pub fn open(name: String) -> Result<PacketPort> {
        let Some(link) = link_info(name.clone())? else {
            return Err(Error::from_reason(format!("there is no interface {name}")));
        };
        let fd = fd::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        let on: c_int = 1;
        fd::set_option(&fd, libc::SOL_PACKET, PACKET_VNET_HDR, &on, "PACKET_VNET_HDR")?;
        fd::set_option(&fd, libc::SOL_PACKET, PACKET_AUXDATA, &on, "PACKET_AUXDATA")?;
        fd::set_option(&fd, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, "PACKET_IGNORE_OUTGOING")?;
        for (forced, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
            // without CAP_NET_ADMIN the system's own limit holds
            if fd::set_option(&fd, libc::SOL_SOCKET, forced, &BUFFER_SIZE, "the socket's buffers").is_err() {
                fd::set_option(&fd, libc::SOL_SOCKET, plain, &BUFFER_SIZE, "the socket's buffers")?;
            }
        }
        Ok(PacketPort { port: FramePort::new(Socket { fd }), index: link.index, dropped: 0.0, membership: None })
    }

    /// Takes over a socket that another process holds, with the frames that wait there.
    #[napi(factory)]
    pub fn take(name: String, held: HeldDescriptor) -> Result<PacketPort> {
        let Some(link) = link_info(name.clone())? else {
            return Err(Error::from_reason(format!("there is no interface {name}")));
        };
        let fd = handover::take(&held)?;
        if bound_to(&fd)? != link.index as c_int {
            return Err(Error::from_reason(format!("descriptor {} is not a socket on {name}", held.fd)));
        }
        Ok(PacketPort { port: FramePort::new(Socket { fd }), index: link.index, dropped: 0.0, membership: None })
    }

    /// Begins to receive, with the rings in this memory: all frames, or those of one of the queues that share the
    /// interface's flows out among them.
    #[napi]
    pub fn attach(&mut self, memory: Uint8Array, places: PortPlaces, queue: Option<u32>) -> Result<()> {
        let fd = &self.port.device()?.fd;
        let request = libc::packet_mreq {
            mr_ifindex: self.index as c_int,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        fd::set_option(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request, "promiscuous mode")?;
        bind(fd, self.index as c_int)?;
        if let Some(queue) = queue {
            self.membership = Some(Membership::join(fd, self.index, queue)?);
        }
        self.port.attach(memory, &places)
    }

    #[napi(getter)]
    pub fn fd(&self) -> i32 {
        self.port.fd()
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
    pub fn counts(&mut self) -> PortCounts {
        if let Ok(socket) = self.port.device() {
            // the kernel starts anew from 0 with each answer
            let question = fd::get_option::<Statistics>(&socket.fd, libc::SOL_PACKET, PACKET_STATISTICS, "statistics");
            self.dropped += question.map_or(0.0, |statistics| f64::from(statistics.drops));
        }
        PortCounts { rx_dropped: self.dropped, ..self.port.counts() }
    }

    #[napi]
    pub fn close(&mut self) {
        self.counts();
        self.membership = None;
        self.port.close();
    }
}

/// Index of the interface that a packet socket is bound to.
fn bound_to(fd: &OwnedFd) -> Result<c_int> {
    // SAFETY: sockaddr_ll is plain data, for which zeros are valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut size = size_of::<libc::sockaddr_ll>() as u32;
    let at: *mut libc::sockaddr_ll = &mut address;
    // SAFETY: the kernel writes at most as many bytes to a live sockaddr_ll as it has.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), at.cast(), &mut size) }, "getsockname")?;
    let is_packet = c_int::from(address.sll_family) == libc::AF_PACKET;
    Ok(if is_packet { address.sll_ifindex } else { -1 })
}

fn bind(fd: &OwnedFd, index: c_int) -> Result<()> {
    // SAFETY: sockaddr_ll is plain data, for which zeros are valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index;
    let at: *const libc::sockaddr_ll = &address;
    // SAFETY: the kernel reads as many bytes of a live sockaddr_ll as it has.
    let result = unsafe { libc::bind(fd.as_raw_fd(), at.cast(), size_of::<libc::sockaddr_ll>() as u32) };
    check(result, "bind").map(drop)
}

const fn io(start: *mut c_void, size: usize) -> iovec {
    iovec { iov_base: start, iov_len: size }
}

impl Source for Socket {
    fn read(&mut self, messages: &mut [Message], spaces: &[Space]) -> std::result::Result<usize, i32> {
        let mut controls = [[0u64; CONTROL_WORDS]; receive::BATCH];
        let mut parts = [[io(std::ptr::null_mut(), 0); 3]; receive::BATCH];
        // SAFETY: mmsghdr is plain data, for which zeros are valid.
        let mut headers: [mmsghdr; receive::BATCH] = unsafe { std::mem::zeroed() };
        for (i, (message, space)) in messages.iter_mut().zip(spaces).enumerate() {
            parts[i] = [
                io(message.header.as_mut_ptr().cast(), vnet::SIZE),
                io(space.chunk.cast(), space.chunk_size),
                io(space.slot.cast(), space.slot_size),
            ];
            let header = &mut headers[i].msg_hdr;
            header.msg_iov = parts[i].as_mut_ptr();
            header.msg_iovlen = 3;
            header.msg_control = controls[i].as_mut_ptr().cast();
            header.msg_controllen = size_of_val(&controls[i]) as _;
        }
        // SAFETY: each header points to live buffers of the sizes given; chunks and slots belong to this receiver.
        let read = unsafe {
            let count = messages.len() as u32;
            libc::recvmmsg(
                self.fd.as_raw_fd(),
                headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        if read < 0 {
            return Err(errno());
        }
        for (message, header) in messages.iter_mut().zip(&headers[..read as usize]) {
            message.size = (header.msg_len as usize).saturating_sub(vnet::SIZE);
            message.is_truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            message.tag = tag_of(&header.msg_hdr);
        }
        Ok(read as usize)
    }
}

/// The VLAN tag that the kernel took out of the frame and tells of beside it.
fn tag_of(header: &libc::msghdr) -> Option<(u16, u16)> {
    // SAFETY: the kernel has filled in the header's control buffer, which still lives.
    let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
    if control.cmsg_level != libc::SOL_PACKET || control.cmsg_type != PACKET_AUXDATA {
        return None;
    }
    // SAFETY: a message of this type holds a tpacket_auxdata.
    let data = unsafe { libc::CMSG_DATA(control).cast::<AuxData>().read_unaligned() };
    if data.status & TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let has_protocol = data.status & TP_STATUS_VLAN_TPID_VALID != 0;
    Some((if has_protocol { data.vlan_tpid } else { ETH_P_8021Q }, data.vlan_tci))
}

impl Sink for Socket {
    fn write(&mut self, groups: &[Group], frames: &[Outgoing]) -> std::result::Result<usize, i32> {
        let mut parts = [io(std::ptr::null_mut(), 0); send::PARTS_MAX];
        // SAFETY: mmsghdr is plain data, for which zeros are valid.
        let mut headers: [mmsghdr; send::BATCH] = unsafe { std::mem::zeroed() };
        let mut left = &mut parts[..];
        let mut first = 0;
        for (group, header) in groups.iter().zip(&mut headers) {
            let (own, rest) = left.split_at_mut(send::parts_of(group));
            left = rest;
            send::fill(group, &frames[first..first + group.count], own);
            header.msg_hdr.msg_iov = own.as_mut_ptr();
            header.msg_hdr.msg_iovlen = own.len() as _;
            first += group.count;
        }
        // SAFETY: each header points to live buffers of the sizes given, which the kernel only reads.
        let sent = unsafe {
            libc::sendmmsg(self.fd.as_raw_fd(), headers.as_mut_ptr(), groups.len() as u32, libc::MSG_DONTWAIT as _)
        };
        if sent < 0 { Err(errno()) } else { Ok(sent as usize) }
    }
}
