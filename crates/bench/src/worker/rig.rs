//! The three stand-ins, and the feeder that keeps events coming.

use super::load::Load;
use super::{Conditions, Kind};
use anyhow::{Context, Result};
use standin::{Action, Inventory, Journal, PeerFaults, QueueSpec, Reservations, Sqs};
use std::sync::Arc;
use std::time::Duration;

/// The queue of a real deployment: a lease of a minute, and a redrive that the worker is always
/// faster than.
const VISIBILITY: Duration = Duration::from_secs(60);
const MAX_RECEIVE_COUNT: u32 = 100;

/// Everything that the worker talks to.
pub struct Rig {
    /// The record of everything.
    pub journal: Arc<Journal>,
    /// The queue server.
    pub sqs: Sqs,
    /// The inventory.
    pub inventory: Inventory,
    /// reservation-api.
    pub reservations: Reservations,
    kind: Kind,
    url: String,
    load: Load,
}

impl Rig {
    /// Starts the three on the current runtime.
    pub async fn start(kind: Kind, conditions: &Conditions) -> Result<Self> {
        let journal = Arc::new(Journal::new());
        let faults = PeerFaults { latency: conditions.downstream, ..PeerFaults::default() };
        let sqs = Sqs::start(journal.clone()).await?;
        sqs.misbehave(|faults| faults.latency = conditions.queue);
        let spec = |name: &str, redrive| QueueSpec { name: name.to_owned(), visibility: VISIBILITY, redrive };
        let dead_letters = kind.dead_letters().to_owned();
        sqs.create(spec(kind.dead_letters(), None));
        let url = sqs.create(spec(kind.queue(), Some((dead_letters, MAX_RECEIVE_COUNT))));
        let seed = conditions.seed;
        let at = ports::Clock::now(&runtime::SystemClock::new());
        Ok(Self {
            inventory: Inventory::start(journal.clone(), faults, seed).await?,
            reservations: Reservations::start(journal.clone(), faults, seed + 1).await?,
            load: Load::new(kind, conditions.per_group, seed + 2, at),
            journal,
            sqs,
            kind,
            url,
        })
    }

    /// `SQS_QUEUE_URL`.
    pub fn queue_url(&self) -> &str {
        &self.url
    }

    /// Sends that many events.
    pub fn push(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let message = self.load.message()?;
            self.sqs.push(self.kind.queue(), message).context("the queue takes every event")?;
        }
        Ok(())
    }

    /// Events that nobody has taken yet.
    pub fn waiting(&self) -> usize {
        self.sqs.depth(self.kind.queue()).visible
    }

    /// The most events that were ever out at once.
    pub fn in_flight_max(&self) -> usize {
        self.sqs.depth(self.kind.queue()).in_flight_max
    }

    /// Events that ended in the dead-letter queue.
    pub fn buried(&self) -> usize {
        self.sqs.messages(self.kind.dead_letters()).len()
    }

    /// Calls of ReceiveMessage.
    pub fn receives(&self) -> u64 {
        self.sqs.calls(Action::ReceiveMessage)
    }

    /// Calls that delete.
    pub fn deletes(&self) -> u64 {
        self.sqs.calls(Action::DeleteMessage) + self.sqs.calls(Action::DeleteMessageBatch)
    }

    /// All calls to the queue.
    pub fn calls(&self) -> u64 {
        Action::ALL.into_iter().map(|action| self.sqs.calls(action)).sum()
    }
}
