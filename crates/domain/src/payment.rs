//! The life of a payment, which only moves forward:
//! PENDING → AUTHORIZED → CAPTURED → REFUNDED, or → FAILED, or → VOIDED.

use crate::id::{PaymentIntentId, PersonId, ReservationId};
use crate::money::Money;
use crate::time::Timestamp;
use std::sync::Arc;

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
