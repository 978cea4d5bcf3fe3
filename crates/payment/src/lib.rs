//! payment-sim-api: a payment provider that is simulated honestly.
//!
//! It opens intents, decides them as their scenario says, gives money back, and tells of each outcome three times: by its
//! status, by an event on the queue, by a signed webhook. The three are one commit and cannot disagree (trap M4). Delays
//! and webhooks are rows, so they survive a crash. [`Service`] is the provider without sockets; [`run`] serves it.
//!
//! What it leaves to others: sending HTTP ([`WebhookPost`] is given to it), the engines, and what a payment means for
//! seats and reservations.

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
pub use metrics::PaymentMetrics;
pub use refusal::{Refusal, Told};
pub use serve::{Background, Deps, Listeners, assemble, run};
pub use service::{
    Cancellation, CreateIntent, ListPayments, Page, Service, ServiceOptions, SimulateWebhook, Simulated,
    WebhookOptions, WebhookPost, WebhookRequest,
};
