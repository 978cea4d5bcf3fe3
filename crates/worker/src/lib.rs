//! reservation-worker: consumes events and moves seats and reservations to their final state.
//!
//! Every event that enters the queue ends in its one right effect, or in the dead-letter queue with
//! its reason, whatever crashes. The rules are pure and live in `domain` (lanes, retry, breaker,
//! valve, concurrency). [`service`] has a handler for each event, `pipeline` the way from poll to
//! settlement. The worker knows its queue and its peers as ports only; `app` gives it the engines.
//!
//! [`assemble`] puts it together, [`Worker::handle`] lets others look, [`Worker::run`] works until
//! `shutdown`. Of the files of a service, `edge/rest`, `rows` and `sweep` are absent: the worker
//! has no REST routes beside administration and stores nothing.

mod attempts;
mod breakers;
pub mod config;
pub mod dead_letter;
mod deps;
mod edge;
mod handle;
pub mod journal;
mod metrics;
mod observer;
mod operator_event;
pub mod options;
mod peer_calls;
mod pipeline;
mod polls;
pub mod redrive;
mod refusal;
mod serve;
pub mod service;
pub mod status;
mod work;

pub use config::{Config, Environment};
pub use deps::Deps;
pub use edge::admin::{openapi, routes as admin_routes};
pub use handle::Handle;
pub use journal::Journal;
pub use observer::Observation;
pub use options::{InFlight, PipelineOptions};
pub use serve::{Worker, assemble, run};
pub use service::{Handlers, Peers};
