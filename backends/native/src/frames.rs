//! What AF_PACKET and TAP have in common: a device that gives one frame a read and takes one a write, and its rings.

use std::os::fd::{AsRawFd, OwnedFd};

use napi::bindgen_prelude::{Error, Result, Uint8Array};

use crate::counts::PortCounts;
use crate::receive::{Receiver, Source};
use crate::ring::{PortPlaces, PortRings};
use crate::send::{Sender, Sink};

struct Attached {
    rings: PortRings,
    receiver: Receiver,
    sender: Sender,
}

/// A device with a descriptor of its own, until it is closed, and the rings that it works, once it has them.
pub struct FramePort<D> {
    device: Option<D>,
    attached: Option<Attached>,
    /// Of earlier times: what was attached then is gone.
    counts: PortCounts,
}

impl<D: Source + Sink + AsRef<OwnedFd>> FramePort<D> {
    pub fn new(device: D) -> FramePort<D> {
        FramePort { device: Some(device), attached: None, counts: PortCounts::default() }
    }

    pub fn device(&self) -> Result<&D> {
        self.device.as_ref().ok_or_else(|| Error::from_reason("the port is closed"))
    }

    pub fn attach(&mut self, memory: Uint8Array, places: &PortPlaces) -> Result<()> {
        let rings = PortRings::new(memory, places)?;
        let receiver = Receiver::new(&rings);
        self.attached = Some(Attached { rings, receiver, sender: Sender::default() });
        Ok(())
    }

    /// -1 when closed.
    pub fn fd(&self) -> i32 {
        self.device.as_ref().map_or(-1, |device| device.as_ref().as_raw_fd())
    }

    /// Moves frames that wait onto the rx ring, after frames that could not leave before. Returns frames received.
    pub fn poll(&mut self) -> u32 {
        let (Some(device), Some(Attached { rings, receiver, sender })) = (&mut self.device, &mut self.attached) else {
            return 0;
        };
        if rings.tx.waiting() > 0 {
            sender.flush(rings, device);
        }
        receiver.poll(rings, device)
    }

    /// Sends what lies on the tx ring. Returns frames sent.
    pub fn flush(&mut self) -> u32 {
        match (&mut self.device, &mut self.attached) {
            (Some(device), Some(Attached { rings, sender, .. })) => sender.flush(rings, device),
            _ => 0,
        }
    }

    pub fn counts(&self) -> PortCounts {
        let Some(Attached { receiver, sender, .. }) = &self.attached else { return self.counts };
        PortCounts { rx_dropped: 0.0, rx_errors: receiver.errors as f64, ..sender.counts }
    }

    /// Lets go of device and memory. Chunks stay on the rings where the worker finds them.
    pub fn close(&mut self) {
        self.counts = self.counts();
        self.attached = None;
        self.device = None;
    }
}
