//! The edges of the gateway: REST with its pages, gRPC, and administration.

pub(crate) mod admin;
mod caller;
pub(crate) mod grpc;
mod page;
mod queue;
pub(crate) mod rest;
mod sales;
mod stream;

pub(crate) use caller::tell_limit;
pub(crate) use stream::Streams;

use crate::catalogue::Catalogue;
use crate::limits::{Limiter, Rate};
use crate::metrics::GatewayMetrics;
use crate::proxies::Proxies;
use crate::queue::Queue;
use crate::sales::Desk;
use identity::Verifier;
use std::net::IpAddr;
use std::sync::Arc;

/// What the handlers of the public edge share.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) desk: Desk,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) verifier: Verifier,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) proxies: Proxies,
    pub(crate) per_person: Option<Limiter<Arc<str>>>,
    pub(crate) per_address: Option<Limiter<IpAddr>>,
    pub(crate) streams: Arc<Streams>,
}

/// A handle to the shared parts.
#[derive(Clone)]
pub(crate) struct Edge(pub(crate) Arc<Shared>);

pub(crate) fn limiter<K: std::hash::Hash + Eq + Clone>(rate: Option<Rate>) -> Option<Limiter<K>> {
    rate.map(Limiter::new)
}
