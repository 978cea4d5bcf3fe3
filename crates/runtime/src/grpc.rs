//! The gRPC edge that every process shares: health, reflection, metrics, bounds, and a
//! drain that ends every call.
//!
//! Calls go from the HTTP/2 connection straight to tonic's services. One future stands
//! between: it counts, measures, ends the call at the caller's deadline and turns a panic
//! into INTERNAL. There are no boxed layers, because a unary call should cost some 15 µs in
//! all. The gain is thin: this and clients that open their own streams took the worker from
//! 178-195 to 152-202 µs of CPU an event (docs/measurements.md).
//!
//! Calls over [`Limits::in_flight_max`] are refused at once with UNAVAILABLE, while the
//! caller can still go elsewhere; messages over [`Limits::message_bytes_max`] with
//! RESOURCE_EXHAUSTED. A call that takes longer than [`Limits::time_max`], its request
//! included, ends with DEADLINE_EXCEEDED. Its place is free as soon as its answer exists,
//! whether or not the caller takes it, so a caller that begins calls and abandons them
//! keeps nobody out. Streams of health and reflection are counted separately. A probe
//! (`grpc.health.v1.Health/Check`) is always answered, even to callers that a [`Gate`]
//! refuses.

mod body;
mod call;
mod deadline;
mod health;
mod metrics;
mod open_call;
mod serve;
mod services;

pub use serve::{serve, serve_within};
pub use services::{Gate, Services};

use core::time::Duration;
use ports::Trace;
use tonic::metadata::MetadataMap;

/// The most that one server accepts at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls that run at a time, over all connections. A service bounds its own work far
    /// below that (near 256 durable writes); this is what keeps memory bounded when it
    /// stalls.
    pub in_flight_max: usize,
    /// How long a call may take from its head to its answer, whatever its caller allows.
    pub time_max: Duration,
    /// Streams of health and reflection that are open at a time, over all connections.
    pub streams_max: usize,
    /// Bytes that one call may send. The largest request of the contracts is far below 64
    /// KiB.
    pub message_bytes_max: usize,
}

impl Limits {
    /// The default of every service.
    pub const DEFAULT: Self = Self {
        in_flight_max: 8_192,
        time_max: Duration::from_secs(30),
        streams_max: 1_024,
        message_bytes_max: 64 * 1024,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The trace that the call belongs to: see [`crate::trace`].
pub fn trace_of_metadata(metadata: &MetadataMap) -> Trace {
    let text = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok());
    crate::trace::from_values(text(crate::trace::TRACEPARENT), text(crate::trace::TRACE_ID))
}
