//! Moving the seats before the record: commit for a confirmation, release for the other ends.
//!
//! Both calls are idempotent at the inventory, so they are made again after a crash or a lost
//! answer. The record follows the inventory's answer: a hold that was released for another cause
//! before gives the end of that cause.

use super::Service;
use crate::refusal::{Peer, Refusal};
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::id::{PaymentIntentId, SeatId};
use domain::reservation::{CancelCause, End, Reservation};
use ports::Trace;
use ports::inventory::{CommitSeats, Committed, ReleaseSeats};
use ports::reservations::EndReservation;
use std::sync::Arc;

/// An end that the inventory has reached.
pub(super) struct Settled {
    /// The end to record.
    pub(super) end: End,
    /// The sold seats, where the inventory was asked.
    pub(super) sold: Option<Vec<SeatId>>,
}

impl Service {
    /// Brings the inventory to the end of a PATCH, if its sender has not, and learns what the
    /// sender does not say.
    pub(super) async fn settle(
        &self,
        reservation: &Reservation,
        command: EndReservation,
        trace: &Trace,
    ) -> Result<Settled, Refusal> {
        let settled = command.inventory_settled;
        match command.end {
            End::Confirmed { order: Some(order), intent } if settled && !seats_may_differ(reservation) => {
                Ok(Settled { end: End::Confirmed { order: Some(order), intent }, sold: None })
            }
            End::Confirmed { order: _, intent } => {
                let committed = self.commit_seats(reservation, intent.clone(), trace).await?;
                let committed = committed.map_err(|no| refused(reservation, &no))?;
                Ok(Settled::sold(committed, intent))
            }
            end if settled => Ok(Settled { end, sold: None }),
            end => Ok(Settled { end: self.released(reservation, end, trace).await?, sold: None }),
        }
    }

    /// Releases the seats for an end, and gives the end that is true then.
    async fn released(&self, reservation: &Reservation, end: End, trace: &Trace) -> Result<End, Refusal> {
        let (cause, error_code) = match &end {
            End::Cancelled { reason, error_code } => {
                (CancelCause::from_reason(reason.as_deref()).release_cause(), error_code.clone())
            }
            End::Expired { error_code } => (ReleaseCause::Expired, error_code.clone()),
            End::Confirmed { .. } => return Ok(end),
        };
        match self.release_seats(reservation, cause, trace).await? {
            Ok(actual) if actual == cause => Ok(end),
            // The buyer's cancel is final: the inventory closes re-takes (rules R6).
            Ok(ReleaseCause::PaymentFailed) if cause == ReleaseCause::ByBuyer => Ok(end),
            Ok(actual) => Ok(End::after_release(actual, error_code)),
            Err(no) => Err(refused(reservation, &no)),
        }
    }

    /// Commits the seats of a reservation.
    pub(super) async fn commit_seats(
        &self,
        reservation: &Reservation,
        intent: Option<PaymentIntentId>,
        trace: &Trace,
    ) -> Result<Result<Committed, Rejection>, Refusal> {
        let command = CommitSeats {
            reservation: reservation.id.clone(),
            show: Some(reservation.show.clone()),
            seats: named(reservation),
            quantity: u32::try_from(reservation.seats.len()).ok(),
            intent,
            person: Some(reservation.person.clone()),
        };
        let cx = self.inventory_call(trace);
        self.ask(
            Peer::Inventory,
            self.inner.options.inventory_timeout,
            self.inner.inventory.commit(&cx, command),
        )
        .await
    }

    /// Releases the seats of a reservation and gives the cause of their release, now or before. A
    /// hold that the inventory does not know holds nothing.
    pub(super) async fn release_seats(
        &self,
        reservation: &Reservation,
        cause: ReleaseCause,
        trace: &Trace,
    ) -> Result<Result<ReleaseCause, Rejection>, Refusal> {
        let command = ReleaseSeats {
            reservation: reservation.id.clone(),
            show: Some(reservation.show.clone()),
            seats: named(reservation),
            quantity: u32::try_from(reservation.seats.len()).ok(),
            cause: Some(cause),
        };
        let cx = self.inventory_call(trace);
        let call = self.inner.inventory.release(&cx, command);
        Ok(match self.ask(Peer::Inventory, self.inner.options.inventory_timeout, call).await? {
            Ok(Released::Now { .. }) | Err(Rejection::NoSuchHold) => Ok(cause),
            Ok(Released::Before { cause, .. }) => Ok(cause),
            Err(no) => Err(no),
        })
    }
}

impl Settled {
    pub(super) fn sold(committed: Committed, intent: Option<PaymentIntentId>) -> Self {
        let sold = committed.seats.into_iter().map(|seat| seat.id).collect();
        Self { end: End::Confirmed { order: Some(committed.order), intent }, sold: Some(sold) }
    }
}

/// The seats to name in a command. Places of general admission are left out: after they were taken
/// again they are others, and the buyer asked only for their number.
fn named(reservation: &Reservation) -> Vec<SeatId> {
    if reservation.section.is_some() { Vec::new() } else { reservation.seats.clone() }
}

/// Whether a commit may have sold other places than the reservation has: always for general
/// admission. A hold that a failed payment has released long before its time may have been taken
/// again while the record is still HOLD. The inventory is asked then, even if the sender has
/// settled; the same commit again answers the sold places.
const fn seats_may_differ(reservation: &Reservation) -> bool {
    reservation.section.is_some()
}

pub(super) fn refused(reservation: &Reservation, no: &Rejection) -> Refusal {
    let state = (reservation.status, reservation.intent.clone());
    Refusal::not_moved(&reservation.id, state, no)
}

/// Texts of senders are kept for people; longer ones would only fill rows.
pub(super) fn short(text: Arc<str>) -> Arc<str> {
    const CHARS_MAX: usize = 128;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]).into(),
        None => text,
    }
}

/// An end with [`short`] texts.
pub(super) fn bounded(end: End) -> End {
    match end {
        End::Confirmed { .. } => end,
        End::Cancelled { reason, error_code } => {
            End::Cancelled { reason: reason.map(short), error_code: error_code.map(short) }
        }
        End::Expired { error_code } => End::Expired { error_code: error_code.map(short) },
    }
}
