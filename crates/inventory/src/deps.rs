//! The ports that inventory-api is given.

use ports::{Clock, Entropy, Store, Tasks};
use runtime::Process;
use std::sync::Arc;

/// The ports that inventory-api is given.
#[derive(Clone)]
pub struct Deps {
    /// Its table.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Draws the free places to offer.
    pub entropy: Arc<dyn Entropy>,
    /// This instance's tasks.
    pub tasks: Tasks,
    /// Metrics and health.
    pub process: Process,
}
