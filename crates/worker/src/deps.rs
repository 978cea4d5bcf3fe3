//! The ports that the worker is given; `app` and the simulator choose what is behind them.

use crate::service::Peers;
use ports::{Clock, DeadLetters, Entropy, Queue, Tasks};
use runtime::Process;
use std::sync::Arc;

/// See the module.
pub struct Deps {
    /// The event queue.
    pub queue: Arc<dyn Queue>,
    /// The dead-letter queue; without it, burying is left to the queue's redrive policy.
    pub dead_letter_queue: Option<Arc<dyn Queue>>,
    /// Looks into the dead-letter queue, for administration.
    pub dead_letters: Option<Arc<dyn DeadLetters>>,
    /// The peers that handlers call.
    pub peers: Peers,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The tasks of this instance.
    pub tasks: Tasks,
    /// Name, metrics and health of the process.
    pub process: Process,
}
