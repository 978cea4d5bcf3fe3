//! reservation-api: the life of a reservation from the hold to its end.
//!
//! It decides which reservation a request is, records what the inventory has done, answers retries
//! with the recorded answer, and publishes the facts of expiry and payment through its outbox. What
//! holds, whatever crashes: CONFIRMED implies that the seats are sold to it, EXPIRED and CANCELLED
//! imply that it holds none (invariant X1); one key has one effect (X2); a reservation in HOLD
//! always has something that will end it (L1): its outbox row, its event, or the sweeper.
//!
//! [`Service`] is the whole behaviour without sockets; [`assemble`] adds the timers; [`run`] adds
//! the REST and gRPC edges. `app` provides engines and peers.

mod config;
mod deps;
mod edge;
mod metrics;
mod refusal;
pub mod request;
pub mod rows;
mod serve;
mod service;
mod sweep;

pub use config::{Config, PeerAddresses, ServiceOptions, SweeperOptions};
pub use deps::Deps;
pub use edge::rest::openapi;
pub use metrics::ServiceMetrics;
pub use refusal::{NoPass, NotPaid, Peer, Refusal};
pub use serve::{Background, assemble, run};
pub use service::{CreateAnswer, Listing, Page, Service, TraceLine, WebhookCall};
pub use sweep::Sweeper;

/// The `source` of this service's events.
pub const SOURCE: &str = "reservation-api";
