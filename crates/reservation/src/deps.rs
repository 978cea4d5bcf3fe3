//! The ports that reservation-api needs. `app` connects them to engines and peers.

use ports::{Admissions, Backstop, Clock, Entropy, Inventory, Payments, Publisher, Store, Tasks};
use runtime::Process;
use std::sync::Arc;

/// The ports of one instance.
#[derive(Clone)]
pub struct Deps {
    /// This service's own table.
    pub store: Arc<dyn Store>,
    /// The queue or bus that receives events.
    pub events: Arc<dyn Publisher>,
    /// A timer outside this process that sends expiries too, later, if there is one.
    pub backstop: Option<Arc<dyn Backstop>>,
    /// The seats.
    pub inventory: Arc<dyn Inventory>,
    /// The payment provider.
    pub payments: Arc<dyn Payments>,
    /// Which shows require a pass of the waiting room.
    pub admissions: Arc<dyn Admissions>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness: jitter, and ids for callers without an Idempotency-Key.
    pub entropy: Arc<dyn Entropy>,
    /// This instance's tasks.
    pub tasks: Tasks,
    /// Metrics and health.
    pub process: Process,
}
