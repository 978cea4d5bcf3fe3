//! The HTTP edge that every process shares: the routes of probes and metrics, the one error
//! shape, bounded requests.
//!
//! A service builds a router of its own routes, merges [`base_routes`], wraps the whole
//! with [`instrument`] and hands it to [`serve`]. Handlers take [`Json`] or [`RawBody`] and
//! return [`Json`] or [`crate::Reply`]; whatever goes wrong before or after them (no route,
//! no method, a body that cannot be read, a panic) is answered in the same shape
//! `{"error":{"code","message"," trace_id"}}`, never with a bare text.

mod base;
mod instrument;
mod json;
mod metrics;
mod openapi;
mod serve;
mod token;

pub use base::base_routes;
pub use instrument::instrument;
pub use json::{BODY_BYTES_MAX, Json, OptionalJson, RawBody};
pub use openapi::{INTERNAL_TOKEN, document, openapi_route};
pub use serve::{serve, serve_many};
pub use token::{InternalToken, InternalTokenLayer, internal_token};

use http::HeaderMap;
use ports::Trace;

/// The trace that the request belongs to: see [`crate::trace`]. Behind [`instrument`] two
/// calls for one request agree, because it gives a request without a trace a new one.
pub fn trace_of(headers: &HeaderMap) -> Trace {
    crate::trace::from_headers(headers)
}
