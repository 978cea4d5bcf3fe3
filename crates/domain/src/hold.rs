//! Holds: which seats a buyer has taken and until when, and the typed answers of commit and
//! release.
//!
//! A hold resolves once, to committed or to released (invariant I4), and its last state is
//! remembered. Its identity is the reservation's; a re-take after a release is a second hold of the
//! same reservation (see [`HoldKey`]).

use crate::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use crate::time::Timestamp;
use core::time::Duration;

mod decide;

pub use decide::{
    Claim, CommitDecision, REFUSALS_MAX, RefuseDecision, ReleaseDecision, Take, check_request, commit,
    refuse, release, take,
};

/// Which hold of a reservation: the first, or the re-take inside a late commit (`<reservation>~2`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HoldKey {
    /// The hold that the buyer placed.
    First,
    /// The hold that a late commit took and committed in one step; it is never live.
    Retake,
}

/// A hold and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its reservation.
    pub reservation: ReservationId,
    /// First or re-take.
    pub key: HoldKey,
    /// The show of all its seats.
    pub show: ShowId,
    /// The section of all its seats if the hold is general admission: a re-take may then pick any
    /// seat of the section.
    pub any_of: Option<SectionId>,
    /// 1 to 10 seats, in the order of the request.
    pub seats: Vec<SeatId>,
    /// The buyer.
    pub person: PersonId,
    /// When the hold is due: from then on it may be released as expired.
    pub until: Timestamp,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Live, committed or released.
    pub state: HoldState,
    /// Payment intents that can no longer buy these seats: the seats were gone when they came, or
    /// their refund was announced (rules R2). A refused intent stays refused: its payer has the
    /// answer, and the refund is under way.
    pub refused: Vec<PaymentIntentId>,
    /// No payment is accepted any more: too many were refused to remember each one, a refused
    /// commit named no payment, or the buyer cancelled after the release (rules R6).
    pub closed: bool,
}

/// The state of a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldState {
    /// The seats are HELD by this hold.
    Live,
    /// The seats are SOLD to its order.
    Committed {
        /// The order.
        order: OrderId,
        /// The payment behind it, if the caller named one.
        intent: Option<PaymentIntentId>,
        /// When.
        at: Timestamp,
    },
    /// The seats are free again.
    Released {
        /// Why.
        cause: ReleaseCause,
        /// When.
        at: Timestamp,
    },
}

/// Why a hold was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReleaseCause {
    /// Its time ran out. Refused before [`Hold::until`] (invariant I7).
    Expired,
    /// The payment failed.
    PaymentFailed,
    /// The buyer cancelled. No re-take can follow.
    ByBuyer,
}

/// The inventory's business refusals. Exhaustive: an edge maps every variant to a wire answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// No show has this id.
    NoSuchShow,
    /// No such section, or the request names none and the show has several.
    NoSuchSection,
    /// The show has no such seat.
    NoSuchSeat(SeatId),
    /// These seats are held, sold or blocked.
    SeatTaken(Vec<SeatId>),
    /// Fewer free seats than requested.
    SoldOut {
        /// Free seats in the section.
        remaining: u32,
    },
    /// The reservation has no known hold.
    NoSuchHold,
    /// The hold belongs to another person, or the request names seats outside the hold.
    NotOwner,
    /// `release` or `refuse` came after `commit`.
    AlreadyCommitted {
        /// The order.
        order: OrderId,
        /// The payment that bought the seats, if its caller named one.
        intent: Option<PaymentIntentId>,
    },
    /// `commit` of a live hold by a payment whose refund was announced before (rules R2).
    PaymentRefused,
    /// `commit` came after a release, and a re-take is impossible.
    Expired,
    /// `release(expired)` came before the hold was due.
    NotDue {
        /// The remaining time.
        left: Duration,
    },
    /// The request contradicts itself: duplicate seats, a quantity that does not match the seats, 0
    /// or more than 10 seats.
    BadRequest(BadRequest),
}

/// What is wrong with a request for seats. `Display` is the message for its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRequest {
    /// Neither seats nor a positive quantity.
    NoSeats,
    /// More seats than [`crate::limits::SEATS_PER_RESERVATION_MAX`].
    TooManySeats(u32),
    /// The request names a seat twice.
    DuplicateSeat(SeatId),
    /// `quantity` is not the number of `seat_ids`.
    QuantityMismatch {
        /// The number of named seats.
        seats: u32,
        /// The given quantity.
        quantity: u32,
    },
    /// The hold would already be due.
    UntilInThePast,
    /// The reservation already holds other seats.
    DifferentSeats,
}

/// The effect of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// This call freed the seats.
    Now {
        /// The seats.
        seats: Vec<SeatId>,
        /// When.
        at: Timestamp,
    },
    /// An earlier release freed them.
    Before {
        /// The cause of that release.
        cause: ReleaseCause,
        /// When.
        at: Timestamp,
    },
}

impl ReleaseCause {
    /// The text in rows and requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "EXPIRED",
            Self::PaymentFailed => "FAILED_PAYMENT",
            Self::ByBuyer => "CANCELLED_BY_USER",
        }
    }

    /// Reads [`Self::as_str`] and the spellings of earlier callers, ignoring case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "EXPIRED" | "HOLD_EXPIRED" | "RESERVATION_EXPIRED" | "TIMEOUT" => Some(Self::Expired),
            "FAILED_PAYMENT" | "PAYMENT_FAILED" | "FAILED" => Some(Self::PaymentFailed),
            "CANCELLED_BY_USER" | "USER_CANCELLED" | "CANCELLED" | "USER" => Some(Self::ByBuyer),
            _ => None,
        }
    }
}

impl core::fmt::Display for BadRequest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let max = crate::limits::SEATS_PER_RESERVATION_MAX;
        match self {
            Self::NoSeats => write!(f, "name seat_ids, or a quantity of 1 to {max}"),
            Self::TooManySeats(n) => write!(f, "{n} seats asked for, at most {max} in one reservation"),
            Self::DuplicateSeat(seat) => write!(f, "seat_ids names {seat} twice"),
            Self::QuantityMismatch { seats, quantity } => {
                write!(
                    f,
                    "quantity is {quantity} but seat_ids names {seats}; leave quantity out or make them equal"
                )
            }
            Self::UntilInThePast => write!(f, "hold_expires_at is not in the future"),
            Self::DifferentSeats => write!(f, "this reservation already holds other seats"),
        }
    }
}
