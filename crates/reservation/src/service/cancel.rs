//! Cancel: the buyer returns the seats.

use super::Service;
use super::settle::refused;
use crate::refusal::Refusal;
use domain::hold::ReleaseCause;
use domain::id::{PersonId, ReservationId};
use domain::reservation::{End, Reservation, Status};
use ports::Trace;

impl Service {
    /// Cancels a reservation in HOLD. One that is CANCELLED already, for whatever reason, is
    /// answered as done. The inventory decides a race: if a commit or an expiry came first there,
    /// that end stands and the cancel is refused.
    pub async fn cancel(
        &self,
        id: &ReservationId,
        person: Option<&PersonId>,
        trace: &Trace,
    ) -> Result<Reservation, Refusal> {
        let known = self.get(id, person).await?;
        let reservation = &known.reservation;
        match reservation.status {
            Status::Cancelled => return Ok(known.reservation),
            Status::Confirmed => {
                return Err(Refusal::Illegal {
                    current: Status::Confirmed,
                    intent: reservation.intent.clone(),
                });
            }
            Status::Expired => return Err(Refusal::Expired { current: Status::Expired }),
            Status::Hold => {}
        }
        let released = self.release_seats(reservation, ReleaseCause::ByBuyer, trace).await?;
        let cause = released.map_err(|no| refused(reservation, &no))?;
        let recorded = self.record(known, &End::after_release(cause, None), None, trace).await?;
        match recorded.status {
            Status::Cancelled => Ok(recorded),
            current => Err(Refusal::Expired { current }),
        }
    }
}
