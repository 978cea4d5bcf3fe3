//! `payment.approved`: CommitReservation, then the reservation is CONFIRMED with its order.
//!
//! | answer of the inventory | then |
//! |---|---|
//! | committed, now or before, perhaps after a re-take | the reservation becomes CONFIRMED |
//! | expired: released, no seats left | give the payment back; the reservation keeps its end |
//! | no such hold, not the owner's, anything else | give the payment back, then a contradiction |
//!
//! If another payment confirmed the reservation, this one is a second payment for the same seats:
//! it is given back and the event is done. If the seats are committed and the reservation has a
//! status that cannot become CONFIRMED, the payment is kept (the seats are the buyer's) and the
//! contradiction is buried.

use super::call::Calls;
use super::refund::{PAID_TOO_LATE, SECOND_PAYMENT, UNKNOWN_HOLD, UNKNOWN_RESERVATION, refund};
use super::{Done, Stop, end_answer};
use domain::event::Event;
use domain::hold::Rejection;
use domain::id::{OrderId, PaymentIntentId};
use domain::reservation::{End, Status};
use ports::plant::{Plant, planted};
use ports::probe;
use ports::reservations::{EndRejection, NoSuchReservation, ReservationView};

pub(super) async fn handle(
    calls: &mut Calls<'_>,
    event: &Event,
    intent: &PaymentIntentId,
) -> Result<Done, Stop> {
    let id = &event.reservation;
    let known = match calls.known_seats(event).await? {
        Ok(known) => known,
        Err(NoSuchReservation) => {
            probe::hit("approved.unknown_reservation");
            refund(calls, intent, UNKNOWN_RESERVATION).await?;
            return Err(Stop::contradiction(
                "payment approved for an unknown reservation; the payment was given back",
            ));
        }
    };
    if known.view.as_ref().is_some_and(|view| confirmed_by_another(view, intent)) {
        probe::hit("approved.second_payment");
        refund(calls, intent, SECOND_PAYMENT).await?;
        return Ok(Done::SecondPaymentReturned);
    }
    match calls.commit(id, known, intent).await? {
        Ok(committed) => {
            probe::hit("approved.committed");
            confirm(calls, event, intent, committed.order).await
        }
        Err(Rejection::Expired) => {
            probe::hit("approved.expired");
            too_late(calls, event, intent).await
        }
        Err(other) => {
            probe::hit("approved.refused");
            refund(calls, intent, UNKNOWN_HOLD).await?;
            Err(Stop::contradiction(format!(
                "the inventory refuses to commit: {other:?}; the payment was given back"
            )))
        }
    }
}

/// The seats are committed: the reservation follows.
async fn confirm(
    calls: &mut Calls<'_>,
    event: &Event,
    intent: &PaymentIntentId,
    order: OrderId,
) -> Result<Done, Stop> {
    let end = End::Confirmed { order: Some(order.clone()), intent: Some(intent.clone()) };
    let ended = calls.end(&event.reservation, end).await?;
    probe::hit(format_args!("approved.end_{}", end_answer(&ended)));
    let another = match ended {
        Ok(ended) => ended.reservation.is_some_and(|view| confirmed_by_another(&view, intent)),
        Err(EndRejection::NoSuchReservation) => {
            refund(calls, intent, UNKNOWN_RESERVATION).await?;
            return Err(Stop::contradiction(format!(
                "the seats are sold as {order} to an unknown reservation; the payment was given back"
            )));
        }
        // 409 with the same final status: it was confirmed before; which payment did it decides.
        Err(EndRejection::Illegal { current: Some(Status::Confirmed), intent: confirmed_by }) => {
            confirmed_by.is_some_and(|by| by != *intent)
        }
        Err(EndRejection::Illegal { current: Some(Status::Hold), .. }) => {
            return Err(Stop::Transient {
                error: "the reservation refuses to be CONFIRMED while it is in HOLD".into(),
            });
        }
        Err(EndRejection::Illegal { current, .. }) => {
            let status = current.map_or("in an unknown status", Status::as_str);
            return Err(Stop::contradiction(format!(
                "the seats are sold as {order}, and the reservation is {status}"
            )));
        }
    };
    if another {
        probe::hit("approved.end_second_payment");
        refund(calls, intent, SECOND_PAYMENT).await?;
        return Ok(Done::SecondPaymentReturned);
    }
    Ok(Done::Confirmed(order))
}

/// No seats are left: the payment is given back, and the reservation keeps its end, with the reason
/// (trap T-M1).
async fn too_late(calls: &mut Calls<'_>, event: &Event, intent: &PaymentIntentId) -> Result<Done, Stop> {
    refund(calls, intent, PAID_TOO_LATE).await?;
    let end = End::Expired { error_code: Some(PAID_TOO_LATE.code.into()) };
    let ended = calls.end(&event.reservation, end).await?;
    probe::hit(format_args!("approved.late_end_{}", end_answer(&ended)));
    match ended {
        // The payment is settled either way: EXPIRED now or before, CANCELLED before, or no such
        // reservation.
        Ok(_)
        | Err(
            EndRejection::NoSuchReservation
            | EndRejection::Illegal { current: Some(Status::Expired | Status::Cancelled), .. },
        ) => Ok(Done::LatePaymentReturned),
        Err(EndRejection::Illegal { current: Some(Status::Hold), .. }) => {
            Err(Stop::Transient { error: "the reservation refuses to be EXPIRED while it is in HOLD".into() })
        }
        // Another payment, which came while seats were left, confirmed it meanwhile.
        Err(EndRejection::Illegal { current: Some(Status::Confirmed), intent: Some(by) })
            if by != *intent && !planted(Plant::ConfirmedMeanwhile) =>
        {
            Ok(Done::LatePaymentReturned)
        }
        Err(EndRejection::Illegal { current: Some(Status::Confirmed) | None, .. }) => {
            Err(Stop::contradiction(
                "the inventory says EXPIRED, and the reservation refuses; the payment was given back",
            ))
        }
    }
}

fn confirmed_by_another(view: &ReservationView, intent: &PaymentIntentId) -> bool {
    view.status == Some(Status::Confirmed) && view.intent.as_ref().is_some_and(|by| by != intent)
}
