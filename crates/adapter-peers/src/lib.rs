//! Clients of our own services: the ports [`ports::Inventory`], [`ports::Payments`] (gRPC) and
//! [`ports::Reservations`] (REST), and the plain POST that carries webhooks.
//!
//! - Every call has a deadline: the caller's or the client's own, whichever is shorter. gRPC calls
//!   send it to the peer as `grpc-timeout`. The trace is sent as `traceparent` and `x-trace-id`.
//! - Connections are made on first use and again after they break. gRPC calls use several in turn,
//!   so that one connection's limit of streams is not the limit; REST keeps a bounded number alive.
//! - Both error styles are read, the gRPC status and the error inside of an answer, from services
//!   of any age. `contracts` defines what the answers mean; here they become a rejection or a
//!   classified [`ports::Fault`].
//! - Nothing is retried here: the worker's verdict, or the caller, does that.
//!
//! Clients must be made inside of a tokio runtime, because their connections live on it.

mod address;
mod admissions;
mod connection;
mod frame;
mod grpc;
mod internal;
mod inventory;
mod options;
mod payments;
mod post;
mod reservations;
mod rest;
mod sales;
mod shows;

pub use admissions::AdmissionsClient;
pub use inventory::InventoryClient;
pub use options::{InvalidPeer, PeerOptions};
pub use payments::PaymentsClient;
pub use post::HttpPost;
pub use reservations::ReservationsClient;
pub use sales::SalesClient;
pub use shows::ShowsClient;
