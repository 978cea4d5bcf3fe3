//! Cancel: the buyer returns the seats, for good (rules R6).

use super::Service;
use super::settle::refused;
use crate::refusal::Refusal;
use domain::hold::ReleaseCause;
use domain::id::{PersonId, ReservationId};
use domain::reservation::{Reservation, Status, cancel};
use ports::Trace;

impl Service {
    /// Cancels a reservation and gives it as it is then: CANCELLED, or EXPIRED if its time had run
    /// out before. Whatever ended it before, no later payment confirms it (rules R6). The same
    /// cancel again gives the same answer.
    ///
    /// # Errors
    /// A refusal with the status 409 if the seats are sold. The inventory decides a race with a
    /// commit.
    pub async fn cancel(
        &self,
        id: &ReservationId,
        person: Option<&PersonId>,
        trace: &Trace,
    ) -> Result<Reservation, Refusal> {
        let known = self.get(id, person).await?;
        let reservation = &known.reservation;
        if reservation.status == Status::Confirmed {
            let intent = reservation.intent.clone();
            return Err(Refusal::Illegal { current: Status::Confirmed, intent });
        }
        if reservation.is_cancelled_by_buyer() {
            return Ok(known.reservation);
        }
        // Also for a reservation that has ended: the inventory closes re-takes.
        let released = self.release_seats(reservation, ReleaseCause::ByBuyer, trace).await?;
        let cause = released.map_err(|no| refused(reservation, &no))?;
        let decide = |before: &Reservation, now| cancel(before, cause, now);
        self.record(known, decide, None, trace).await
    }
}
