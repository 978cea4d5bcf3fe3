//! How an end, a buyer's cancel and an error code change a reservation.

use super::{CancelCause, End, Reservation, Status};
use crate::hold::ReleaseCause;
use crate::time::Timestamp;
use std::sync::Arc;

/// The verdict on an end.
#[allow(clippy::large_enum_variant, reason = "a decision is made, looked at and gone; a box would only cost")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The changed reservation.
    Changed(Reservation),
    /// Nothing changes: it reached that end before, or it has ended and records no error code. The
    /// stored order and payment may differ from those of the end; a caller that cares compares
    /// them.
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
/// | EXPIRED, then cancelled by the buyer | refused | refused | same |
///
/// The first recorded end wins: its order, payment and reasons are not overwritten. Only a missing
/// error code may be added later, because "paid too late" becomes known after the expiry, and a
/// missing payment, because an earlier worker confirms without naming it (case P6). An end without
/// an error code keeps the one of [`record_error_code`]. A re-taken reservation loses the reasons
/// of its former end.
pub fn apply(reservation: &Reservation, end: End, now: Timestamp) -> Decision {
    let current = reservation.status;
    match (current, end) {
        (Status::Confirmed, End::Confirmed { intent: Some(intent), .. }) if reservation.intent.is_none() => {
            changed(reservation, now, |next| next.intent = Some(intent))
        }
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
            next.error_code = error_code.or(next.error_code.take());
        }),
        (Status::Hold, End::Expired { error_code }) => changed(reservation, now, |next| {
            next.status = Status::Expired;
            next.error_code = error_code.or(next.error_code.take());
        }),
        (Status::Cancelled, End::Cancelled { error_code, .. })
        | (Status::Expired, End::Expired { error_code }) => gained(reservation, error_code, now),
        _ => Decision::Refused { current },
    }
}

/// Decides a buyer's cancel (rules R6). The inventory has released the seats for `released`, now or
/// before, and closed re-takes.
///
/// | from | after |
/// |---|---|
/// | HOLD, released as expired | EXPIRED with the buyer's reason |
/// | HOLD, released for another cause | CANCELLED by the buyer |
/// | EXPIRED, or CANCELLED after a failed payment | the status stays, the reason becomes the buyer's |
/// | EXPIRED or CANCELLED, and cancelled by the buyer before | same |
/// | CONFIRMED | refused |
///
/// No later payment makes it CONFIRMED. The error code of a failed payment stays.
pub fn cancel(reservation: &Reservation, released: ReleaseCause, now: Timestamp) -> Decision {
    let current = reservation.status;
    let status = match (current, released) {
        (Status::Confirmed, _) => return Decision::Refused { current },
        _ if reservation.is_cancelled_by_buyer() => return Decision::Same,
        (Status::Cancelled | Status::Expired, _) => current,
        (Status::Hold, ReleaseCause::Expired) => Status::Expired,
        (Status::Hold, ReleaseCause::PaymentFailed | ReleaseCause::ByBuyer) => Status::Cancelled,
    };
    changed(reservation, now, |next| {
        next.status = status;
        next.cancel_reason = Some(CancelCause::ByBuyer.as_str().into());
    })
}

/// Decides an error code: why a payment did not pay, on a reservation in HOLD that has no error
/// code yet (rules R1). The status stays, so that the buyer can pay correctly; another reservation
/// stays as it is.
pub fn record_error_code(reservation: &Reservation, error_code: Arc<str>, now: Timestamp) -> Decision {
    if reservation.status == Status::Hold {
        gained(reservation, Some(error_code), now)
    } else {
        Decision::Same
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
