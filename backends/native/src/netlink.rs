//! Route netlink (rtnetlink(7)): hearing of changes of interfaces, and giving an interface its addresses.

use std::os::fd::{AsRawFd, OwnedFd};

use libc::{c_int, c_void};
use napi::bindgen_prelude::{Error, Result, Uint8Array};
use napi_derive::napi;

use crate::error::{check, errno};
use crate::fd;
use crate::link::link_info;

/// Bit of RTNLGRP_LINK in the groups of an address.
const GROUP_LINK: u32 = 1;
const HEADER_SIZE: usize = 16;
const ATTRIBUTE_ADDRESS: u16 = 1;
const ATTRIBUTE_LOCAL: u16 = 2;
const FLAG_NO_DUPLICATE_DETECTION: u8 = 0x02;

fn open(groups: u32) -> Result<OwnedFd> {
    let socket = fd::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
    // SAFETY: an address of netlink is plain data, for which zeros are valid.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = groups;
    let at: *const libc::sockaddr_nl = &address;
    // SAFETY: the kernel reads a live address of the size given.
    let result = unsafe { libc::bind(socket.as_raw_fd(), at.cast(), size_of::<libc::sockaddr_nl>() as u32) };
    check(result, "netlink")?;
    Ok(socket)
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> isize {
    // SAFETY: the kernel writes at most the buffer's size.
    unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast::<c_void>(), buffer.len(), 0) }
}

/// Says that some interface of this namespace came, went or changed.
#[napi]
pub struct LinkMonitor {
    socket: Option<OwnedFd>,
}

#[napi]
impl LinkMonitor {
    #[napi(factory)]
    pub fn open() -> Result<LinkMonitor> {
        Ok(LinkMonitor { socket: Some(open(GROUP_LINK)?) })
    }

    #[napi(getter)]
    pub fn fd(&self) -> i32 {
        self.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Forgets what was heard. True when there was something, or when more came than the socket holds.
    #[napi]
    pub fn drain(&self) -> bool {
        let Some(socket) = &self.socket else { return false };
        let mut buffer = [0; 8192];
        let mut has_heard = false;
        while receive(socket, &mut buffer) > 0 || errno() == libc::ENOBUFS {
            has_heard = true;
        }
        has_heard
    }

    #[napi]
    pub fn close(&mut self) {
        self.socket = None;
    }
}

fn push_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Adds an address of 4 or 16 bytes to an interface, or takes it away. IPv6 ones are used at once.
#[napi]
pub fn set_address(name: String, address: Uint8Array, prefix_length: u8, is_present: bool) -> Result<()> {
    let Some(link) = link_info(name.clone())? else {
        return Err(Error::from_reason(format!("there is no interface {name}")));
    };
    let family = match address.len() {
        4 => libc::AF_INET,
        16 => libc::AF_INET6,
        size => return Err(Error::from_reason(format!("an address of {size} bytes"))),
    };
    let (kind, flags) =
        if is_present { (libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_REPLACE) } else { (libc::RTM_DELADDR, 0) };
    // struct nlmsghdr, struct ifaddrmsg, attributes
    let mut message = vec![0; HEADER_SIZE];
    message[4..6].copy_from_slice(&kind.to_ne_bytes());
    message[6..8].copy_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags) as u16).to_ne_bytes());
    message.extend_from_slice(&[family as u8, prefix_length, FLAG_NO_DUPLICATE_DETECTION, 0]);
    message.extend_from_slice(&link.index.to_ne_bytes());
    push_attribute(&mut message, ATTRIBUTE_LOCAL, &address);
    push_attribute(&mut message, ATTRIBUTE_ADDRESS, &address);
    let size = message.len() as u32;
    message[..4].copy_from_slice(&size.to_ne_bytes());
    let socket = open(0)?;
    // SAFETY: the kernel reads a live buffer of the size given.
    let sent = unsafe { libc::send(socket.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
    check(sent as c_int, "netlink")?;
    // the answer is there when send() returns: an nlmsgerr with the error's number behind the header
    let mut answer = [0; 256];
    if receive(&socket, &mut answer) < (HEADER_SIZE + 4) as isize {
        return Err(Error::from_reason(format!("{name}: the kernel does not say what became of the address")));
    }
    match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
        0 => Ok(()),
        error => Err(Error::from_reason(format!("{name}: {}", std::io::Error::from_raw_os_error(-error)))),
    }
}
