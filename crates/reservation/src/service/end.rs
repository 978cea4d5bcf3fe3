//! PATCH: another service brings a reservation to its end, or records why a payment did not pay.

use super::Service;
use super::settle::{bounded, short};
use crate::refusal::Refusal;
use domain::id::ReservationId;
use domain::reservation::{Decision, End, Reservation, apply, record_error_code};
use domain::time::Timestamp;
use ports::Trace;
use ports::reservations::EndReservation;
use std::sync::Arc;

impl Service {
    /// Brings a reservation to an end, and the inventory before it where the sender has not done so
    /// (trap T-S3). The same end again gives the reservation as it was recorded. Where the
    /// inventory had come to another end, that one is recorded and the refusal reports it.
    pub async fn end(&self, command: EndReservation, trace: &Trace) -> Result<Reservation, Refusal> {
        let command = EndReservation { end: bounded(command.end), ..command };
        let known = self.get(&command.id, None).await?;
        let reservation = &known.reservation;
        let asked = command.end.status();
        // An end that is refused, or done, or only adds a reason, moves no seats.
        let moves = match apply(reservation, command.end.clone(), self.inner.clock.now()) {
            Decision::Changed(next) => next.status != reservation.status,
            Decision::Same => return Ok(known.reservation),
            Decision::Refused { current } => {
                return Err(Refusal::Illegal { current, intent: reservation.intent.clone() });
            }
        };
        let recorded = if moves {
            let settled = self.settle(reservation, command, trace).await?;
            self.record(known, ends(&settled.end), settled.sold.as_deref(), trace).await?
        } else {
            self.record(known, ends(&command.end), None, trace).await?
        };
        if recorded.status == asked {
            Ok(recorded)
        } else {
            Err(Refusal::Illegal { current: recorded.status, intent: recorded.intent })
        }
    }

    /// Records an error code on a reservation in HOLD that has none yet, and gives the reservation
    /// (rules R1). It stays in HOLD, so that its buyer can pay correctly. One that has ended stays
    /// as it is.
    pub async fn record_error_code(
        &self,
        id: &ReservationId,
        error_code: Arc<str>,
        trace: &Trace,
    ) -> Result<Reservation, Refusal> {
        let known = self.get(id, None).await?;
        let error_code = short(error_code);
        let decide = |before: &Reservation, now| record_error_code(before, error_code.clone(), now);
        self.record(known, decide, None, trace).await
    }
}

/// The decision on an end, for [`Service::record`].
pub(super) fn ends(end: &End) -> impl Fn(&Reservation, Timestamp) -> Decision + Send + Sync {
    move |before, now| apply(before, end.clone(), now)
}
