//! Packet sockets that share out the flows of an interface among them (packet(7), PACKET_FANOUT): one a queue.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use libc::c_int;
use napi::bindgen_prelude::{Error, Result};

use crate::fd;
use crate::interface::{Interface, Shared};

const PACKET_FANOUT: c_int = 18;
const PACKET_FANOUT_HASH: u32 = 0;
/// The kernel finds a number that no group has.
const PACKET_FANOUT_FLAG_UNIQUEID: u32 = 0x2000;

static GROUPS: Shared<Mutex<Group>> = Shared::new();

#[derive(Default)]
struct Group {
    /// What the kernel calls it, once it has a member.
    number: Option<u32>,
    queues: Vec<u32>,
}

/// A queue's place in the group of its interface; left when dropped.
pub struct Membership {
    group: Arc<Mutex<Group>>,
    queue: u32,
}

impl Membership {
    /// The socket is bound to the interface. Fails for a queue that another socket of this process has.
    pub fn join(fd: &OwnedFd, interface: u32, queue: u32) -> Result<Membership> {
        let shared = GROUPS.get(Interface::here(interface), || Ok::<_, Error>(Mutex::new(Group::default())))?;
        let mut group = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if group.queues.contains(&queue) {
            return Err(Error::from_reason(format!("queue {queue} is busy: it has a socket")));
        }
        let known = group.number.filter(|_| !group.queues.is_empty());
        let kind = if known.is_some() { PACKET_FANOUT_HASH } else { PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID };
        let value = known.unwrap_or(0) | (kind << 16);
        fd::set_option(fd, libc::SOL_PACKET, PACKET_FANOUT, &value, "PACKET_FANOUT")?;
        if known.is_none() {
            let answer: u32 = fd::get_option(fd, libc::SOL_PACKET, PACKET_FANOUT, "PACKET_FANOUT")?;
            group.number = Some(answer & 0xffff);
        }
        group.queues.push(queue);
        drop(group);
        Ok(Membership { group: shared, queue })
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        group.queues.retain(|queue| *queue != self.queue);
    }
}
