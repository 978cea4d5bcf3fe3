//! Commands to the inventory as messages, and messages as commands.
//!
//! Only the form is checked here: identifiers, counts, times. The rules decide whether a command
//! makes sense (duplicate seats, too many, quantity against seats), and they have the messages for
//! it.

use crate::error::{Code, WireError};
use crate::reservation::v1 as proto;
use crate::time;
use crate::vocabulary::{optional, quantity, required, seat_ids};
use domain::hold::ReleaseCause;
use domain::id::{PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use domain::time::Timestamp;
use ports::inventory::{CommitSeats, HoldSeats, RefusePayment, ReleaseSeats};

/// A hold as a message.
pub fn hold_to_proto(command: &HoldSeats) -> proto::ReserveSeatRequest {
    proto::ReserveSeatRequest {
        reservation_id: command.reservation.as_str().to_owned(),
        event_id: command.show.as_str().to_owned(),
        seat_ids: texts(&command.seats),
        quantity: i32::try_from(command.quantity).unwrap_or(i32::MAX),
        user_id: command.person.as_str().to_owned(),
        hold_expires_at: Some(time::to_proto(command.until)),
        idempotency_key: command.reservation.as_str().to_owned(),
        section: command.section.as_ref().map(|s| s.as_str().to_owned()).unwrap_or_default(),
    }
}

/// Reads a hold. `until_default` applies if an earlier caller gives no hold_expires_at.
pub fn hold_from_proto(
    request: &proto::ReserveSeatRequest,
    until_default: Timestamp,
) -> Result<HoldSeats, WireError> {
    let until = match &request.hold_expires_at {
        None => until_default,
        Some(at) => time::from_proto(at).ok_or_else(|| {
            WireError::invalid("hold_expires_at", "hold_expires_at is not a time after 1970")
        })?,
    };
    Ok(HoldSeats {
        reservation: required(ReservationId::parse, "reservation_id", &request.reservation_id)?,
        show: required(ShowId::parse, "event_id", &request.event_id)?,
        section: optional(SectionId::parse, "section", &request.section)?,
        seats: seat_ids(&request.seat_ids)?,
        quantity: quantity(request.quantity.into())?,
        person: required(PersonId::parse, "user_id", &request.user_id)?,
        until,
    })
}

/// A commit as a message.
pub fn commit_to_proto(command: &CommitSeats) -> proto::CommitReservationRequest {
    proto::CommitReservationRequest {
        reservation_id: command.reservation.as_str().to_owned(),
        event_id: text(command.show.as_ref()),
        seat_ids: texts(&command.seats),
        quantity: count(command.quantity),
        payment_intent_id: text(command.intent.as_ref()),
        user_id: text(command.person.as_ref()),
        idempotency_key: format!("commit:{}", command.reservation),
    }
}

/// Reads a commit. Only the reservation is required.
pub fn commit_from_proto(request: &proto::CommitReservationRequest) -> Result<CommitSeats, WireError> {
    Ok(CommitSeats {
        reservation: required(ReservationId::parse, "reservation_id", &request.reservation_id)?,
        show: optional(ShowId::parse, "event_id", &request.event_id)?,
        seats: seat_ids(&request.seat_ids)?,
        quantity: some_quantity(request.quantity)?,
        intent: optional(PaymentIntentId::parse, "payment_intent_id", &request.payment_intent_id)?,
        person: optional(PersonId::parse, "user_id", &request.user_id)?,
    })
}

/// A release as a message.
pub fn release_to_proto(command: &ReleaseSeats) -> proto::ReleaseHoldRequest {
    let reason = command.cause.map_or("", ReleaseCause::as_str);
    proto::ReleaseHoldRequest {
        reservation_id: command.reservation.as_str().to_owned(),
        event_id: text(command.show.as_ref()),
        seat_ids: texts(&command.seats),
        quantity: count(command.quantity),
        reason: reason.to_owned(),
        idempotency_key: format!("release:{}", command.reservation),
    }
}

/// Reads a release. Only the reservation is required. An unknown reason is refused rather than
/// guessed, because the rules differ between an expiry and a cancellation.
pub fn release_from_proto(request: &proto::ReleaseHoldRequest) -> Result<ReleaseSeats, WireError> {
    let cause = match request.reason.as_str() {
        "" => None,
        reason => Some(ReleaseCause::parse(reason).ok_or_else(|| {
            WireError::new(
                Code::InvalidArgument,
                "reason must be EXPIRED, FAILED_PAYMENT, CANCELLED_BY_USER, or left out",
            )
            .detail("reason", "UNKNOWN", "")
        })?),
    };
    Ok(ReleaseSeats {
        reservation: required(ReservationId::parse, "reservation_id", &request.reservation_id)?,
        show: optional(ShowId::parse, "event_id", &request.event_id)?,
        seats: seat_ids(&request.seat_ids)?,
        quantity: some_quantity(request.quantity)?,
        cause,
    })
}

/// A refusal of a payment as a message.
pub fn refuse_to_proto(command: &RefusePayment) -> proto::RefusePaymentRequest {
    proto::RefusePaymentRequest {
        reservation_id: command.reservation.as_str().to_owned(),
        payment_intent_id: command.intent.as_str().to_owned(),
    }
}

/// Reads a refusal of a payment.
pub fn refuse_from_proto(request: &proto::RefusePaymentRequest) -> Result<RefusePayment, WireError> {
    Ok(RefusePayment {
        reservation: required(ReservationId::parse, "reservation_id", &request.reservation_id)?,
        intent: required(PaymentIntentId::parse, "payment_intent_id", &request.payment_intent_id)?,
    })
}

fn text(id: Option<&impl AsRef<str>>) -> String {
    id.map(|id| id.as_ref().to_owned()).unwrap_or_default()
}

fn texts(seats: &[SeatId]) -> Vec<String> {
    seats.iter().map(|seat| seat.as_str().to_owned()).collect()
}

fn count(quantity: Option<u32>) -> i32 {
    quantity.map_or(0, |n| i32::try_from(n).unwrap_or(i32::MAX))
}

fn some_quantity(given: i32) -> Result<Option<u32>, WireError> {
    Ok(Some(quantity(given.into())?).filter(|n| *n > 0))
}
