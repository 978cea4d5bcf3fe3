//! PATCH: another service brings a reservation to its end.

use super::Service;
use super::settle::bounded;
use crate::refusal::Refusal;
use domain::reservation::{Decision, Reservation, apply};
use ports::Trace;
use ports::reservations::EndReservation;

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
            self.record(known, &settled.end, settled.sold.as_deref(), trace).await?
        } else {
            self.record(known, &command.end, None, trace).await?
        };
        if recorded.status == asked {
            Ok(recorded)
        } else {
            Err(Refusal::Illegal { current: recorded.status, intent: recorded.intent })
        }
    }
}
