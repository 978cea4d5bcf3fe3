//! The edges of the gateway: REST with its pages, gRPC, and administration.

pub(crate) mod admin;
mod api;
mod caller;
pub(crate) mod grpc;
mod idempotency;
pub(crate) mod openapi;
mod page;
mod payments;
mod reservations;
pub(crate) mod rest;
mod shows;
mod stream;
mod waiting_room;

pub(crate) use stream::Streams;

use crate::catalogue::Catalogue;
use crate::limits::{Limiter, Rate};
use crate::metrics::GatewayMetrics;
use crate::proxies::Proxies;
use crate::service::sales::SalesService;
use crate::service::waiting_room::WaitingRoomService;
use core::ops::Deref;
use identity::Verifier;
use std::net::IpAddr;
use std::sync::Arc;

/// What the handlers of the public edge share.
#[derive(Clone)]
pub(crate) struct Edge(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) waiting_room: WaitingRoomService,
    pub(crate) sales: SalesService,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) verifier: Verifier,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) proxies: Proxies,
    pub(crate) per_person: Option<Limiter<Arc<str>>>,
    pub(crate) per_address: Option<Limiter<IpAddr>>,
    pub(crate) streams: Arc<Streams>,
}

impl Edge {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Deref for Edge {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

pub(crate) fn limiter<K: std::hash::Hash + Eq + Clone>(rate: Option<Rate>) -> Option<Limiter<K>> {
    rate.map(Limiter::new)
}
