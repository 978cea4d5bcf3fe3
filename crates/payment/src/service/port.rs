//! Implements the port that the service's peers use.

use super::Service;
use async_trait::async_trait;
use domain::id::PaymentIntentId;
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView};
use ports::{CallContext, Payments, PortError};

#[async_trait]
impl Payments for Service {
    async fn get(
        &self,
        _cx: &CallContext,
        intent: &PaymentIntentId,
    ) -> Result<PaymentView, PortError<PaymentRejection>> {
        let payment = Self::get(self, intent).await?.payment;
        Ok(PaymentView {
            intent: payment.intent,
            reservation: payment.reservation,
            person: payment.person,
            status: payment.status,
            amount: Some(payment.amount),
            refunded: payment.refunded,
        })
    }

    async fn cancel(
        &self,
        _cx: &CallContext,
        command: CancelPayment,
    ) -> Result<Cancelled, PortError<PaymentRejection>> {
        Ok(self.cancel_payment(&command, None).await?.cancelled)
    }
}
