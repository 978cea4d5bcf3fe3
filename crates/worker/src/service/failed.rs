//! `payment.failed`: ReleaseHold(FAILED_PAYMENT), then the reservation is CANCELLED with the
//! provider's code.
//!
//! | answer of the inventory | then |
//! |---|---|
//! | released now, no such hold | the reservation becomes CANCELLED |
//! | released before | the reservation comes to the end of that release's cause |
//! | already committed, by another payment | done: this failure is stale (trap T-M3) |
//! | already committed, by this very payment | a contradiction: seats sold for a failed payment |
//! | already committed, the reservation is not CONFIRMED yet | its status is late: look again |
//! | anything else | a contradiction |

use super::call::{Calls, Lookup};
use super::expired::{Unfit, confirmed_meanwhile, end_of, without_seats};
use super::{Done, Stop, end_answer, release_answer};
use domain::event::Event;
use domain::hold::{Rejection, ReleaseCause};
use domain::id::PaymentIntentId;
use domain::reservation::{End, Status};
use ports::probe;
use ports::reservations::NoSuchReservation;
use std::sync::Arc;

pub(super) async fn handle(
    calls: &mut Calls<'_>,
    event: &Event,
    intent: &PaymentIntentId,
    error_code: Option<&Arc<str>>,
) -> Result<Done, Stop> {
    let id = &event.reservation;
    let known = match calls.known_seats(event).await? {
        Ok(known) => known,
        Err(NoSuchReservation) => {
            probe::hit("failed.unknown_reservation");
            tracing::warn!(reservation_id = %id, "failed payment for an unknown reservation");
            return Ok(Done::NoReservation);
        }
    };
    let released = calls.release(id, known, ReleaseCause::PaymentFailed).await?;
    probe::hit(format_args!("failed.{}", release_answer(&released)));
    let error_code = error_code.cloned();
    let end = match released {
        Ok(released) => end_of(&released, ReleaseCause::PaymentFailed, error_code),
        Err(Rejection::NoSuchHold) => End::after_release(ReleaseCause::PaymentFailed, error_code),
        Err(Rejection::AlreadyCommitted { intent: by, .. }) => return stale(calls, event, intent, by).await,
        Err(other) => {
            return Err(Stop::contradiction(format!("the inventory refuses to release: {other:?}")));
        }
    };
    let done = if end.status() == Status::Cancelled { Done::Cancelled } else { Done::EndedBefore };
    let ended = calls.end(id, end).await?;
    probe::hit(format_args!("failed.end_{}", end_answer(&ended)));
    match without_seats(ended.map(|_| ()), done, event) {
        Err(Unfit::Confirmed) if confirmed_meanwhile(calls, id, ReleaseCause::PaymentFailed).await? => {
            stale(calls, event, intent, None).await
        }
        fit => fit.map_err(Stop::from),
    }
}

/// The seats are sold, to payment `by` if the inventory says. An older one does not: then the
/// reservation is asked now, because a lookup before the release may be older than the commit.
async fn stale(
    calls: &mut Calls<'_>,
    event: &Event,
    intent: &PaymentIntentId,
    by: Option<PaymentIntentId>,
) -> Result<Done, Stop> {
    let contradicts =
        || Err(Stop::contradiction(format!("the seats are sold against payment {intent}, which failed")));
    match by {
        Some(by) if by == *intent => return contradicts(),
        Some(_) => {
            probe::hit("failed.stale_inventory_says");
            return Ok(Done::Stale);
        }
        None => {}
    }
    let view = match calls.get(&event.reservation).await? {
        Lookup::Found(view) => view,
        Lookup::None => {
            probe::hit("failed.stale_no_such_reservation");
            tracing::warn!(reservation_id = %event.reservation, "failed payment for an unknown reservation with sold seats");
            return Ok(Done::NoReservation);
        }
        Lookup::Unsupported => {
            return Err(Stop::contradiction(format!(
                "payment {intent} failed, the seats are sold, and no peer says which payment paid"
            )));
        }
    };
    match (view.status, view.intent) {
        (Some(Status::Confirmed), Some(other)) if other != *intent => {
            probe::hit("failed.stale_other_payment");
            Ok(Done::Stale)
        }
        (Some(Status::Confirmed), Some(_)) => {
            probe::hit("failed.stale_same_payment");
            contradicts()
        }
        (Some(Status::Confirmed), None) => {
            probe::hit("failed.stale_no_payment");
            Err(Stop::contradiction(format!(
                "payment {intent} failed, the seats are sold, and the reservation does not say which payment paid"
            )))
        }
        _ => {
            probe::hit("failed.stale_not_confirmed");
            Err(Stop::Transient {
                error: "the seats are sold and the reservation is not CONFIRMED yet".into(),
            })
        }
    }
}
