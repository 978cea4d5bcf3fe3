//! The life of a payment, which only moves forward:
//! PENDING → AUTHORIZED → CAPTURED → REFUNDED, or → FAILED, or → VOIDED.
//!
//! [`decide`] is the provider's side: a payment and a command give the next payment, or say that nothing changes, or
//! refuse. A decided payment is never decided again, whatever arrives late (trap M3); money goes back at most once and
//! never more than was taken (invariants M2 and M3). [`Status::merge`] is the side of whoever only hears reports, in any
//! order and more than once. Storing, events and webhooks are the business of the payment service.

use crate::id::{PaymentIntentId, PersonId, ReservationId};
use crate::money::Money;
use crate::time::Timestamp;
use std::sync::Arc;

mod decide;
mod scenario;
#[cfg(test)]
mod tests;

pub use decide::{Command, Decision, Outcome, Rejection, decide};
pub use scenario::{Answer, Scenario, ScenarioRules};

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Nothing has been asked of the provider yet, or it has not answered.
    Pending,
    /// The money is set aside (on the wire PROCESSING).
    Authorized,
    /// The money is taken (on the wire COMPLETED).
    Captured,
    /// The provider declined.
    Failed,
    /// Cancelled before the money was taken (on the wire CANCELLED).
    Voided,
    /// The money was given back.
    Refunded,
}

/// A payment intent as its service stores and shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its identity.
    pub intent: PaymentIntentId,
    /// What it pays for.
    pub reservation: ReservationId,
    /// Who pays, where the caller said so.
    pub person: Option<PersonId>,
    /// The price.
    pub amount: Money,
    /// Where it stands.
    pub status: Status,
    /// How much was given back; never more than `amount` (invariant M2).
    pub refunded: u64,
    /// The provider's code of a failure.
    pub error_code: Option<Arc<str>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Status {
    /// Every status, in the order of the design.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Authorized, Self::Captured, Self::Failed, Self::Voided, Self::Refunded];

    /// The word of the status in rows and logs; the wire has words of its own.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Authorized => "AUTHORIZED",
            Self::Captured => "CAPTURED",
            Self::Failed => "FAILED",
            Self::Voided => "VOIDED",
            Self::Refunded => "REFUNDED",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the provider has said what comes of the payment: it can then at most be refunded.
    pub const fn is_decided(self) -> bool {
        !matches!(self, Self::Pending | Self::Authorized)
    }

    /// Whether a payment may go from here to `next` in one or more steps.
    pub const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Pending => !matches!(next, Self::Pending),
            Self::Authorized => !matches!(next, Self::Pending | Self::Authorized),
            Self::Captured => matches!(next, Self::Refunded),
            Self::Failed | Self::Voided | Self::Refunded => false,
        }
    }

    /// What to believe after two reports on the same payment, whichever came first: the one that is further. Reports
    /// that no provider makes of one payment (captured and failed) go to the side of the money, so that what was taken is
    /// either honoured or given back, and a late "failed" undoes nothing (trap M3).
    #[must_use]
    pub const fn merge(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Authorized => 1,
            Self::Voided => 2,
            Self::Failed => 3,
            Self::Captured => 4,
            Self::Refunded => 5,
        }
    }
}
