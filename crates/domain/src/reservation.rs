//! The life of a reservation: HOLD, then CONFIRMED, CANCELLED or EXPIRED.
//!
//! The inventory moves first and the reservation follows (docs/design.md#the-order-of-steps):
//! CONFIRMED implies that the hold is committed, EXPIRED and CANCELLED imply that the reservation
//! holds no seats.
//!
//! [`apply`] decides how an end changes a reservation: the first recorded end wins, the same end
//! again changes nothing, and an end without seats becomes CONFIRMED only if the inventory may take
//! the seats again. [`cancel`] decides the buyer's own cancel, which is final (rules R6), and
//! [`record_error_code`] an error code that is recorded while the seats are held (rules R1). The
//! reservation service moves the seats, stores the row and notifies others.

use crate::hold::ReleaseCause;
use crate::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use crate::money::Money;
use crate::time::Timestamp;
use std::sync::Arc;

mod apply;
#[cfg(test)]
mod tests;

pub use apply::{Decision, apply, cancel, record_error_code};

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Seats are held for the buyer.
    Hold,
    /// The buyer has the seats.
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

    /// Whether buyers and timers leave it unchanged from here on. (A late approval can still turn
    /// EXPIRED into CONFIRMED.)
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
    /// The section, if it is general admission.
    pub section: Option<SectionId>,
    /// The buyer.
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
    /// Why it was cancelled, as [`CancelCause`] or in the sender's words. An EXPIRED one has a
    /// reason only if the buyer cancelled it too.
    pub cancel_reason: Option<Arc<str>>,
    /// The provider's code of a failed payment, why a late payment was refunded, or why a payment
    /// did not pay while the seats were held.
    pub error_code: Option<Arc<str>>,
}

/// Why a reservation is CANCELLED, as far as rules depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelCause {
    /// The payment failed: a late approval may still confirm.
    PaymentFailed,
    /// The buyer cancelled: final.
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

    /// The cause that a free-text reason stands for. Only the known spellings of "the buyer" mean
    /// the buyer ([`ReleaseCause::parse`] accepts the same ones). Everything else allows a late
    /// approval, and the inventory then allows a re-take too.
    pub fn from_reason(reason: Option<&str>) -> Self {
        match reason.and_then(ReleaseCause::parse) {
            Some(ReleaseCause::ByBuyer) => Self::ByBuyer,
            Some(ReleaseCause::Expired | ReleaseCause::PaymentFailed) | None => Self::PaymentFailed,
        }
    }

    /// The cause to give to the inventory.
    pub const fn release_cause(self) -> ReleaseCause {
        match self {
            Self::PaymentFailed => ReleaseCause::PaymentFailed,
            Self::ByBuyer => ReleaseCause::ByBuyer,
        }
    }
}

impl Reservation {
    /// Why it is CANCELLED; `None` for any other status.
    pub fn cancel_cause(&self) -> Option<CancelCause> {
        (self.status == Status::Cancelled).then(|| CancelCause::from_reason(self.cancel_reason.as_deref()))
    }

    /// Whether the buyer cancelled it, before or after it ended otherwise. Its seats are then not
    /// taken again (rules R6).
    pub fn is_cancelled_by_buyer(&self) -> bool {
        matches!(self.status, Status::Cancelled | Status::Expired)
            && CancelCause::from_reason(self.cancel_reason.as_deref()) == CancelCause::ByBuyer
    }

    /// Whether an approved payment can still make it CONFIRMED. Seats that the buyer gave back are
    /// not taken again.
    pub fn may_be_confirmed(&self) -> bool {
        match self.status {
            Status::Hold => true,
            Status::Expired | Status::Cancelled => !self.is_cancelled_by_buyer(),
            Status::Confirmed => false,
        }
    }
}

/// An end that comes from outside: from the worker, a confirm or a cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The seats are committed to `order`.
    Confirmed {
        /// The order of the inventory; looked up there if an earlier caller does not send it.
        order: Option<OrderId>,
        /// The payment behind it.
        intent: Option<PaymentIntentId>,
    },
    /// The seats were freed after a failed payment or by the buyer.
    Cancelled {
        /// In the sender's words; `payment_failed` if the sender gives none.
        reason: Option<Arc<str>>,
        /// The provider's code.
        error_code: Option<Arc<str>>,
    },
    /// The seats were freed because the time ran out.
    Expired {
        /// Why a late payment was refunded, if one was.
        error_code: Option<Arc<str>>,
    },
}

impl End {
    /// The status of this end.
    pub const fn status(&self) -> Status {
        match self {
            Self::Confirmed { .. } => Status::Confirmed,
            Self::Cancelled { .. } => Status::Cancelled,
            Self::Expired { .. } => Status::Expired,
        }
    }

    /// The end of a reservation whose hold was released for this cause. The two agree: if the
    /// inventory allows a re-take, the reservation can become CONFIRMED.
    pub fn after_release(cause: ReleaseCause, error_code: Option<Arc<str>>) -> Self {
        let cancelled = |cause: CancelCause, error_code| Self::Cancelled {
            reason: Some(cause.as_str().into()),
            error_code,
        };
        match cause {
            ReleaseCause::Expired => Self::Expired { error_code },
            ReleaseCause::PaymentFailed => cancelled(CancelCause::PaymentFailed, error_code),
            ReleaseCause::ByBuyer => cancelled(CancelCause::ByBuyer, error_code),
        }
    }
}
