//! The answers to one buyer.

use crowd::{Behaviour, Promise};

/// The answers to one buyer.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The buyer's number in the crowd.
    pub number: u64,
    /// The behaviour that the buyer drew.
    pub behaviour: Behaviour,
    /// Every answer that promised something, in the order of the answers.
    pub promises: Vec<Promise>,
    /// Answers that contradict an earlier answer, or that no buyer should ever get; each is a
    /// defect.
    pub complaints: Vec<String>,
}

impl Receipt {
    pub(super) const fn new(number: u64, behaviour: Behaviour) -> Self {
        Self { number, behaviour, promises: Vec::new(), complaints: Vec::new() }
    }

    pub(super) fn complain(&mut self, what: impl Into<String>) {
        self.complaints.push(what.into());
    }
}
