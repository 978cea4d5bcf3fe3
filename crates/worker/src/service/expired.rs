//! `reservation.expired`: the hold ran out. ReleaseHold(EXPIRED), then the reservation is EXPIRED.
//!
//! | answer of the inventory | then |
//! |---|---|
//! | released now, no such hold | the reservation becomes EXPIRED |
//! | released before | the reservation comes to the end of that release's cause |
//! | already committed | done: the buyer was faster; a missing CONFIRMED is completed |
//! | not due yet | again after the remaining time; it counts as no attempt |
//! | anything else | a contradiction |
//!
//! If the reservation turns out to be CONFIRMED after the seats were released, the inventory is
//! asked again: a late payment may have taken them meanwhile.

use super::call::{Calls, KnownSeats};
use super::{Done, Stop, end_answer, release_answer};
use core::time::Duration;
use domain::event::Event;
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::id::{OrderId, PaymentIntentId, ReservationId};
use domain::reservation::{End, Status};
use ports::plant::{Plant, planted};
use ports::probe;
use ports::reservations::{EndRejection, NoSuchReservation};
use std::sync::Arc;

/// The wait that the inventory asks for is kept within these: a shorter one is a busy loop, and a
/// longer one exceeds the longest hold, so a clock is wrong and the event should be looked at
/// again.
const NOT_DUE_MIN: Duration = Duration::from_millis(100);
const NOT_DUE_MAX: Duration = Duration::from_secs(15 * 60);

pub(super) async fn handle(calls: &mut Calls<'_>, event: &Event) -> Result<Done, Stop> {
    let id = &event.reservation;
    let known = match calls.known_seats(event).await? {
        Ok(known) => known,
        Err(NoSuchReservation) => {
            probe::hit("expired.unknown_reservation");
            tracing::warn!(reservation_id = %id, "expired event for an unknown reservation");
            return Ok(Done::NoReservation);
        }
    };
    let released = calls.release(id, known, ReleaseCause::Expired).await?;
    probe::hit(format_args!("expired.{}", release_answer(&released)));
    let end = match released {
        Ok(released) => end_of(&released, ReleaseCause::Expired, None),
        Err(Rejection::NoSuchHold) => End::Expired { error_code: None },
        Err(Rejection::AlreadyCommitted { order, intent }) => {
            return complete(calls, event, order, intent).await;
        }
        Err(Rejection::NotDue { left }) => return Err(Stop::NotYet(left.clamp(NOT_DUE_MIN, NOT_DUE_MAX))),
        Err(other) => {
            return Err(Stop::contradiction(format!("the inventory refuses to release: {other:?}")));
        }
    };
    let done = if end.status() == Status::Expired { Done::Expired } else { Done::EndedBefore };
    let ended = calls.end(id, end).await?;
    probe::hit(format_args!("expired.end_{}", end_answer(&ended)));
    match without_seats(ended.map(|_| ()), done, event) {
        Err(Unfit::Confirmed) if confirmed_meanwhile(calls, id, ReleaseCause::Expired).await? => {
            Ok(Done::AlreadyCommitted)
        }
        fit => fit.map_err(Stop::from),
    }
}

/// The seats are sold. The approved event may be gone, so the reservation is made CONFIRMED here,
/// if the inventory says by which payment. A reservation that refuses is the approved event's
/// concern.
async fn complete(
    calls: &mut Calls<'_>,
    event: &Event,
    order: OrderId,
    intent: Option<PaymentIntentId>,
) -> Result<Done, Stop> {
    if intent.is_none() {
        return Ok(Done::AlreadyCommitted);
    }
    let ended = calls.end(&event.reservation, End::Confirmed { order: Some(order), intent }).await?;
    probe::hit(format_args!("expired.confirm_{}", end_answer(&ended)));
    match ended {
        Err(EndRejection::Illegal { current: Some(Status::Hold), .. }) => {
            let error = "the reservation refuses to be CONFIRMED while it is in HOLD".into();
            Err(Stop::Transient { error })
        }
        Ok(_) | Err(EndRejection::NoSuchReservation | EndRejection::Illegal { .. }) => {
            Ok(Done::AlreadyCommitted)
        }
    }
}

/// The end of a reservation whose hold was released. It follows the cause that the inventory
/// remembers, so that what it may re-take and what may become CONFIRMED cannot disagree.
pub(super) fn end_of(released: &Released, cause: ReleaseCause, error_code: Option<Arc<str>>) -> End {
    match released {
        Released::Now { .. } => End::after_release(cause, error_code),
        Released::Before { cause, .. } => End::after_release(*cause, error_code),
    }
}

/// Whether the seats of a CONFIRMED reservation are sold. They were free when this run asked, so a
/// late payment has taken them again since, by a confirmation of the buyer's.
pub(super) async fn confirmed_meanwhile(
    calls: &mut Calls<'_>,
    id: &ReservationId,
    cause: ReleaseCause,
) -> Result<bool, Stop> {
    if planted(Plant::ConfirmedMeanwhile) {
        return Ok(false);
    }
    let again = calls.release(id, KnownSeats::default(), cause).await?;
    Ok(matches!(again, Err(Rejection::AlreadyCommitted { .. })))
}

/// An answer of the reservation that does not fit what the inventory did.
pub(super) enum Unfit {
    /// CONFIRMED, although the seats were released.
    Confirmed,
    /// Anything else.
    Stop(Stop),
}

impl From<Unfit> for Stop {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Confirmed => Self::contradiction("the seats went back, and the reservation is CONFIRMED"),
            Unfit::Stop(stop) => stop,
        }
    }
}

/// The meaning of the reservation's answer after the seats were released. Any end without seats
/// will do, because a failure after the expiry and a cancel that races its timer happen every day.
/// Only CONFIRMED contradicts.
pub(super) fn without_seats(
    ended: Result<(), EndRejection>,
    done: Done,
    event: &Event,
) -> Result<Done, Unfit> {
    match ended {
        Ok(()) => Ok(done),
        Err(EndRejection::NoSuchReservation) => {
            tracing::warn!(reservation_id = %event.reservation, "released the seats of an unknown reservation");
            Ok(Done::NoReservation)
        }
        Err(EndRejection::Illegal { current: Some(Status::Cancelled | Status::Expired), .. }) => {
            Ok(Done::EndedBefore)
        }
        Err(EndRejection::Illegal { current: Some(Status::Hold), .. }) => {
            let error = "the reservation refuses its end while it is in HOLD".into();
            Err(Unfit::Stop(Stop::Transient { error }))
        }
        Err(EndRejection::Illegal { current: Some(Status::Confirmed), .. }) => Err(Unfit::Confirmed),
        Err(EndRejection::Illegal { current: None, .. }) => Err(Unfit::Stop(Stop::contradiction(
            "the seats went back, and the reservation refuses its end in an unknown status",
        ))),
    }
}
