//! An event that an operator states by hand, checked like one from the queue.

use contracts::error::WireError;
use contracts::vocabulary;
use domain::event::{Event, Fact, SeatsHint};
use domain::id::{EventId, ReservationId, ShowId};
use domain::limits::SEATS_PER_RESERVATION_MAX;
use domain::time::Timestamp;

/// The seats that the request names. The handlers look up whatever it leaves out.
pub(crate) fn hint(event_id: &str, seat_ids: &[String], quantity: i32) -> Result<SeatsHint, WireError> {
    let show = if event_id.is_empty() {
        None
    } else {
        Some(ShowId::parse(event_id).map_err(|e| bad("event_id", &e))?)
    };
    let quantity = match quantity {
        0 => None,
        given => Some(vocabulary::quantity(i64::from(given))?),
    };
    if quantity.is_some_and(|seats| seats > SEATS_PER_RESERVATION_MAX) {
        let max = SEATS_PER_RESERVATION_MAX;
        return Err(WireError::invalid(
            "quantity",
            format!("quantity is more than the {max} seats of a reservation"),
        ));
    }
    Ok(SeatsHint { show, seats: vocabulary::seat_ids(seat_ids)?, quantity })
}

/// The event. Its id is a constant, because the event is never published, only handled.
pub(crate) fn event(
    reservation: &str,
    fact: Fact,
    seats: SeatsHint,
    at: Timestamp,
) -> Result<Event, WireError> {
    let reservation = ReservationId::parse(reservation).map_err(|e| bad("reservation_id", &e))?;
    let id = EventId::parse("by-hand").expect("a literal of printable letters");
    Ok(Event { id, source: "operator".into(), at, trace_id: None, reservation, seats, person: None, fact })
}

fn bad(field: &str, why: &domain::id::InvalidId) -> WireError {
    WireError::invalid(field, format!("{field} {why}"))
}
