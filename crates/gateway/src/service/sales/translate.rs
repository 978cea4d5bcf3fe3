//! From the services' gRPC messages to the bodies of the public API.

use contracts::common::v1 as common;
use contracts::error::WireError;
use contracts::payment::v1 as payment;
use contracts::reservation::v1 as reservation;
use contracts::rest::gateway as body;
use contracts::time;
use domain::id::ShowId;
use domain::time::Timestamp;

pub(super) fn reserved(
    show: ShowId,
    answer: reservation::CreateReservationResponse,
    now: Timestamp,
) -> body::Reserved {
    let until = answer.hold_expires_at.as_ref().and_then(time::from_proto).unwrap_or(Timestamp::EPOCH);
    let total = answer.total_amount.unwrap_or_default();
    body::Reserved {
        reservation_id: answer.reservation_id,
        status: "HOLD".to_owned(),
        event_id: show.to_string(),
        quantity: answer.reserved_seats.len() as u64,
        seat_ids: ids(answer.reserved_seats),
        hold_expires_at: time::rfc3339(until),
        hold_expires_in_ms: left_ms(until, now),
        total_amount: total.amount,
        currency: total.currency,
    }
}

pub(super) fn reservation(seen: reservation::Reservation, now: Timestamp) -> body::Reservation {
    let at = |time: &Option<_>| time.as_ref().and_then(time::from_proto).unwrap_or(Timestamp::EPOCH);
    let until = at(&seen.hold_expires_at);
    let status = seen.status().as_str_name().trim_start_matches("RESERVATION_STATUS_").to_owned();
    let (created_at, updated_at) = (at(&seen.created_at), at(&seen.updated_at));
    let total = seen.total_amount.unwrap_or_default();
    let some = |text: String| (!text.is_empty()).then_some(text);
    body::Reservation {
        reservation_id: seen.reservation_id,
        event_id: seen.event_id,
        user_id: seen.user_id,
        hold_expires_in_ms: if status == "HOLD" { left_ms(until, now) } else { 0 },
        status,
        seat_ids: ids(seen.seats),
        quantity: seen.quantity.max(0) as u64,
        total_price: total.amount,
        currency: total.currency,
        hold_expires_at: time::rfc3339(until),
        created_at: time::rfc3339(created_at),
        updated_at: time::rfc3339(updated_at),
        order_id: some(seen.order_id),
        payment_intent_id: some(seen.payment_intent_id),
    }
}

pub(super) fn intent(answer: payment::CreatePaymentIntentResponse) -> body::IntentMade {
    body::IntentMade {
        payment_intent_id: answer.payment_intent_id,
        status: "PENDING".to_owned(),
        next: "webhook".to_owned(),
    }
}

pub(super) fn payment(seen: payment::Payment) -> body::Payment {
    let status = seen.status().as_str_name().trim_start_matches("PAYMENT_STATUS_").to_owned();
    let amount = seen.amount.unwrap_or_default();
    body::Payment {
        payment_intent_id: seen.payment_intent_id,
        status,
        amount: amount.amount,
        currency: amount.currency,
        reservation_id: seen.reservation_id,
    }
}

/// The scenario of a simulated payment; approval if none is given.
pub(super) fn scenario(name: Option<&str>) -> Result<payment::PaymentScenario, WireError> {
    match name {
        None | Some("APPROVE") => Ok(payment::PaymentScenario::Approve),
        Some("FAIL") => Ok(payment::PaymentScenario::Fail),
        Some("DELAY") => Ok(payment::PaymentScenario::Delay),
        Some("RANDOM") => Ok(payment::PaymentScenario::Random),
        Some("TIMEOUT") => Ok(payment::PaymentScenario::Timeout),
        Some(_) => {
            let message = "scenario must be APPROVE, FAIL, DELAY, RANDOM or TIMEOUT";
            Err(WireError::invalid("scenario", message))
        }
    }
}

fn left_ms(until: Timestamp, now: Timestamp) -> u64 {
    until.since(now).as_millis() as u64
}

fn ids(seats: Vec<common::Seat>) -> Vec<String> {
    seats.into_iter().map(|seat| seat.id).collect()
}
