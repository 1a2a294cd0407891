//! What a device counts; the worker counts the frames themselves.

use napi_derive::napi;

#[napi(object)]
#[derive(Clone, Copy, Default)]
pub struct PortCounts {
    /// Lost outside, for want of room.
    pub rx_dropped: f64,
    /// Cut short, too long, or with a header that contradicts the frame; failed reads.
    pub rx_errors: f64,
    /// No room outside.
    pub tx_dropped: f64,
    /// Refused outside.
    pub tx_errors: f64,
}
