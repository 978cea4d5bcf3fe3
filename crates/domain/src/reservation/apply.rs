//! How an end changes a reservation.

use super::{CancelCause, End, Reservation, Status};
use crate::time::Timestamp;
use std::sync::Arc;

/// The verdict on an end.
#[allow(clippy::large_enum_variant, reason = "a decision is made, looked at and gone; a box would only cost")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The changed reservation.
    Changed(Reservation),
    /// It reached that end before; nothing changes. The stored order and payment may differ from
    /// those of the end; a caller that cares compares them.
    Same,
    /// The current status does not allow this end.
    Refused {
        /// The current status.
        current: Status,
    },
}

/// Decides an end. The inventory has already moved, so this only decides whether the record may
/// follow.
///
/// | from | to CONFIRMED | to CANCELLED | to EXPIRED |
/// |---|---|---|---|
/// | HOLD | changed | changed | changed |
/// | CONFIRMED | same | refused | refused |
/// | CANCELLED, payment failed | changed (re-taken) | same | refused |
/// | CANCELLED by the buyer | refused | same | refused |
/// | EXPIRED | changed (re-taken) | refused | same |
///
/// The first recorded end wins: its order, payment and reasons are not overwritten. Only a missing
/// error code may be added later, because "paid too late" becomes known after the expiry. A
/// re-taken reservation loses the reasons of its former end.
pub fn apply(reservation: &Reservation, end: End, now: Timestamp) -> Decision {
    let current = reservation.status;
    match (current, end) {
        (Status::Confirmed, End::Confirmed { .. }) => Decision::Same,
        (_, End::Confirmed { order, intent }) if reservation.may_be_confirmed() => {
            changed(reservation, now, |next| {
                next.status = Status::Confirmed;
                (next.order, next.intent) = (order, intent);
                (next.cancel_reason, next.error_code) = (None, None);
            })
        }
        (Status::Hold, End::Cancelled { reason, error_code }) => changed(reservation, now, |next| {
            next.status = Status::Cancelled;
            next.cancel_reason = Some(reason.unwrap_or_else(|| CancelCause::PaymentFailed.as_str().into()));
            next.error_code = error_code;
        }),
        (Status::Hold, End::Expired { error_code }) => changed(reservation, now, |next| {
            next.status = Status::Expired;
            next.error_code = error_code;
        }),
        (Status::Cancelled, End::Cancelled { error_code, .. })
        | (Status::Expired, End::Expired { error_code }) => gained(reservation, error_code, now),
        _ => Decision::Refused { current },
    }
}

fn gained(reservation: &Reservation, error_code: Option<Arc<str>>, now: Timestamp) -> Decision {
    match error_code {
        Some(code) if reservation.error_code.is_none() => {
            changed(reservation, now, |next| next.error_code = Some(code))
        }
        _ => Decision::Same,
    }
}

fn changed(reservation: &Reservation, now: Timestamp, change: impl FnOnce(&mut Reservation)) -> Decision {
    let mut next = reservation.clone();
    change(&mut next);
    // Instances' clocks differ; a record must not seem older than the one before it.
    next.updated_at = now.max(reservation.updated_at);
    Decision::Changed(next)
}
