//! `reservation.expired`: the hold ran out. ReleaseHold(EXPIRED), then the reservation is EXPIRED.
//!
//! | inventory says | then |
//! |---|---|
//! | released now or before, no such hold | the reservation becomes EXPIRED |
//! | already committed | done: the buyer was faster |
//! | not due yet | again after what is left; no attempt is burnt |
//! | anything else | a contradiction |

use super::call::Calls;
use super::{Done, Stop};
use core::time::Duration;
use domain::event::Event;
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::reservation::{End, Status};
use ports::probe;
use ports::reservations::{EndRejection, NoSuchReservation};

/// Waits that the inventory may ask for are kept within this: less is a busy loop, and more is longer than the
/// longest hold, so somebody's clock is wrong and the event had better be looked at again.
const NOT_DUE_MIN: Duration = Duration::from_millis(100);
const NOT_DUE_MAX: Duration = Duration::from_secs(15 * 60);

pub(super) async fn handle(calls: &mut Calls<'_>, event: &Event) -> Result<Done, Stop> {
    let id = &event.reservation;
    let known = match calls.known(event).await? {
        Ok(known) => known,
        Err(NoSuchReservation) => {
            probe::hit("expired.unknown_reservation");
            tracing::warn!(reservation_id = %id, "expired event of an unknown reservation");
            return Ok(Done::NoReservation);
        }
    };
    let released = calls.release(id, known, ReleaseCause::Expired).await?;
    probe::hit(release_point!("expired", &released));
    match released {
        Ok(_) | Err(Rejection::NoSuchHold) => {}
        Err(Rejection::AlreadyCommitted(_)) => return Ok(Done::AlreadyCommitted),
        Err(Rejection::NotDue { left }) => return Err(Stop::NotYet(left.clamp(NOT_DUE_MIN, NOT_DUE_MAX))),
        Err(other) => {
            return Err(Stop::contradiction(format!("the inventory refuses to release: {other:?}")));
        }
    }
    let ended = calls.end(id, End::Expired { error_code: None }).await?;
    probe::hit(end_point!("expired.end", &ended));
    without_seats(ended.map(|_| ()), Done::Expired, event)
}

/// What the reservation's answer means after the seats went back: any end without seats will do, because a late failure
/// after the expiry and a cancel racing its timer happen every day. Only CONFIRMED contradicts.
pub(super) fn without_seats(
    ended: Result<(), EndRejection>,
    done: Done,
    event: &Event,
) -> Result<Done, Stop> {
    match ended {
        Ok(()) => Ok(done),
        Err(EndRejection::NoSuchReservation) => {
            tracing::warn!(reservation_id = %event.reservation, "the seats went back of an unknown reservation");
            Ok(Done::NoReservation)
        }
        Err(EndRejection::Illegal { current: Some(Status::Cancelled | Status::Expired), .. }) => {
            Ok(Done::EndedBefore)
        }
        Err(EndRejection::Illegal { current: Some(Status::Hold), .. }) => {
            Err(Stop::Transient { error: "the reservation refuses its end while it is in HOLD".into() })
        }
        Err(EndRejection::Illegal { current: Some(Status::Confirmed), .. }) => {
            Err(Stop::contradiction("the seats went back, and the reservation is CONFIRMED"))
        }
        Err(EndRejection::Illegal { current: None, .. }) => Err(Stop::contradiction(
            "the seats went back, and the reservation refuses its end in an unknown status",
        )),
    }
}
