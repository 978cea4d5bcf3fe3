//! What one buyer was told.

use super::Behaviour;

/// The story of one buyer.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The buyer's place in the crowd.
    pub number: u64,
    /// What the buyer set out to do.
    pub behaviour: Behaviour,
    /// Every answer that promised something, in the order of the answers.
    pub promises: Vec<Promise>,
    /// Answers that contradict an earlier answer, or that no buyer should ever get; each is a defect.
    pub complaints: Vec<String>,
}

/// An answer that must stay true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// These seats are held under this reservation.
    Held {
        /// The reservation.
        reservation: String,
        /// Its seats.
        seats: Vec<String>,
    },
    /// The reservation is confirmed as this order.
    Confirmed {
        /// The reservation.
        reservation: String,
        /// Its order.
        order: String,
    },
    /// The reservation is cancelled.
    Cancelled {
        /// The reservation.
        reservation: String,
    },
    /// The money was taken.
    Captured {
        /// The reservation that it pays for.
        reservation: String,
        /// The payment.
        intent: String,
    },
    /// The card was declined.
    Declined {
        /// The payment.
        intent: String,
    },
    /// There was nothing to buy.
    Refused {
        /// The error code.
        code: String,
    },
}

impl Receipt {
    pub(super) const fn new(number: u64, behaviour: Behaviour) -> Self {
        Self { number, behaviour, promises: Vec::new(), complaints: Vec::new() }
    }

    pub(super) fn complain(&mut self, what: impl Into<String>) {
        self.complaints.push(what.into());
    }
}
