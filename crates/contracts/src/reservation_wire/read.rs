//! REST answers about a reservation, read by a client.

use crate::error::{Code, ErrorBody, WireError};
use crate::rest::reservation::Seen;
use crate::wire::Refusal;
use domain::id::{OrderId, PaymentIntentId, PersonId, ReservationId, SeatId, ShowId};
use domain::reservation::Status;
use http::StatusCode;
use ports::reservations::{EndRejection, Ended, NoSuchReservation, ReservationView};
use serde_json::Value;

/// Reads the answer to `GET /internal/reservations/{id}`.
pub fn view_from_rest(
    id: &ReservationId,
    status: StatusCode,
    body: &[u8],
) -> Result<ReservationView, Refusal<NoSuchReservation>> {
    if status == StatusCode::NOT_FOUND {
        return Err(Refusal::Rejected(NoSuchReservation));
    }
    if !status.is_success() {
        return Err(Refusal::Failed(failure(status, body)));
    }
    let seen: Seen = serde_json::from_slice(body).map_err(|why| {
        Refusal::Unreadable(format!("status {status} with a body that is no reservation: {why}"))
    })?;
    Ok(view(id, seen))
}

/// Reads the answer to `PATCH /internal/reservations/{id}`. A success without a body is a success.
pub fn ended_from_rest(
    id: &ReservationId,
    status: StatusCode,
    body: &[u8],
) -> Result<Ended, Refusal<EndRejection>> {
    if status.is_success() {
        let seen: Option<Seen> = serde_json::from_slice(body).ok();
        let known = seen.filter(|seen| seen.status.is_some());
        return Ok(Ended { reservation: known.map(|seen| view(id, seen)) });
    }
    match status {
        StatusCode::NOT_FOUND => Err(Refusal::Rejected(EndRejection::NoSuchReservation)),
        StatusCode::CONFLICT => {
            let value: Value = serde_json::from_slice(body).unwrap_or_default();
            let error = failure(status, body);
            // Two writers at once say nothing about the move itself.
            if error.code == Code::ConcurrentModification {
                return Err(Refusal::Failed(error));
            }
            let intent = particular(&value, &error, "payment_intent_id", "CURRENT");
            let current = particular(&value, &error, "status", "CURRENT_STATUS");
            Err(Refusal::Rejected(EndRejection::Illegal {
                current: current.and_then(|text| Status::parse(&text)),
                intent: intent.and_then(|text| PaymentIntentId::parse(&text).ok()),
            }))
        }
        _ => Err(Refusal::Failed(failure(status, body))),
    }
}

/// The code that an HTTP status means if the body has none. The status decides how a caller
/// continues, so a proxy's answer counts like a service's.
pub fn code_of_status(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::Forbidden,
        404 | 410 => Code::NotFound,
        408 => Code::Timeout,
        409 => Code::AlreadyExists,
        412 => Code::FailedPrecondition,
        429 => Code::RateLimited,
        502 => Code::UpstreamError,
        503 => Code::Unavailable,
        504 => Code::UpstreamTimeout,
        500..=599 => Code::Internal,
        _ => Code::InvalidArgument,
    }
}

/// The failure that an answer reports: the body's error if its code agrees with the status, else
/// the status.
fn failure(status: StatusCode, body: &[u8]) -> WireError {
    let own = serde_json::from_slice::<ErrorBody>(body).ok();
    let message = own.as_ref().map(|body| body.error.message.clone());
    match own.and_then(WireError::from_json) {
        Some(error) if error.code.http_status() == status || status == StatusCode::CONFLICT => error,
        _ => WireError::new(
            code_of_status(status),
            match message.filter(|text| !text.is_empty()) {
                Some(text) => format!("status {status}: {text}"),
                None => format!("status {status}"),
            },
        ),
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
    ReservationView {
        id: id.clone(),
        status: seen.status.as_deref().and_then(Status::parse),
        show: seen.event_id.and_then(|text| ShowId::parse(&text).ok()),
        seats,
        quantity: seen.quantity.filter(|n| *n > 0),
        person: seen.user_id.and_then(|text| PersonId::parse(&text).ok()),
        order: seen.order_id.and_then(|text| OrderId::parse(&text).ok()),
        intent: seen.payment_intent_id.and_then(|text| PaymentIntentId::parse(&text).ok()),
    }
}
