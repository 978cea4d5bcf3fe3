//! The payment provider and the waiting room, as small as they can be.

use async_trait::async_trait;
use domain::id::{PaymentIntentId, ReservationId, ShowId};
use domain::payment::Status;
use ports::admissions::NoSuchShow;
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView};
use ports::{Admissions, CallContext, Fault, Payments, PortError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use testkit::Fuse;

/// Payments by intent.
pub(crate) struct Till {
    pub(crate) fuse: Arc<Fuse>,
    payments: Mutex<BTreeMap<PaymentIntentId, (ReservationId, Status)>>,
}

impl Till {
    pub(crate) fn new(fuse: Arc<Fuse>) -> Self {
        Self { fuse, payments: Mutex::default() }
    }

    pub(crate) fn put(&self, intent: &str, reservation: &ReservationId, status: Status) -> PaymentIntentId {
        let intent = PaymentIntentId::parse(intent).unwrap();
        self.payments.lock().unwrap().insert(intent.clone(), (reservation.clone(), status));
        intent
    }
}

#[async_trait]
impl Payments for Till {
    async fn get(
        &self,
        _cx: &CallContext,
        intent: &PaymentIntentId,
    ) -> Result<PaymentView, PortError<PaymentRejection>> {
        let read = async {
            let payments = self.payments.lock().unwrap();
            let (reservation, status) =
                payments.get(intent).cloned().ok_or(PortError::Rejected(PaymentRejection::NoSuchPayment))?;
            Ok(PaymentView { intent: intent.clone(), reservation, person: None, status, amount: None })
        };
        self.fuse.pass(read, || Err(Fault::unavailable("the till does not answer").into())).await
    }

    async fn cancel(
        &self,
        _cx: &CallContext,
        command: CancelPayment,
    ) -> Result<Cancelled, PortError<PaymentRejection>> {
        panic!("this service gives no money back, and asked for {command:?}");
    }
}

/// Shows that require a pass; nothing else is known about shows here.
#[derive(Default)]
pub(crate) struct Doors {
    closed: Mutex<Vec<ShowId>>,
}

impl Doors {
    pub(crate) fn close(&self, show: &str) {
        self.closed.lock().unwrap().push(ShowId::parse(show).unwrap());
    }
}

#[async_trait]
impl Admissions for Doors {
    async fn requires_pass(&self, _: &CallContext, show: &ShowId) -> Result<bool, PortError<NoSuchShow>> {
        Ok(self.closed.lock().unwrap().contains(show))
    }
}
