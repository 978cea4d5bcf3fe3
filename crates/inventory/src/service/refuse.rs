//! `refuse`: announces the refund of a payment, so that it cannot buy the seats any more (rules
//! R2). It competes with `commit` for the row of the first hold.

use super::{Service, contended, rejected};
use domain::hold::{self, RefuseDecision, Rejection};
use domain::limits::CONFLICT_RETRIES_MAX;
use ports::inventory::{PaymentRefused, RefusePayment};
use ports::{PortError, probe};

impl Service {
    pub(super) async fn refuse_payment(
        &self,
        command: &RefusePayment,
    ) -> Result<PaymentRefused, PortError<Rejection>> {
        for attempt in 0..=CONFLICT_RETRIES_MAX {
            let (first, retake) = self.holds(&command.reservation).await?;
            let (first_hold, retake_hold) =
                (first.as_ref().map(|s| &s.hold), retake.as_ref().map(|s| &s.hold));
            let decision = hold::refuse(first_hold, retake_hold, &command.intent);
            probe::hit_variant("refuse", &decision);
            let hold = match decision {
                RefuseDecision::NoHold => return Ok(PaymentRefused::NoHold),
                RefuseDecision::Before => return Ok(PaymentRefused::Recorded),
                RefuseDecision::Reject(rejection) => return rejected(rejection),
                RefuseDecision::Record(hold) => hold,
            };
            let version = first.map_or(0, |stored| stored.version);
            let stored = match retake {
                // Sold by a re-take already, to another payment: that does not change.
                Some(_) => self.write_hold(&hold, version, &[]).await?,
                None => self.write_unsold(hold, version).await?,
            };
            if stored {
                return Ok(PaymentRefused::Recorded);
            }
            if attempt > 0 {
                self.step_aside(attempt).await;
            }
        }
        Err(contended().into())
    }
}
