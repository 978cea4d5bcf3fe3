//! The port `Inventory`: every command is answered within the deadline, or with UNAVAILABLE.

use super::Service;
use async_trait::async_trait;
use domain::hold::{Rejection, Released};
use ports::inventory::{
    CommitSeats, Committed, Held, HoldSeats, PaymentRefused, RefusePayment, ReleaseSeats,
};
use ports::{CallContext, Fault, Inventory, PortError, probe};

#[async_trait]
impl Inventory for Service {
    async fn hold(&self, cx: &CallContext, command: HoldSeats) -> Result<Held, PortError<Rejection>> {
        self.within(cx, self.hold_seats(&command)).await
    }

    async fn commit(
        &self,
        cx: &CallContext,
        command: CommitSeats,
    ) -> Result<Committed, PortError<Rejection>> {
        self.within(cx, self.commit_seats(&command)).await
    }

    async fn release(
        &self,
        cx: &CallContext,
        command: ReleaseSeats,
    ) -> Result<Released, PortError<Rejection>> {
        self.within(cx, self.release_seats(&command)).await
    }

    async fn refuse(
        &self,
        cx: &CallContext,
        command: RefusePayment,
    ) -> Result<PaymentRefused, PortError<Rejection>> {
        self.within(cx, self.refuse_payment(&command)).await
    }
}

impl Service {
    async fn within<T>(
        &self,
        cx: &CallContext,
        work: impl Future<Output = Result<T, PortError<Rejection>>> + Send,
    ) -> Result<T, PortError<Rejection>> {
        let own = self.inner.options.deadline;
        let deadline = cx.timeout.map_or(own, |timeout| timeout.min(own));
        match ports::clock::timeout(&*self.inner.clock, deadline, work).await {
            Ok(answer) => {
                if let Err(PortError::Rejected(rejection)) = &answer {
                    probe::hit_variant("rejection", rejection);
                }
                answer
            }
            Err(_) => Err(Fault::unavailable(format!("no decision within {deadline:?}")).into()),
        }
    }
}
