//! The ports that the service needs.

use ports::{Clock, Entropy, Publisher, Store, Tasks, WebhookPost};
use runtime::Process;
use std::sync::Arc;

/// The ports that the service needs.
#[derive(Clone)]
pub struct Deps {
    /// Its table.
    pub store: Arc<dyn Store>,
    /// Publishes its events.
    pub events: Arc<dyn Publisher>,
    /// Sends webhooks.
    pub webhook: Arc<dyn WebhookPost>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Intent ids and jitter.
    pub entropy: Arc<dyn Entropy>,
    /// Spawns its tasks.
    pub tasks: Tasks,
    /// The process it is part of.
    pub process: Process,
}
