//! The part that the inventory and reservation-api share: how slow and how unreliable they are now.

use crate::journal::{Called, Journal, Lane, Outcome, Step, Tag};
use crate::latency::Latency;
use domain::random::{Random, SplitMix64};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The behaviour of a downstream service; it may change while the service runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeerFaults {
    /// From the request to its answer.
    pub latency: Latency,
    /// The share of calls that change nothing and answer UNAVAILABLE or 503.
    pub failing: f64,
    /// The share of calls that take effect and answer UNAVAILABLE or 503 all the same.
    pub losing: f64,
    /// Calls are accepted and not answered until this ends.
    pub hanging: bool,
}

impl Default for PeerFaults {
    fn default() -> Self {
        Self { latency: Latency::NONE, failing: 0.0, losing: 0.0, hanging: false }
    }
}

/// The behaviour of one peer, and its journal.
pub(crate) struct Peer {
    journal: Arc<Journal>,
    faults: watch::Sender<PeerFaults>,
    dice: Mutex<SplitMix64>,
}

/// The fate of a call, once its latency has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Do it and answer.
    Answer,
    /// Do nothing and answer with an outage.
    Fail,
    /// Do it and answer with an outage.
    Lose,
}

impl Peer {
    pub(crate) fn new(journal: Arc<Journal>, faults: PeerFaults, seed: u64) -> Self {
        Self { journal, faults: watch::Sender::new(faults), dice: Mutex::new(SplitMix64::new(seed)) }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut PeerFaults)) {
        self.faults.send_modify(change);
    }

    /// Records the start of a call, and waits for its latency.
    pub(crate) async fn take(&self, call: Called, tag: Tag, lane: Lane) -> Fate {
        self.journal.record(tag, lane, Step::Began(call));
        let faults = *self.faults.borrow();
        let (latency, luck) = {
            let mut dice = self.dice.lock();
            let uncertain = faults.failing > 0.0 || faults.losing > 0.0;
            (faults.latency.draw(&mut dice), if uncertain { dice.unit() } else { 1.0 })
        };
        if latency > Duration::ZERO {
            tokio::time::sleep(latency).await;
        }
        if self.faults.borrow().hanging {
            // An error means that the stand-in is gone, and the call ends with it.
            let _ = self.faults.subscribe().wait_for(|faults| !faults.hanging).await;
        }
        match luck {
            luck if luck < faults.failing => Fate::Fail,
            luck if luck < faults.failing + faults.losing => Fate::Lose,
            _ => Fate::Answer,
        }
    }

    /// Records the end of a call, just before its answer is sent.
    pub(crate) fn ended(&self, call: Called, tag: Tag, lane: Lane, fate: Fate, outcome: Outcome) {
        let outcome = match (fate, outcome) {
            (Fate::Lose, Outcome::Effect) => Outcome::Lost,
            (Fate::Lose | Fate::Fail, _) => Outcome::Failed,
            (Fate::Answer, outcome) => outcome,
        };
        self.journal.record(tag, lane, Step::Ended(call, outcome));
    }
}
