//! Network interfaces: what they are, and how they are set up. By ioctl(2), which needs no parsing; interfaces are those
//! of the network namespace that the calling thread is in.

use std::os::fd::{AsRawFd, OwnedFd};

use libc::{c_ulong, ifreq};
use napi::bindgen_prelude::{Error, Result, Uint8Array};
use napi_derive::napi;

use crate::error::check;
use crate::fd;

#[napi(object)]
pub struct LinkInfo {
    pub index: u32,
    /// Bytes behind the Ethernet header.
    pub mtu: u32,
    pub mac: Uint8Array,
    /// Switched on.
    pub is_up: bool,
    /// Switched on, and the other end is there.
    pub is_running: bool,
}

#[napi(object)]
pub struct LinkSettings {
    pub mtu: Option<u32>,
    /// Six bytes.
    pub mac: Option<Uint8Array>,
    pub is_up: Option<bool>,
}

/// An empty request for an interface. Fails for names of 16 bytes and more, or none.
pub fn request(name: &str) -> Result<ifreq> {
    // SAFETY: ifreq is plain data, for which zeros are valid.
    let mut request: ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.bytes().any(|byte| byte == 0 || byte == b'/') {
        return Err(Error::from_reason(format!("\"{name}\" is no interface name")));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

pub fn ioctl(fd: &OwnedFd, number: c_ulong, request: &mut ifreq, what: &str) -> Result<()> {
    // SAFETY: every number used with this function reads and writes one ifreq.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), number as _, request) }, what).map(drop)
}

fn any_socket() -> Result<OwnedFd> {
    fd::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)
}

/// An interface by name; null when there is none.
#[napi]
pub fn link_info(name: String) -> Result<Option<LinkInfo>> {
    let socket = any_socket()?;
    let mut index = request(&name)?;
    if ioctl(&socket, libc::SIOCGIFINDEX as c_ulong, &mut index, "SIOCGIFINDEX").is_err() {
        return Ok(None);
    }
    let read = |number: c_ulong| -> Result<ifreq> {
        let mut answer = request(&name)?;
        ioctl(&socket, number, &mut answer, &name)?;
        Ok(answer)
    };
    let answers = (|| -> Result<_> {
        Ok((
            read(libc::SIOCGIFMTU as c_ulong)?,
            read(libc::SIOCGIFHWADDR as c_ulong)?,
            read(libc::SIOCGIFFLAGS as c_ulong)?,
        ))
    })();
    // it may have gone between two questions
    let Ok((mtu, address, flags)) = answers else { return Ok(None) };
    // SAFETY: each request filled in the member of the union that is read here.
    let (index, mtu, address, flags) = unsafe {
        (index.ifr_ifru.ifru_ifindex, mtu.ifr_ifru.ifru_mtu, address.ifr_ifru.ifru_hwaddr, flags.ifr_ifru.ifru_flags)
    };
    let flags = i32::from(flags);
    Ok(Some(LinkInfo {
        index: index as u32,
        mtu: mtu as u32,
        mac: Uint8Array::new(address.sa_data[..6].iter().map(|byte| *byte as u8).collect()),
        is_up: flags & libc::IFF_UP != 0,
        is_running: flags & libc::IFF_UP != 0 && flags & libc::IFF_RUNNING != 0,
    }))
}

/// Changes what is given, in the order MAC, MTU, state.
#[napi]
pub fn set_link(name: String, settings: LinkSettings) -> Result<()> {
    let socket = any_socket()?;
    let set = |number: c_ulong, what: &str, fill: &dyn Fn(&mut ifreq)| -> Result<()> {
        let mut change = request(&name)?;
        fill(&mut change);
        ioctl(&socket, number, &mut change, &format!("{name}: {what}"))
    };
    if let Some(mac) = settings.mac {
        if mac.len() != 6 {
            return Err(Error::from_reason(format!("a MAC of {} bytes", mac.len())));
        }
        set(libc::SIOCSIFHWADDR as c_ulong, "setting the MAC", &|change| {
            // SAFETY: hwaddr is the member that this request reads; it is plain data.
            let address = unsafe { &mut change.ifr_ifru.ifru_hwaddr };
            address.sa_family = libc::ARPHRD_ETHER;
            for (to, from) in address.sa_data.iter_mut().zip(mac.iter()) {
                *to = *from as libc::c_char;
            }
        })?;
    }
    if let Some(mtu) = settings.mtu {
        set(libc::SIOCSIFMTU as c_ulong, "setting the MTU", &|change| change.ifr_ifru.ifru_mtu = mtu as i32)?;
    }
    if let Some(is_up) = settings.is_up {
        let mut old = request(&name)?;
        ioctl(&socket, libc::SIOCGIFFLAGS as c_ulong, &mut old, &name)?;
        // SAFETY: the request filled in the flags.
        let old = i32::from(unsafe { old.ifr_ifru.ifru_flags });
        let new = if is_up { old | libc::IFF_UP } else { old & !libc::IFF_UP };
        set(libc::SIOCSIFFLAGS as c_ulong, "switching on", &|change| change.ifr_ifru.ifru_flags = new as i16)?;
    }
    Ok(())
}
