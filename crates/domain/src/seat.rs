//! One seat: a row with a version, and what may happen to it.

use crate::id::{SeatId, SectionId};
use crate::money::Money;

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

/// What the status of a seat is to a buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeatStatus {
    /// Can be taken.
    Available,
    /// Taken for a while.
    Held,
    /// Gone.
    Sold,
    /// Not for sale.
    Blocked,
}
