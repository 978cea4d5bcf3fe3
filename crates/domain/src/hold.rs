//! Holds: what a buyer has taken and until when, and the typed answers of commit and release.
//!
//! A hold resolves once, to committed or to released (invariant I4), and is remembered in its last state. Its identity is
//! the reservation's; a re-take after a release is a second hold of the same reservation (see [`HoldKey`]).

use crate::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use crate::time::Timestamp;
use core::time::Duration;

mod decide;

pub use decide::{
    Claim, CommitDecision, REFUSALS_MAX, ReleaseDecision, Take, check_request, commit, release, take,
};

/// Which hold of a reservation: the first, or the re-take inside a late commit (`<reservation>~2`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HoldKey {
    /// The hold that the buyer placed.
    First,
    /// The hold that a late commit took and committed in one step; it is never live.
    Retake,
}

/// A hold and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The reservation that it belongs to.
    pub reservation: ReservationId,
    /// First or re-take.
    pub key: HoldKey,
    /// The show of all its seats.
    pub show: ShowId,
    /// The section of all its seats if it was taken as general admission: a re-take may then pick any seat of it.
    pub any_of: Option<SectionId>,
    /// 1 to 10 seats, in the order in which they were asked for.
    pub seats: Vec<SeatId>,
    /// Who holds.
    pub person: PersonId,
    /// When the hold is due: it may be released as expired from here on.
    pub until: Timestamp,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Live, committed or released.
    pub state: HoldState,
    /// Payment intents whose late commit was refused for want of seats. A refused intent stays refused, because its
    /// payer has been told and is being refunded.
    pub refused: Vec<PaymentIntentId>,
    /// No late commit is taken any more: too many were refused to remember each, or one that named no payment was.
    pub retakes_closed: bool,
}

/// What became of a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldState {
    /// The seats are HELD by it.
    Live,
    /// The seats are SOLD to its order.
    Committed {
        /// The order.
        order: OrderId,
        /// The payment that paid for it, if the caller said so.
        intent: Option<PaymentIntentId>,
        /// When.
        at: Timestamp,
    },
    /// The seats went back.
    Released {
        /// Why.
        cause: ReleaseCause,
        /// When.
        at: Timestamp,
    },
}

/// Why a hold is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReleaseCause {
    /// Its time ran out. Refused before [`Hold::until`] (invariant I7).
    Expired,
    /// The payment failed.
    PaymentFailed,
    /// The buyer cancelled. There is no re-take after it.
    ByBuyer,
}

/// The inventory says no. Exhaustive: an edge maps every variant to a wire answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// No show of that id.
    NoSuchShow,
    /// No such section, or none named where the show has several.
    NoSuchSection,
    /// A seat that the show does not have.
    NoSuchSeat(SeatId),
    /// Seats that are held, sold or blocked.
    SeatTaken(Vec<SeatId>),
    /// Fewer free seats than asked for; how many are left.
    SoldOut {
        /// Free seats in the section.
        remaining: u32,
    },
    /// No hold of that reservation is known.
    NoSuchHold,
    /// The hold belongs to another person, or the request names seats that the hold does not have.
    NotOwner,
    /// `release` came after `commit`.
    AlreadyCommitted(OrderId),
    /// `commit` came after a release, and no re-take is possible.
    Expired,
    /// `release(expired)` came before the hold is due.
    NotDue {
        /// The time that is left.
        left: Duration,
    },
    /// The request contradicts itself (duplicate seats, quantity and seats disagree, 0 or more than 10 seats).
    BadRequest(BadRequest),
}

/// What is wrong with a request for seats, each with the words for its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRequest {
    /// Neither seats nor a positive quantity.
    NoSeats,
    /// More seats than [`crate::limits::SEATS_PER_RESERVATION_MAX`].
    TooManySeats(u32),
    /// A seat is named twice.
    DuplicateSeat(SeatId),
    /// `quantity` is not the number of `seat_ids`.
    QuantityMismatch {
        /// The number of seats that were named.
        seats: u32,
        /// The quantity that was given.
        quantity: u32,
    },
    /// The hold would be due already.
    UntilInThePast,
    /// The reservation exists as a hold on other seats.
    DifferentSeats,
}

/// What a release did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// The seats went back now.
    Now {
        /// The seats.
        seats: Vec<SeatId>,
        /// When.
        at: Timestamp,
    },
    /// They had gone back before.
    Before {
        /// Why they went back then.
        cause: ReleaseCause,
        /// When.
        at: Timestamp,
    },
}

impl ReleaseCause {
    /// The text that rows and requests carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "EXPIRED",
            Self::PaymentFailed => "FAILED_PAYMENT",
            Self::ByBuyer => "CANCELLED_BY_USER",
        }
    }

    /// Reads [`Self::as_str`] and the spellings of earlier callers, without regard to case.
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
