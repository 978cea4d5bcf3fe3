//! The life of a reservation: HOLD, then CONFIRMED, CANCELLED or EXPIRED.
//!
//! The inventory moves first and the reservation follows (design part 4): CONFIRMED implies that the hold is committed,
//! EXPIRED and CANCELLED imply that it holds nothing.

use crate::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use crate::money::Money;
use crate::time::Timestamp;
use std::sync::Arc;

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Seats are held for the buyer.
    Hold,
    /// The seats are the buyer's.
    Confirmed,
    /// The buyer or a failed payment ended it.
    Cancelled,
    /// Its time ran out.
    Expired,
}

impl Status {
    /// The text on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "HOLD",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hold, Self::Confirmed, Self::Cancelled, Self::Expired].into_iter().find(|s| s.as_str() == text)
    }

    /// Whether no buyer and no timer moves it any more. (A late approval can still turn EXPIRED into CONFIRMED.)
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Hold)
    }
}

/// A reservation as its service stores and shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its identity, derived from person and Idempotency-Key.
    pub id: ReservationId,
    /// The show.
    pub show: ShowId,
    /// The section, if it was reserved as general admission.
    pub section: Option<SectionId>,
    /// Who reserved.
    pub person: PersonId,
    /// Where it stands.
    pub status: Status,
    /// The seats, 1 to 10.
    pub seats: Vec<SeatId>,
    /// Price of all seats together.
    pub total: Money,
    /// When its hold runs out.
    pub hold_expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The order, once CONFIRMED.
    pub order: Option<OrderId>,
    /// The payment that confirmed it.
    pub intent: Option<PaymentIntentId>,
    /// Why it was cancelled, in the words of [`CancelCause`] or of the sender.
    pub cancel_reason: Option<Arc<str>>,
    /// The provider's code of a failed payment, or why a late payment was given back.
    pub error_code: Option<Arc<str>>,
}

/// Why a reservation is CANCELLED, as far as rules depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelCause {
    /// The payment failed: a late approval may still confirm.
    PaymentFailed,
    /// The buyer said so: final.
    ByBuyer,
}

impl CancelCause {
    /// The text in `cancel_reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentFailed => "payment_failed",
            Self::ByBuyer => "user",
        }
    }
}

/// An end that a reservation is brought to from outside: by the worker, by a confirm, by a cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The seats are committed to `order`.
    Confirmed {
        /// The order of the inventory; looked up there when an earlier caller does not give it.
        order: Option<OrderId>,
        /// The payment that paid.
        intent: Option<PaymentIntentId>,
    },
    /// The seats went back because of a failed payment or the buyer.
    Cancelled {
        /// In the sender's words; `payment_failed` when it says nothing.
        reason: Option<Arc<str>>,
        /// The provider's code.
        error_code: Option<Arc<str>>,
    },
    /// The seats went back because the time ran out.
    Expired {
        /// Why a late payment was given back, if one was.
        error_code: Option<Arc<str>>,
    },
}

impl End {
    /// The status that this end means.
    pub const fn status(&self) -> Status {
        match self {
            Self::Confirmed { .. } => Status::Confirmed,
            Self::Cancelled { .. } => Status::Cancelled,
            Self::Expired { .. } => Status::Expired,
        }
    }
}
