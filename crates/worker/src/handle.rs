//! What a running worker shows to its ports and to the process around it.

use crate::metrics::WorkerMetrics;
use crate::{Handlers, Journal, Observation, observer, status};
use domain::invariant::Name;
use domain::time::Timestamp;
use ports::{Clock, DeadLetters, Queue};
use runtime::Process;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A view of a worker while it runs. Cloning gives another one.
#[derive(Clone)]
pub struct Handle {
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) letters: Option<Arc<dyn DeadLetters>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) status: status::Status,
    pub(crate) journal: Journal,
    pub(crate) observations: observer::Observations,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) process: Process,
    pub(crate) started_at: Timestamp,
}

impl Handle {
    /// How often the invariants Q2 to Q6 were checked and violated.
    pub fn observations(&self) -> BTreeMap<Name, Observation> {
        self.observations.read()
    }

    /// The journal of the steps of each event.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The worker's live numbers.
    pub fn status(&self) -> status::Snapshot {
        self.status.read()
    }
}
