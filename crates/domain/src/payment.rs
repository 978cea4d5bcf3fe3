//! The life of a payment. It only moves forward: PENDING → AUTHORIZED → CAPTURED → REFUNDED, or →
//! FAILED, or → VOIDED.
//!
//! [`decide`] is the provider's side: a payment and a command give the next payment, no change, or
//! a refusal. A decided payment is never decided again, whatever arrives late (trap T-M3); money
//! goes back once per request and never more than was taken (invariants M2 and M3).
//! [`Status::merge`] is the side of a receiver of reports, which come in any order and more than
//! once. [`price`] checks that a payment equals the price of its reservation. The payment service
//! stores payments and sends events and webhooks.

use crate::id::{PaymentIntentId, PersonId, ReservationId};
use crate::money::Money;
use crate::time::Timestamp;
use std::sync::Arc;

mod decide;
pub mod price;
mod scenario;
#[cfg(test)]
mod tests;

pub use decide::{Command, Decision, Outcome, Rejection, decide};
pub use scenario::{Answer, Scenario, ScenarioRules};

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// The provider has no request yet, or has not answered.
    Pending,
    /// The money is reserved (on the wire PROCESSING).
    Authorized,
    /// The money is taken (on the wire COMPLETED).
    Captured,
    /// The provider declined.
    Failed,
    /// Cancelled before the money was taken (on the wire CANCELLED).
    Voided,
    /// All of the money was refunded. A payment of which a part was refunded is still captured.
    Refunded,
}

/// A payment intent as its service stores and shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its identity.
    pub intent: PaymentIntentId,
    /// What it pays for.
    pub reservation: ReservationId,
    /// The payer, if the caller named one.
    pub person: Option<PersonId>,
    /// The price.
    pub amount: Money,
    /// Where it stands.
    pub status: Status,
    /// The sum of all refunds; never more than `amount` (invariant M2).
    pub refunded: u64,
    /// The provider's error code.
    pub error_code: Option<Arc<str>>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Status {
    /// Every status, in the order of the life of a payment.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Authorized, Self::Captured, Self::Failed, Self::Voided, Self::Refunded];

    /// The status in rows and logs; the wire has other values.
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

    /// Whether the provider has decided: from then on the payment can at most be refunded.
    pub const fn is_decided(self) -> bool {
        !matches!(self, Self::Pending | Self::Authorized)
    }

    /// The status to trust after two reports on the same payment, in either order: the later one in
    /// its life. A provider never reports both captured and failed for one payment. If that
    /// happens, captured wins: the money that was taken is then either honoured or refunded, and a
    /// late "failed" undoes nothing (trap T-M3).
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
