//! payment-sim-api: a simulated payment provider with the guarantees of a real one.
//!
//! It opens intents, decides them as their scenario says, gives money back, and reports each
//! outcome three times: in its status, in an event on the queue, and in a signed webhook. One
//! commit writes all three, so they cannot disagree (trap T-M4). Delays and webhooks are rows, so
//! they survive a crash. [`Service`] is the provider without sockets; [`run`] serves it.
//!
//! Others send HTTP ([`WebhookPost`] is passed in), provide the engines, and decide what a payment
//! means for seats and reservations.

pub mod config;
mod edge;
mod errands;
mod metrics;
mod refusal;
pub mod rows;
mod serve;
mod service;
mod words;

pub use config::Config;
pub use edge::rest::openapi;
pub use metrics::PaymentMetrics;
pub use refusal::{Refusal, Told};
pub use serve::{Background, Deps, Listeners, assemble, run};
pub use service::{
    Cancellation, CreateIntent, ListPayments, Page, Service, ServiceOptions, SimulateWebhook, Simulated,
    WebhookOptions, WebhookPost, WebhookRequest,
};
