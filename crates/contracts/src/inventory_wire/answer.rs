//! The inventory's answers as messages.
//!
//! `Err` becomes a gRPC status: the request contradicts itself. Every other refusal is inside the
//! message.

use super::rejection::{Subject, rejection_to_error};
use crate::common::v1 as common;
use crate::error::WireError;
use crate::reservation::v1 as proto;
use crate::time;
use crate::vocabulary::{seat_id_to_proto, seat_to_proto};
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::seat::SeatStatus;
use ports::inventory::{
    CommitSeats, Committed, Held, HeldState, HoldSeats, PaymentRefused, RefusePayment, ReleaseSeats,
};
use std::sync::Arc;

/// The answer to ReserveSeat; a refusal carries `trace_id`.
pub fn hold_response(
    command: &HoldSeats,
    answer: Result<&Held, &Rejection>,
    trace_id: Option<&Arc<str>>,
) -> Result<proto::ReserveSeatResponse, WireError> {
    let held = match answer {
        Ok(held) => held,
        Err(rejection) => {
            let error = Some(in_band(Subject::from(command), rejection, trace_id)?);
            return Ok(proto::ReserveSeatResponse { error, ..Default::default() });
        }
    };
    let (status, order, reason) = match &held.state {
        HeldState::Live => (proto::HoldStatus::Active, "", ""),
        HeldState::Committed(order) => (proto::HoldStatus::Committed, order.as_str(), ""),
        HeldState::Released(cause @ ReleaseCause::Expired) => {
            (proto::HoldStatus::Expired, "", cause.as_str())
        }
        HeldState::Released(cause) => (proto::HoldStatus::Released, "", cause.as_str()),
    };
    Ok(proto::ReserveSeatResponse {
        hold_id: command.reservation.as_str().to_owned(),
        reserved_seats: held.seats.iter().map(seat_to_proto).collect(),
        hold_expires_at: Some(time::to_proto(held.until)),
        status: status as i32,
        error: None,
        order_id: order.to_owned(),
        release_reason: reason.to_owned(),
    })
}

/// The answer to CommitReservation; a refusal carries `trace_id`.
pub fn commit_response(
    command: &CommitSeats,
    answer: Result<&Committed, &Rejection>,
    trace_id: Option<&Arc<str>>,
) -> Result<proto::CommitReservationResponse, WireError> {
    let committed = match answer {
        Ok(committed) => committed,
        Err(rejection) => {
            let status = match rejection {
                Rejection::Expired => proto::CommitStatus::FailedExpired,
                Rejection::PaymentRefused => proto::CommitStatus::FailedPayment,
                _ => proto::CommitStatus::FailedConflict,
            };
            let error = Some(in_band(Subject::from(command), rejection, trace_id)?);
            return Ok(proto::CommitReservationResponse {
                status: status as i32,
                error,
                ..Default::default()
            });
        }
    };
    Ok(proto::CommitReservationResponse {
        order_id: committed.order.as_str().to_owned(),
        sold_seats: committed.seats.iter().map(seat_to_proto).collect(),
        status: proto::CommitStatus::Success as i32,
        committed_at: Some(time::to_proto(committed.at)),
        error: None,
        payment_intent_id: committed.intent.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
    })
}

/// The answer to ReleaseHold; a refusal carries `trace_id`.
pub fn release_response(
    command: &ReleaseSeats,
    answer: Result<&Released, &Rejection>,
    trace_id: Option<&Arc<str>>,
) -> Result<proto::ReleaseHoldResponse, WireError> {
    match answer {
        Ok(Released::Now { seats, at }) => Ok(proto::ReleaseHoldResponse {
            released_seats: seats.iter().map(seat_id_to_proto).map(available).collect(),
            status: proto::ReleaseStatus::Success as i32,
            released_at: Some(time::to_proto(*at)),
            error: None,
            reason: String::new(),
        }),
        Ok(Released::Before { cause, at }) => Ok(proto::ReleaseHoldResponse {
            released_seats: Vec::new(),
            status: proto::ReleaseStatus::AlreadyReleased as i32,
            released_at: Some(time::to_proto(*at)),
            error: None,
            reason: cause.as_str().to_owned(),
        }),
        Err(rejection) => {
            let status = match rejection {
                Rejection::NoSuchHold | Rejection::NoSuchShow => proto::ReleaseStatus::NotFound,
                _ => proto::ReleaseStatus::Failed,
            };
            let error = Some(in_band(Subject::from(command), rejection, trace_id)?);
            Ok(proto::ReleaseHoldResponse { status: status as i32, error, ..Default::default() })
        }
    }
}

/// The answer to RefusePayment; a refusal carries `trace_id`.
pub fn refuse_response(
    command: &RefusePayment,
    answer: Result<&PaymentRefused, &Rejection>,
    trace_id: Option<&Arc<str>>,
) -> Result<proto::RefusePaymentResponse, WireError> {
    let (status, error) = match answer {
        Ok(PaymentRefused::Recorded) => (proto::RefuseStatus::Recorded, None),
        Ok(PaymentRefused::NoHold) => (proto::RefuseStatus::NoHold, None),
        Err(rejection) => {
            (proto::RefuseStatus::Unspecified, Some(in_band(Subject::from(command), rejection, trace_id)?))
        }
    };
    Ok(proto::RefusePaymentResponse { status: status as i32, error })
}

fn available(mut seat: common::Seat) -> common::Seat {
    seat.status = crate::vocabulary::seat_status_to_proto(SeatStatus::Available) as i32;
    seat
}

fn in_band(
    subject: Subject<'_>,
    rejection: &Rejection,
    trace_id: Option<&Arc<str>>,
) -> Result<common::Error, WireError> {
    let error = rejection_to_error(subject, rejection).traced(trace_id.cloned());
    match rejection {
        Rejection::BadRequest(_) => Err(error),
        _ => Ok(error.to_proto()),
    }
}
