//! The payment provider and the waiting room, as small as they can be. The provider passes the
//! suite of its port ([`crate::fakes`]).

use crate::inventory::PRICE;
use async_trait::async_trait;
use domain::id::{PaymentIntentId, ReservationId, ShowId};
use domain::money::{Currency, Money};
use domain::payment::{Command, Decision, Payment, Status, decide};
use domain::time::Timestamp;
use ports::admissions::NoSuchShow;
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView};
use ports::{Admissions, CallContext, Fault, Payments, PortError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use testkit::Fuse;

/// Payments by intent.
pub(crate) struct FakePayments {
    fuse: Arc<Fuse>,
    payments: Mutex<BTreeMap<PaymentIntentId, Payment>>,
    cancels: Mutex<Vec<Cancel>>,
}

/// A call of `cancel`, with the amount that it gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cancel {
    pub(crate) intent: PaymentIntentId,
    pub(crate) refund: Option<u64>,
}

impl FakePayments {
    pub(crate) fn new(fuse: Arc<Fuse>) -> Self {
        Self { fuse, payments: Mutex::default(), cancels: Mutex::default() }
    }

    /// Stores a payment for two seats, the number of most reservations here.
    pub(crate) fn put(&self, intent: &str, reservation: &ReservationId, status: Status) -> PaymentIntentId {
        self.put_with(intent, reservation, status, Money { amount: 2 * PRICE, currency: Currency::krw() })
    }

    /// Stores a payment of this amount.
    pub(crate) fn put_with(
        &self,
        intent: &str,
        reservation: &ReservationId,
        status: Status,
        amount: Money,
    ) -> PaymentIntentId {
        let intent = PaymentIntentId::parse(intent).unwrap();
        let payment = Payment {
            intent: intent.clone(),
            reservation: reservation.clone(),
            person: None,
            amount,
            status,
            refunded: 0,
            error_code: None,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        };
        self.payments.lock().unwrap().insert(intent.clone(), payment);
        intent
    }

    /// Stores a captured payment for two seats of which this much was refunded.
    pub(crate) fn put_refunded(&self, intent: &str, reservation: &ReservationId, refunded: u64) {
        let intent = self.put(intent, reservation, Status::Captured);
        let mut payments = self.payments.lock().unwrap();
        payments.get_mut(&intent).unwrap().refunded = refunded;
    }

    /// Every call of `cancel` for a known payment, in order.
    pub(crate) fn cancels(&self) -> Vec<Cancel> {
        self.cancels.lock().unwrap().clone()
    }
}

#[async_trait]
impl Payments for FakePayments {
    async fn get(
        &self,
        _cx: &CallContext,
        intent: &PaymentIntentId,
    ) -> Result<PaymentView, PortError<PaymentRejection>> {
        let read = async {
            let payments = self.payments.lock().unwrap();
            let payment =
                payments.get(intent).cloned().ok_or(PortError::Rejected(PaymentRejection::NoSuchPayment))?;
            Ok(PaymentView {
                intent: payment.intent,
                reservation: payment.reservation,
                person: payment.person,
                status: payment.status,
                amount: Some(payment.amount),
                refunded: payment.refunded,
            })
        };
        self.fuse.pass(read, || Err(Fault::unavailable("the provider does not answer").into())).await
    }

    async fn cancel(
        &self,
        _cx: &CallContext,
        command: CancelPayment,
    ) -> Result<Cancelled, PortError<PaymentRejection>> {
        let mut payments = self.payments.lock().unwrap();
        let payment =
            payments.get_mut(&command.intent).ok_or(PortError::Rejected(PaymentRejection::NoSuchPayment))?;
        let decision = decide(payment, &Command::Cancel { amount: None }, Timestamp::EPOCH)
            .map_err(|why| PortError::Rejected(PaymentRejection::Refused(why.to_string())))?;
        let mut refund = None;
        if let Decision::Change { payment: changed, refund: given_back } = decision {
            (*payment, refund) = (changed, given_back);
        }
        self.cancels.lock().unwrap().push(Cancel { intent: command.intent, refund });
        Ok(Cancelled { status: payment.status, refunded: payment.refunded })
    }
}

/// Shows that require a pass; nothing else is known about shows here.
#[derive(Default)]
pub(crate) struct FakeAdmissions {
    with_pass: Mutex<Vec<ShowId>>,
}

impl FakeAdmissions {
    pub(crate) fn require_pass(&self, show: &str) {
        self.with_pass.lock().unwrap().push(ShowId::parse(show).unwrap());
    }
}

#[async_trait]
impl Admissions for FakeAdmissions {
    async fn requires_pass(&self, _: &CallContext, show: &ShowId) -> Result<bool, PortError<NoSuchShow>> {
        Ok(self.with_pass.lock().unwrap().contains(show))
    }
}
