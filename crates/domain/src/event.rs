//! The three facts that travel on the queue.
//!
//! A producer states what happened to a reservation; the worker brings the seats and the
//! reservation to the matching end. `contracts` knows the envelope and its older spellings; here a
//! message is already decoded.

use crate::id::{EventId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use crate::money::Money;
use crate::time::Timestamp;
use std::sync::Arc;

/// One fact about one reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Derived from the fact, so that the same fact has the same id wherever it is published.
    pub id: EventId,
    /// The service that published it, such as `payment-sim-api`.
    pub source: Arc<str>,
    /// When it happened.
    pub at: Timestamp,
    /// The id of its trace, as the producer wrote it; not always hexadecimal.
    pub trace_id: Option<Arc<str>>,
    /// The reservation: also the lane and the message group.
    pub reservation: ReservationId,
    /// What the producer knew about the seats; a payment provider knows nothing.
    pub seats: SeatsHint,
    /// The buyer, if the producer knew.
    pub person: Option<PersonId>,
    /// What happened.
    pub fact: Fact,
}

/// What an event says about the seats of its reservation. The worker looks missing parts up at the
/// reservation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeatsHint {
    /// The show, on the wire `event_id`.
    pub show: Option<ShowId>,
    /// The seats; empty if unknown or general admission.
    pub seats: Vec<SeatId>,
    /// How many, on the wire `qty`.
    pub quantity: Option<u32>,
}

/// What happened to the reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The hold of the reservation ran out.
    ReservationExpired {
        /// When it ran out, if the producer says so.
        expired_at: Option<Timestamp>,
    },
    /// The payment was captured.
    PaymentApproved {
        /// The captured intent.
        intent: PaymentIntentId,
        /// How much, if the producer says so.
        amount: Option<Money>,
    },
    /// The provider declined the payment.
    PaymentFailed {
        /// The declined intent.
        intent: PaymentIntentId,
        /// The requested amount, if the producer says so.
        amount: Option<Money>,
        /// The provider's code.
        error_code: Option<Arc<str>>,
        /// The provider's message.
        error_message: Option<Arc<str>>,
    },
}

/// The kind of a fact, for labels and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `reservation.expired`
    Expired,
    /// `payment.approved`
    Approved,
    /// `payment.failed`
    Failed,
}

impl Kind {
    /// Every kind, in the order of docs/contracts.md#events.
    pub const ALL: [Self; 3] = [Self::Expired, Self::Approved, Self::Failed];

    /// The value of the metric label `type`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Approved => "approved",
            Self::Failed => "failed",
        }
    }

    /// The canonical value of `type` in the envelope.
    pub const fn wire(self) -> &'static str {
        match self {
            Self::Expired => "reservation.expired",
            Self::Approved => "payment.approved",
            Self::Failed => "payment.failed",
        }
    }
}

impl Fact {
    /// The kind of this fact.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::ReservationExpired { .. } => Kind::Expired,
            Self::PaymentApproved { .. } => Kind::Approved,
            Self::PaymentFailed { .. } => Kind::Failed,
        }
    }

    /// The payment intent, for the two payment facts.
    pub const fn intent(&self) -> Option<&PaymentIntentId> {
        match self {
            Self::ReservationExpired { .. } => None,
            Self::PaymentApproved { intent, .. } | Self::PaymentFailed { intent, .. } => Some(intent),
        }
    }
}
