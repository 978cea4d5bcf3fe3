//! The gRPC edge that every process shares: health, reflection, metrics, bounds, and a drain that ends every call.
//!
//! Calls go from the HTTP/2 connection straight to tonic's routes; what stands between is one future that counts,
//! measures, ends the call at the caller's deadline and turns a panic into INTERNAL. There are no boxed layers, because
//! a unary call is to cost some 15 µs in all. Calls over [`IN_FLIGHT_MAX`] are refused at once with UNAVAILABLE, so
//! that an overload is told while the caller can still go elsewhere; messages over [`MESSAGE_BYTES_MAX`] with
//! RESOURCE_EXHAUSTED.

mod body;
mod call;
mod deadline;
mod health;
pub(crate) mod metrics;
mod serve;

pub use body::MESSAGE_BYTES_MAX;
pub use call::IN_FLIGHT_MAX;
pub use serve::serve;

use ports::Trace;
use tonic::metadata::MetadataMap;

/// The trace that the call belongs to: see [`crate::trace`].
pub fn trace_of_metadata(metadata: &MetadataMap) -> Trace {
    let text = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok());
    crate::trace::of(text(crate::trace::TRACEPARENT), text(crate::trace::TRACE_ID))
}
