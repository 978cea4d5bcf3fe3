//! `payment.approved`: CommitReservation, then the reservation is CONFIRMED with its order.
//!
//! **The provider is asked first (rules R1).** An event can be forged, late, or about another
//! price; the provider knows:
//!
//! | report of the provider | then |
//! |---|---|
//! | captured, nothing refunded, this reservation, its currency and its total | commit |
//! | another amount or currency | give it back, and record the code; the hold stays, so that the buyer can pay correctly |
//! | partly refunded | give the rest back; if it has bought the seats, the reservation becomes CONFIRMED |
//! | wholly refunded, voided or failed | done: nothing is sold |
//! | not decided | again later |
//! | another reservation, or no such payment | a contradiction; no money moves |
//!
//! | answer of the inventory to the commit | then |
//! |---|---|
//! | committed by this payment, now or before, perhaps after a re-take | the reservation becomes CONFIRMED |
//! | committed by another payment | this is a second payment: give it back |
//! | this payment is refused | give it back |
//! | expired: released, no seats left | give it back; the reservation keeps its end |
//! | no such hold, not the owner's, anything else | give it back, then a contradiction |
//!
//! After a successful commit nothing gives the money back: what does not fit then is a
//! contradiction, for a person.

use super::call::{Calls, KnownSeats, Lookup};
use super::refund::{
    AMOUNT_MISMATCH, CURRENCY_MISMATCH, PAID_TOO_LATE, PARTLY_REFUNDED, REFUSED, SECOND_PAYMENT,
    UNKNOWN_HOLD, UNKNOWN_RESERVATION, Why, give_back, refund, refuse,
};
use super::{Done, Stop, end_answer};
use domain::event::Event;
use domain::hold::Rejection;
use domain::id::{OrderId, PaymentIntentId};
use domain::money::Money;
use domain::payment::price::{self, Check, Report};
use domain::reservation::{End, Status};
use domain::retry::Reason;
use ports::payments::PaymentRejection;
use ports::plant::{Plant, planted};
use ports::probe;
use ports::reservations::{EndRejection, ReservationView};

pub(super) async fn handle(
    calls: &mut Calls<'_>,
    event: &Event,
    intent: &PaymentIntentId,
    amount: Option<&Money>,
) -> Result<Done, Stop> {
    let id = &event.reservation;
    let hint = &event.seats;
    let ask = calls.has_provider() || amount.is_some() || hint.show.is_none() || hint.seats.is_empty();
    let lookup = if ask { calls.get(id).await? } else { Lookup::Unsupported };
    let total = match &lookup {
        Lookup::Found(view) => view.total.as_ref(),
        Lookup::None | Lookup::Unsupported => None,
    };
    if let Some(done) = unless_it_pays(calls, event, intent, amount, total).await? {
        return Ok(done);
    }
    let known = match lookup {
        Lookup::Found(view) => KnownSeats::of(event, view),
        Lookup::Unsupported => KnownSeats::hinted(event),
        Lookup::None => {
            probe::hit("approved.unknown_reservation");
            refund(calls, id, intent, UNKNOWN_RESERVATION).await?;
            return Err(Stop::contradiction(
                "payment approved for an unknown reservation; the payment was given back",
            ));
        }
    };
    if known.view.as_ref().is_some_and(|view| confirmed_by_another(view, intent)) {
        probe::hit("approved.second_payment");
        refund(calls, id, intent, SECOND_PAYMENT).await?;
        return Ok(Done::SecondPaymentReturned);
    }
    match calls.commit(id, known, intent).await? {
        Ok(committed) if committed.intent.as_ref().is_some_and(|by| by != intent) => {
            probe::hit("approved.committed_by_another");
            refund(calls, id, intent, SECOND_PAYMENT).await?;
            Ok(Done::SecondPaymentReturned)
        }
        Ok(committed) => {
            probe::hit("approved.committed");
            confirm(calls, event, intent, committed.order, committed.intent.is_some()).await
        }
        Err(Rejection::Expired) => {
            probe::hit("approved.expired");
            too_late(calls, event, intent).await
        }
        Err(Rejection::PaymentRefused) => {
            probe::hit("approved.payment_refused");
            refund(calls, id, intent, REFUSED).await?;
            Ok(Done::RefusedPaymentReturned)
        }
        Err(other) => {
            probe::hit("approved.refused");
            refund(calls, id, intent, UNKNOWN_HOLD).await?;
            Err(Stop::contradiction(format!(
                "the inventory refuses to commit: {other:?}; the payment was given back"
            )))
        }
    }
}

