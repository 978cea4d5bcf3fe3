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

mod admissions;
mod assembly;
mod config;
mod edge;
mod metrics;
mod refusal;
pub mod request;
pub mod rows;
mod run;
mod service;
mod sweeper;
mod table;

pub use assembly::{Background, Deps, assemble};
pub use config::{Config, Environment};
pub use metrics::ServiceMetrics;
pub use refusal::{NoPass, NotPaid, Peer, Refusal, Reply};
pub use run::{Listeners, RunError, run};
pub use service::{
    CreateAnswer, Listing, Page, Service, ServiceOptions, ServicePorts, TraceLine, WebhookCall,
};
pub use sweeper::{Sweeper, SweeperOptions};

/// The `source` of this service's events.
pub const SOURCE: &str = "reservation-api";
