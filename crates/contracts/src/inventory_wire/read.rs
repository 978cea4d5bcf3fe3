//! The inventory's answers, read by a client.
//!
//! An answer with an `error` is a refusal or a failure, whatever its other fields say. There is one
//! exception: an earlier peer may set an error beside ALREADY_RELEASED, and that release is done.

use super::rejection::{Call, Subject, rejection_from_error};
use crate::answer::{Refusal, is_set};
use crate::common::v1 as common;
use crate::reservation::v1 as proto;
use crate::time;
use crate::vocabulary::seat_from_proto;
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::id::{OrderId, PaymentIntentId, SeatId};
use domain::money::{Currency, Money};
use domain::seat::{SeatStatus, SeatView};
use domain::time::Timestamp;
use ports::inventory::{
    CommitSeats, Committed, Held, HeldState, HoldSeats, PaymentRefused, RefusePayment, ReleaseSeats,
};

type Answer<T> = Result<T, Refusal<Rejection>>;

/// Reads the answer to ReserveSeat.
pub fn held_from_proto(command: &HoldSeats, response: proto::ReserveSeatResponse) -> Answer<Held> {
    let subject = Subject::from(command);
    if let Some(error) = response.error.filter(is_set) {
        return Err(refusal(Call::Hold, subject, error));
    }
    let seat_status = match proto::HoldStatus::try_from(response.status) {
        Ok(proto::HoldStatus::Committed) => SeatStatus::Sold,
        _ => SeatStatus::Held,
    };
    let seats = seats(response.reserved_seats, seat_status)?;
    if seats.is_empty() {
        return Err(Refusal::Unreadable("the hold names no seats".to_owned()));
    }
    let state = match proto::HoldStatus::try_from(response.status) {
        Ok(proto::HoldStatus::Active | proto::HoldStatus::Unspecified) => HeldState::Live,
        Ok(proto::HoldStatus::Committed) => HeldState::Committed(
            OrderId::parse(&response.order_id)
                .unwrap_or_else(|_| OrderId::for_reservation(&command.reservation)),
        ),
        Ok(proto::HoldStatus::Expired) => HeldState::Released(ReleaseCause::Expired),
        Ok(proto::HoldStatus::Released) => HeldState::Released(
            ReleaseCause::parse(&response.release_reason).unwrap_or(ReleaseCause::ByBuyer),
        ),
        Err(_) => return Err(Refusal::Unreadable(format!("unknown hold status {}", response.status))),
    };
    let until = response.hold_expires_at.as_ref().and_then(time::from_proto).unwrap_or(command.until);
    Ok(Held { total: total(&seats), seats, until, state })
}

/// Reads the answer to CommitReservation.
pub fn committed_from_proto(
    command: &CommitSeats,
    response: proto::CommitReservationResponse,
) -> Answer<Committed> {
    let subject = Subject::from(command);
    let status = proto::CommitStatus::try_from(response.status).unwrap_or_default();
    if let Some(error) = response.error.filter(is_set) {
        return Err(match refusal(Call::Commit, subject, error) {
            // The status enum is clearer than a code without particulars.
            Refusal::Failed(_) if status == proto::CommitStatus::FailedExpired => {
                Refusal::Rejected(Rejection::Expired)
            }
            Refusal::Failed(_) if status == proto::CommitStatus::FailedConflict => {
                Refusal::Rejected(Rejection::NotOwner)
            }
            other => other,
        });
    }
    match status {
        proto::CommitStatus::FailedExpired => return Err(Refusal::Rejected(Rejection::Expired)),
        proto::CommitStatus::FailedConflict => return Err(Refusal::Rejected(Rejection::NotOwner)),
        proto::CommitStatus::FailedPayment => {
            return Err(Refusal::Unreadable("the inventory saw no payment, and does not say why".to_owned()));
        }
        proto::CommitStatus::Unspecified if response.order_id.is_empty() => {
            return Err(Refusal::Unreadable(format!("commit status {} and no order_id", response.status)));
        }
        proto::CommitStatus::Success | proto::CommitStatus::Unspecified => {}
    }
    let order = match response.order_id.as_str() {
        "" => OrderId::for_reservation(&command.reservation),
        text => OrderId::parse(text)
            .map_err(|why| Refusal::Unreadable(format!("the order_id of the commit {why}")))?,
    };
    let at = instant(response.committed_at.as_ref());
    // The sale is done whatever the answer says about its seats, so an unusable seat is skipped and
    // is no failure.
    let seats = response.sold_seats.into_iter().filter_map(|seat| seat_from_proto(seat, SeatStatus::Sold));
    let intent = PaymentIntentId::parse(&response.payment_intent_id).ok();
    Ok(Committed { order, seats: seats.collect(), at, intent })
}

