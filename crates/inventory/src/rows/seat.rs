//! The row of a seat.

use super::unreadable;
use domain::id::{OrderId, ReservationId, SeatId, SectionId, ShowId};
use domain::limits::SEATS_PER_BLOCK;
use domain::seat::{Seat, SeatState};
use ports::Fault;
use ports::store::{Attributes, Expect, Key, Row, Write};

/// A seat row in the terms of the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatRow {
    /// Its show.
    pub show: ShowId,
    /// Its section.
    pub section: SectionId,
    /// Its id.
    pub id: SeatId,
    /// Its version and owner.
    pub seat: Seat,
}

/// The partition of a block of seats.
pub fn block_partition(show: &ShowId, section: &SectionId, block: u32) -> String {
    format!("seats#{show}#{section}#{block:05}")
}

/// The key of the seat at an index of a section.
pub fn seat_key(show: &ShowId, section: &SectionId, index: u32) -> Key {
    Key::new(block_partition(show, section, index / SEATS_PER_BLOCK), format!("{index:07}"))
}

/// The index of a seat from its key.
pub fn seat_index(key: &Key) -> Option<u32> {
    key.sort.parse().ok()
}

/// The write of a seat. `version` is the version that was read.
pub fn seat_put(
    key: Key,
    show: &ShowId,
    section: &SectionId,
    id: &SeatId,
    state: &SeatState,
    version: u64,
) -> Write {
    let attributes = Attributes::with_room(6)
        .with("seat_id", id.shared())
        .with("show", show.shared())
        .with("section", section.shared())
        .with("status", state.status().as_str());
    let attributes = match state {
        SeatState::Available | SeatState::Blocked => attributes,
        SeatState::Held { by, until } => {
            attributes.with("reservation_id", by.shared()).with("hold_expires_at", *until)
        }
        SeatState::Sold { order } => attributes.with("order_id", order.shared()),
    };
    Write::Put { key, expect: Expect::unchanged(version), attributes, indexes: Vec::new() }
}

/// Reads a seat.
pub fn read_seat(row: &Row) -> Result<SeatRow, Fault> {
    parse(row).ok_or_else(|| unreadable("seat", &row.key))
}

fn parse(row: &Row) -> Option<SeatRow> {
    let a = &row.attributes;
    let state = match &**a.text("status")? {
        "AVAILABLE" => SeatState::Available,
        "HELD" => SeatState::Held {
            by: ReservationId::parse(a.text("reservation_id")?).ok()?,
            until: a.time("hold_expires_at")?,
        },
        "SOLD" => SeatState::Sold { order: OrderId::parse(a.text("order_id")?).ok()? },
        "BLOCKED" => SeatState::Blocked,
        _ => return None,
    };
    Some(SeatRow {
        show: ShowId::parse(a.text("show")?).ok()?,
        section: SectionId::parse(a.text("section")?).ok()?,
        id: SeatId::parse(a.text("seat_id")?).ok()?,
        seat: Seat { version: row.version, state },
    })
}
