//! One seat: a row with a version and an owner.
//!
//! AVAILABLE → HELD → SOLD, HELD → AVAILABLE, BLOCKED ↔ AVAILABLE. Only a matching return leaves
//! SOLD (invariant I6), and no command offers one yet. A seat whose row was never written is
//! AVAILABLE at version 0.

use crate::id::{OrderId, ReservationId, SeatId, SectionId};
use crate::money::Money;
use crate::time::Timestamp;

/// A stored seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Grows by one with each write (invariant I3); 0 = never written.
    pub version: u64,
    /// Its owner.
    pub state: SeatState,
}

impl Seat {
    /// A seat whose row was never written.
    pub const UNWRITTEN: Self = Self { version: 0, state: SeatState::Available };
}

/// The owner of a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatState {
    /// Nobody.
    Available,
    /// The hold of this reservation.
    Held {
        /// The reservation.
        by: ReservationId,
        /// When the hold is due.
        until: Timestamp,
    },
    /// The buyer.
    Sold {
        /// The order.
        order: OrderId,
    },
    /// Not for sale.
    Blocked,
}

impl SeatState {
    /// Its status for buyers.
    pub const fn status(&self) -> SeatStatus {
        match self {
            Self::Available => SeatStatus::Available,
            Self::Held { .. } => SeatStatus::Held,
            Self::Sold { .. } => SeatStatus::Sold,
            Self::Blocked => SeatStatus::Blocked,
        }
    }

    /// Whether the hold of this reservation has it.
    pub fn is_held_by(&self, reservation: &ReservationId) -> bool {
        matches!(self, Self::Held { by, .. } if by == reservation)
    }
}

/// A seat as buyers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatView {
    /// Its id.
    pub id: SeatId,
    /// Its section.
    pub section: SectionId,
    /// Its row, empty for general admission.
    pub row: String,
    /// Its number in the row.
    pub number: String,
    /// Its price.
    pub price: Money,
    /// Its status.
    pub status: SeatStatus,
}

/// The status of a seat for buyers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeatStatus {
    /// Can be taken.
    Available,
    /// Held by another buyer.
    Held,
    /// Gone.
    Sold,
    /// Not for sale.
    Blocked,
}

impl SeatStatus {
    /// The text in rows and REST answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "AVAILABLE",
            Self::Held => "HELD",
            Self::Sold => "SOLD",
            Self::Blocked => "BLOCKED",
        }
    }
}
