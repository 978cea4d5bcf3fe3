//! Reservations on the wire, both directions: the internal REST (`GET` and `PATCH
//! /internal/reservations/{id}`, `docs/contracts.md#reservation-api`) and the gRPC message of a
//! reservation.
//!
//! reservation-api reads a [`Patch`] and writes answers with this module; the worker's client does
//! the reverse. Answers of earlier services are read first by their HTTP status, then by their
//! body, which may be missing.

mod read;

pub use read::{ended_from_rest, recorded_from_rest, view_from_rest};

use crate::common::v1 as common;
use crate::error::{Code, WireError};
use crate::reservation::v1 as proto;
use crate::rest::reservation::{Illegal, Patch, Shown};
use crate::time;
use crate::vocabulary::{money_to_proto, required, reservation_status_to_proto};
use domain::id::{OrderId, PaymentIntentId, ReservationId};
use domain::reservation::{End, Reservation, Status};
use ports::reservations::EndReservation;
use std::sync::Arc;

/// The body of the PATCH that brings a reservation to its end.
pub fn patch_of(command: &EndReservation) -> Patch {
    let mut patch = Patch {
        status: command.end.status().as_str().to_owned(),
        inventory_settled: Some(command.inventory_settled),
        ..Patch::default()
    };
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    match &command.end {
        End::Confirmed { order, intent } => {
            patch.order_id = order.as_ref().map(|id| id.as_str().to_owned());
            patch.payment_intent_id = intent.as_ref().map(|id| id.as_str().to_owned());
        }
        End::Cancelled { reason, error_code } => {
            patch.cancel_reason = text(reason);
            patch.error_code = text(error_code);
        }
        End::Expired { error_code } => patch.error_code = text(error_code),
    }
    patch
}

/// The body of the PATCH that records an error code without a status (rules R1).
pub fn error_code_patch(error_code: &str) -> Patch {
    Patch { error_code: Some(error_code.to_owned()), ..Patch::default() }
}

/// Reads [`error_code_patch`]; `None` for a PATCH with a status, or with neither a status nor an
/// error code, which [`command_of`] reads or refuses.
pub fn error_code_of(patch: &Patch) -> Option<Arc<str>> {
    let code = patch.error_code.as_deref().filter(|code| !code.is_empty());
    code.filter(|_| patch.status.is_empty()).map(Into::into)
}

/// Reads [`patch_of`]. "" means the same as a missing field. A field that does not belong to the
/// status is not an error: earlier senders fill every field they know.
pub fn command_of(id: ReservationId, patch: &Patch) -> Result<EndReservation, WireError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let text = |name: &Option<String>| given(name).map(Arc::<str>::from);
    let end = match Status::parse(&patch.status) {
        Some(Status::Confirmed) => End::Confirmed {
            order: given(&patch.order_id).map(|t| required(OrderId::parse, "order_id", &t)).transpose()?,
            intent: given(&patch.payment_intent_id)
                .map(|t| required(PaymentIntentId::parse, "payment_intent_id", &t))
                .transpose()?,
        },
        Some(Status::Cancelled) => {
            End::Cancelled { reason: text(&patch.cancel_reason), error_code: text(&patch.error_code) }
        }
        Some(Status::Expired) => End::Expired { error_code: text(&patch.error_code) },
        Some(Status::Hold) | None => {
            return Err(WireError::new(
                Code::InvalidArgument,
                "status must be CONFIRMED, CANCELLED or EXPIRED",
            )
            .detail("status", "UNKNOWN", ""));
        }
    };
    Ok(EndReservation { id, end, inventory_settled: patch.inventory_settled.unwrap_or(false) })
}

/// A reservation as JSON.
pub fn shown(reservation: &Reservation) -> Shown {
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    Shown {
        reservation_id: reservation.id.as_str().to_owned(),
        event_id: reservation.show.as_str().to_owned(),
        user_id: reservation.person.as_str().to_owned(),
        status: reservation.status.as_str().to_owned(),
        seat_ids: reservation.seats.iter().map(|seat| seat.as_str().to_owned()).collect(),
        quantity: u32::try_from(reservation.seats.len()).unwrap_or(u32::MAX),
        total_price: reservation.total.amount,
        currency: reservation.total.currency.as_str().to_owned(),
        hold_expires_at: time::rfc3339(reservation.hold_expires_at),
        created_at: time::rfc3339(reservation.created_at),
        updated_at: time::rfc3339(reservation.updated_at),
        section: reservation.section.as_ref().map(|id| id.as_str().to_owned()),
        order_id: reservation.order.as_ref().map(|id| id.as_str().to_owned()),
        payment_intent_id: reservation.intent.as_ref().map(|id| id.as_str().to_owned()),
        cancel_reason: text(&reservation.cancel_reason),
        error_code: text(&reservation.error_code),
    }
}

/// A reservation as a gRPC message; its seats are known by name only.
pub fn reservation_to_proto(reservation: &Reservation) -> proto::Reservation {
    let section = reservation.section.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let seat = |id: &domain::id::SeatId| common::Seat {
        id: id.as_str().to_owned(),
        section: section.clone(),
        ..common::Seat::default()
    };
    proto::Reservation {
        reservation_id: reservation.id.as_str().to_owned(),
        event_id: reservation.show.as_str().to_owned(),
        user_id: reservation.person.as_str().to_owned(),
        status: reservation_status_to_proto(reservation.status) as i32,
        seats: reservation.seats.iter().map(seat).collect(),
        quantity: i32::try_from(reservation.seats.len()).unwrap_or(i32::MAX),
        total_amount: Some(money_to_proto(&reservation.total)),
        created_at: Some(time::to_proto(reservation.created_at)),
        updated_at: Some(time::to_proto(reservation.updated_at)),
        hold_expires_at: Some(time::to_proto(reservation.hold_expires_at)),
        payment_intent_id: reservation.intent.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
        order_id: reservation.order.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
        metadata: None,
    }
}

/// The refusal to read or end an unknown reservation: 404.
pub fn no_such_reservation(id: &ReservationId) -> WireError {
    WireError::new(Code::NotFound, format!("no reservation {id}")).detail(
        "reservation_id",
        "NO_SUCH_RESERVATION",
        id.as_str(),
    )
}

/// The refusal of a move that the present status does not allow. Over REST its status is 409 and
/// its body is [`illegal_body`].
pub fn illegal_move(current: Status, intent: Option<&PaymentIntentId>) -> WireError {
    let error = WireError::new(
        Code::FailedPrecondition,
        format!("the reservation is {} and does not allow this change", current.as_str()),
    )
    .detail("status", "CURRENT_STATUS", current.as_str());
    match intent {
        Some(intent) => error.detail("payment_intent_id", "CURRENT", intent.as_str()),
        None => error,
    }
}

/// The body of a 409: the error and, for clients that do not read `details`, the present state
/// beside it.
pub fn illegal_body(error: &WireError, current: Status, intent: Option<&PaymentIntentId>) -> Illegal {
    Illegal {
        error: error.to_json().error,
        status: current.as_str().to_owned(),
        payment_intent_id: intent.map(|id| id.as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests;