/// Reads the answer to ReleaseHold.
pub fn released_from_proto(command: &ReleaseSeats, response: proto::ReleaseHoldResponse) -> Answer<Released> {
    let status = proto::ReleaseStatus::try_from(response.status).unwrap_or_default();
    let at = instant(response.released_at.as_ref());
    if status == proto::ReleaseStatus::AlreadyReleased {
        let said = ReleaseCause::parse(&response.reason).or_else(|| {
            let error = response.error.as_ref()?;
            let detail = error.details.iter().find(|d| d.reason == "RELEASED")?;
            ReleaseCause::parse(&detail.value)
        });
        // Without a cause the release was this command's own (rules R8).
        let cause = said.or(command.cause).unwrap_or(ReleaseCause::Expired);
        return Ok(Released::Before { cause, at });
    }
    if let Some(error) = response.error.filter(is_set) {
        return Err(match refusal(Call::Release, Subject::from(command), error) {
            Refusal::Failed(_) if status == proto::ReleaseStatus::NotFound => {
                Refusal::Rejected(Rejection::NoSuchHold)
            }
            other => other,
        });
    }
    match status {
        proto::ReleaseStatus::Success => {
            let seats = response.released_seats.iter().filter_map(|s| SeatId::parse(&s.id).ok()).collect();
            Ok(Released::Now { seats, at })
        }
        proto::ReleaseStatus::NotFound => Err(Refusal::Rejected(Rejection::NoSuchHold)),
        proto::ReleaseStatus::AlreadyReleased
        | proto::ReleaseStatus::Failed
        | proto::ReleaseStatus::Unspecified => {
            Err(Refusal::Unreadable(format!("release status {} and no error", response.status)))
        }
    }
}

/// Reads the answer to RefusePayment.
pub fn refused_from_proto(
    command: &RefusePayment,
    response: proto::RefusePaymentResponse,
) -> Answer<PaymentRefused> {
    if let Some(error) = response.error.filter(is_set) {
        return Err(refusal(Call::Refuse, Subject::from(command), error));
    }
    match proto::RefuseStatus::try_from(response.status) {
        Ok(proto::RefuseStatus::Recorded) => Ok(PaymentRefused::Recorded),
        Ok(proto::RefuseStatus::NoHold) => Ok(PaymentRefused::NoHold),
        Ok(proto::RefuseStatus::Unspecified) | Err(_) => {
            Err(Refusal::Unreadable(format!("refusal status {} and no error", response.status)))
        }
    }
}

fn refusal(call: Call, subject: Subject<'_>, error: common::Error) -> Refusal<Rejection> {
    Refusal::from_in_band(error, |error| rejection_from_error(call, subject, error))
}

fn seats(seats: Vec<common::Seat>, status: SeatStatus) -> Answer<Vec<SeatView>> {
    seats
        .into_iter()
        .map(|seat| {
            let id = seat.id.clone();
            seat_from_proto(seat, status)
                .ok_or_else(|| Refusal::Unreadable(format!("the answer has an unusable seat {id:?}")))
        })
        .collect()
}

/// The sum of the prices. The seats of a show have one currency.
fn total(seats: &[SeatView]) -> Money {
    let currency = seats.first().map_or_else(Currency::krw, |seat| seat.price.currency.clone());
    Money { amount: seats.iter().fold(0, |sum, seat| sum.saturating_add(seat.price.amount)), currency }
}

/// Earlier peers may leave the time out; nothing depends on it.
fn instant(at: Option<&prost_types::Timestamp>) -> Timestamp {
    at.and_then(time::from_proto).unwrap_or(Timestamp::EPOCH)
}