/// Asks the provider whether the payment pays the price of its reservation (rules R1). `None`: it
/// does, as far as anybody knows.
async fn unless_it_pays(
    calls: &mut Calls<'_>,
    event: &Event,
    intent: &PaymentIntentId,
    amount: Option<&Money>,
    total: Option<&Money>,
) -> Result<Option<Done>, Stop> {
    if planted(Plant::AnyPayment) {
        return Ok(None);
    }
    let mismatch = |what: String| Stop::Hopeless { reason: Reason::AmountMismatch, error: what };
    let report = match calls.payment(intent).await? {
        // No provider is configured: only the event tells the amount.
        None => {
            return match (amount, total) {
                (Some(amount), Some(total)) if price::mismatch(amount, total).is_some() => {
                    probe::hit("approved.event_mismatch");
                    Err(mismatch(format!("the event says {amount:?}, and the price is {total:?}")))
                }
                (Some(_), Some(_)) => Ok(None),
                _ => {
                    calls.unverified = true;
                    Ok(None)
                }
            };
        }
        Some(Ok(report)) => report,
        Some(Err(PaymentRejection::NoSuchPayment)) => {
            probe::hit("approved.no_such_payment");
            return Err(Stop::contradiction(format!("the provider does not know payment {intent}")));
        }
        Some(Err(PaymentRejection::Refused(text))) => {
            return Err(Stop::contradiction(format!(
                "the provider does not report payment {intent}: {text}"
            )));
        }
    };
    let paid = Report {
        status: report.status,
        reservation: &report.reservation,
        amount: report.amount.as_ref(),
        refunded: report.refunded,
    };
    let check = price::check(&paid, &event.reservation, total);
    probe::hit_variant("approved.check", &check);
    match check {
        Check::Pays => match (amount, &report.amount) {
            (Some(amount), Some(paid)) if amount != paid => {
                Err(mismatch(format!("the event says {amount:?}, and the provider {paid:?}")))
            }
            _ => Ok(None),
        },
        Check::AmountMismatch => not_the_price(calls, event, intent, AMOUNT_MISMATCH).await.map(Some),
        Check::CurrencyMismatch => not_the_price(calls, event, intent, CURRENCY_MISMATCH).await.map(Some),
        Check::PartlyRefunded => partly_refunded(calls, event, intent).await.map(Some),
        Check::Returned => Ok(Some(Done::NothingLeft)),
        Check::Undecided => {
            Err(Stop::Transient { error: format!("the provider has not decided payment {intent}") })
        }
        Check::OtherReservation => Err(Stop::contradiction(format!(
            "payment {intent} pays for reservation {}, not for {}",
            report.reservation, event.reservation
        ))),
    }
}

/// The payment does not equal the price: it is given back, and the reservation records why. Its
/// hold stays, so that the buyer can pay correctly.
async fn not_the_price(
    calls: &mut Calls<'_>,
    event: &Event,
    intent: &PaymentIntentId,
    why: Why,
) -> Result<Done, Stop> {
    refund(calls, &event.reservation, intent, why).await?;
    calls.record_error_code(&event.reservation, why.code).await;
    Ok(Done::WrongPaymentReturned)
}

/// A part of the payment went back: before it bought the seats, the rest goes back too; after that
/// it was goodwill, and this event is a repetition.
async fn partly_refunded(
    calls: &mut Calls<'_>,
    event: &Event,
    intent: &PaymentIntentId,
) -> Result<Done, Stop> {
    match refuse(calls, &event.reservation, intent).await? {
        None => {
            give_back(calls, intent, PARTLY_REFUNDED).await?;
            calls.record_error_code(&event.reservation, PARTLY_REFUNDED.code).await;
            Ok(Done::WrongPaymentReturned)
        }
        Some(order) => {
            probe::hit("approved.partly_refunded_later");
            confirm(calls, event, intent, order, true).await
        }
    }
}

/// The seats are committed: the reservation follows. `is_ours`: the inventory says that this
/// payment bought them; an older one does not say whose did, and then the reservation decides.
async fn confirm(
    calls: &mut Calls<'_>,
    event: &Event,
    intent: &PaymentIntentId,
    order: OrderId,
    is_ours: bool,
) -> Result<Done, Stop> {
    let id = &event.reservation;
    let end = End::Confirmed { order: Some(order.clone()), intent: Some(intent.clone()) };
    let ended = calls.end(id, end).await?;
    probe::hit(format_args!("approved.end_{}", end_answer(&ended)));
    let confirmed_by = match ended {
        Ok(ended) => ended.reservation.and_then(|view| view.intent).or_else(|| Some(intent.clone())),
        // 409 with the same final status: it was confirmed before; which payment did it decides.
        Err(EndRejection::Illegal { current: Some(Status::Confirmed), intent: by }) => by,
        Err(EndRejection::Illegal { current: Some(Status::Hold), .. }) => {
            return Err(Stop::Transient {
                error: "the reservation refuses to be CONFIRMED while it is in HOLD".into(),
            });
        }
        Err(EndRejection::NoSuchReservation) => {
            return Err(Stop::contradiction(format!(
                "the seats are sold as {order} to an unknown reservation"
            )));
        }
        Err(EndRejection::Illegal { current, .. }) => {
            let status = current.map_or("in an unknown status", Status::as_str);
            return Err(Stop::contradiction(format!(
                "the seats are sold as {order}, and the reservation is {status}"
            )));
        }
    };
    match confirmed_by {
        Some(by) if by == *intent => Ok(Done::Confirmed(order)),
        None if is_ours => Ok(Done::Confirmed(order)),
        Some(by) if is_ours => Err(Stop::contradiction(format!(
            "the seats are sold as {order} against payment {intent}, and the reservation is CONFIRMED by {by}"
        ))),
        Some(_) => {
            probe::hit("approved.end_second_payment");
            refund(calls, id, intent, SECOND_PAYMENT).await?;
            Ok(Done::SecondPaymentReturned)
        }
        None => Err(Stop::contradiction(format!(
            "the seats are sold as {order}, and neither inventory nor reservation says against which payment"
        ))),
    }
}

/// No seats are left: the payment is given back, and the reservation keeps its end, with the reason
/// (trap T-M1).
async fn too_late(calls: &mut Calls<'_>, event: &Event, intent: &PaymentIntentId) -> Result<Done, Stop> {
    refund(calls, &event.reservation, intent, PAID_TOO_LATE).await?;
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
