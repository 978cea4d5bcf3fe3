//! REST answers about a reservation, read by a client.

use crate::answer::Refusal;
use crate::answer::rest::{RestAnswer, read};
use crate::error::WireError;
use crate::rest::reservation::{Amount, Seen};
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::money::{Currency, Money};
use domain::reservation::Status;
use http::Response;
use ports::reservations::{EndRejection, Ended, NoSuchReservation, ReservationView};
use serde_json::Value;

/// The detail reason of a 404 of ours.
const NO_SUCH: &[&str] = &["NO_SUCH_RESERVATION"];

/// Reads the answer to `GET /internal/reservations/{id}`. A 404 or 405 in no form of ours comes
/// from a peer that has only PATCH, or from something that is not the peer: the PATCH tells which.
pub fn view_from_rest<B: AsRef<[u8]>>(
    id: &ReservationId,
    answer: &Response<B>,
) -> Result<ReservationView, Refusal<NoSuchReservation>> {
    let body = match read(NO_SUCH, answer) {
        RestAnswer::Done(body) => body,
        RestAnswer::NoSuchThing => return Err(Refusal::Rejected(NoSuchReservation)),
        RestAnswer::NoSuchPath(why) => return Err(Refusal::Unsupported(why)),
        RestAnswer::NotReached(why) => return Err(Refusal::NotReached(why)),
        RestAnswer::Conflict(error) | RestAnswer::Failed(error) => return Err(Refusal::Failed(error)),
        RestAnswer::Unreadable(why) => return Err(Refusal::Unreadable(why)),
    };
    let seen: Seen = serde_json::from_slice(body)
        .map_err(|why| Refusal::Unreadable(format!("a body that is no reservation: {why}")))?;
    Ok(view(id, seen))
}

/// Reads the answer to `PATCH /internal/reservations/{id}`. A success without a body is a success.
/// A 409 that does not say the current status is [`EndRejection::Illegal`] without one: ask by GET.
pub fn ended_from_rest<B: AsRef<[u8]>>(
    id: &ReservationId,
    answer: &Response<B>,
) -> Result<Ended, Refusal<EndRejection>> {
    match read(NO_SUCH, answer) {
        RestAnswer::Done(body) => {
            let seen: Option<Seen> = serde_json::from_slice(body).ok();
            let complete = seen.filter(|seen| seen.status.is_some());
            Ok(Ended { reservation: complete.map(|seen| view(id, seen)) })
        }
        RestAnswer::NoSuchThing => Err(Refusal::Rejected(EndRejection::NoSuchReservation)),
        RestAnswer::Conflict(error) => {
            let value: Value = serde_json::from_slice(answer.body().as_ref()).unwrap_or_default();
            let intent = particular(&value, &error, "payment_intent_id", "CURRENT");
            let current = particular(&value, &error, "status", "CURRENT_STATUS");
            Err(Refusal::Rejected(EndRejection::Illegal {
                current: current.and_then(|text| Status::parse(&text)),
                intent: intent.and_then(|text| PaymentIntentId::parse(&text).ok()),
            }))
        }
        RestAnswer::Failed(error) => Err(Refusal::Failed(error)),
        RestAnswer::NoSuchPath(why) | RestAnswer::NotReached(why) => Err(Refusal::NotReached(why)),
        RestAnswer::Unreadable(why) => Err(Refusal::Unreadable(why)),
    }
}

/// Reads the answer to the PATCH that only records an error code.
pub fn recorded_from_rest<B: AsRef<[u8]>>(answer: &Response<B>) -> Result<(), Refusal<NoSuchReservation>> {
    match read(NO_SUCH, answer) {
        RestAnswer::Done(_) => Ok(()),
        RestAnswer::NoSuchThing => Err(Refusal::Rejected(NoSuchReservation)),
        RestAnswer::Conflict(error) | RestAnswer::Failed(error) => Err(Refusal::Failed(error)),
        RestAnswer::NoSuchPath(why) | RestAnswer::NotReached(why) => Err(Refusal::NotReached(why)),
        RestAnswer::Unreadable(why) => Err(Refusal::Unreadable(why)),
    }
}

/// A particular of a 409: from `details`, else beside the error, else inside it.
fn particular(value: &Value, error: &WireError, field: &str, reason: &str) -> Option<String> {
    let detail = error.details.iter().find(|d| d.field == field && d.reason == reason);
    let places = [
        value.get(field),
        value.get(format!("current_{field}")),
        value.get("error").and_then(|e| e.get(field)),
        value.get("error").and_then(|e| e.get(format!("current_{field}"))),
    ];
    let beside = || places.into_iter().flatten().find_map(Value::as_str);
    detail.map(|d| d.value.as_str()).or_else(beside).map(str::to_owned)
}

fn view(id: &ReservationId, seen: Seen) -> ReservationView {
    let seats: Vec<SeatId> =
        seen.seat_ids.iter().flatten().filter_map(|text| SeatId::parse(text).ok()).collect();
    let total = total(&seen);
    ReservationView {
        id: id.clone(),
        status: seen.status.as_deref().and_then(Status::parse),
        show: seen.event_id.and_then(|text| ShowId::parse(&text).ok()),
        seats,
        quantity: seen.quantity.filter(|n| *n > 0),
        person: seen.user_id.and_then(|text| PersonId::parse(&text).ok()),
        order: seen.order_id.and_then(|text| OrderId::parse(&text).ok()),
        intent: seen.payment_intent_id.and_then(|text| PaymentIntentId::parse(&text).ok()),
        total,
    }
}

/// The price, if the answer says it: `total_price` and `currency`, or the `total_amount` of an
/// earlier service. An amount without a currency says nothing.
fn total(seen: &Seen) -> Option<Money> {
    let beside = || seen.currency.as_deref();
    let (amount, currency) = match (seen.total_price, &seen.total_amount) {
        (Some(amount), _) => (amount, beside()),
        (None, Some(Amount::Number(amount))) => (*amount, beside()),
        (None, Some(Amount::Money { amount, currency })) => {
            (*amount, currency.as_deref().filter(|text| !text.is_empty()).or_else(beside))
        }
        (None, None) => return None,
    };
    Some(Money { amount, currency: Currency::parse(currency?)? })
}
