//! payment-sim-api: a simulated payment provider with the guarantees of a real one.
//!
//! It opens intents, decides them as their scenario says, gives money back, and reports each
//! outcome three times: in its status, in an event on the queue, and in a signed webhook. One
//! commit writes all three, so they cannot disagree (trap T-M4). Delays and webhooks are rows, so
//! they survive a crash. [`Service`] is the provider without sockets; [`run`] serves it.
//!
//! `scheduled.rs` takes the place of other services' `sweep.rs`: it runs due outcomes and webhooks,
//! and finds those that nobody announced.
//!
//! Others send HTTP ([`ports::WebhookPost`] is passed in), provide the engines, and decide what a
//! payment means for seats and reservations.

pub mod config;
mod deps;
mod edge;
mod error_text;
mod metrics;
mod refusal;
pub mod rows;
mod schedule;
mod scheduled;
mod serve;
mod service;

pub use config::{Config, ServiceOptions, WebhookOptions};
pub use deps::Deps;
pub use edge::rest::openapi;
pub use metrics::PaymentMetrics;
pub use refusal::Refusal;
pub use serve::{Background, assemble, run};
pub use service::{Cancellation, CreateIntent, ListPayments, Page, Service, SimulateWebhook, Simulated};
