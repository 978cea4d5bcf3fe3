//! [`ports::Payments`] over gRPC.

use crate::grpc::{Method, Pool};
use crate::options::{InvalidPeer, PeerOptions};
use async_trait::async_trait;
use contracts::payment::v1::GetPaymentStatusRequest;
use contracts::payment::v1::payment_service_client::PaymentServiceClient as Rpc;
use contracts::payment_wire as wire;
use domain::id::PaymentIntentId;
use ports::payments::{CancelPayment, Cancelled, PaymentRejection, PaymentView, Payments};
use ports::{CallContext, Clock, Fault, PortError};
use std::sync::Arc;

/// A client of the payment provider.
pub struct PaymentsClient {
    pool: Pool,
}

impl PaymentsClient {
    /// A client of the provider at `address` (`host:port` or a URL).
    pub fn new(address: &str, options: PeerOptions, clock: Arc<dyn Clock>) -> Result<Self, InvalidPeer> {
        Ok(Self { pool: Pool::new("payment", address, options, clock)? })
    }
}

#[async_trait]
impl Payments for PaymentsClient {
    async fn get(
        &self,
        cx: &CallContext,
        intent: &PaymentIntentId,
    ) -> Result<PaymentView, PortError<PaymentRejection>> {
        let max = self.pool.answer_bytes_max();
        let message =
            GetPaymentStatusRequest { payment_intent_id: intent.as_str().to_owned(), user_id: String::new() };
        self.pool
            .ask(
                cx,
                Method::first("GetPaymentStatus"),
                message,
                |connection, request| async move {
                    Rpc::new(connection).max_decoding_message_size(max).get_payment_status(request).await
                },
                wire::view_from_proto,
                wire::rejection_from_error,
            )
            .await
    }

    async fn cancel(
        &self,
        cx: &CallContext,
        command: CancelPayment,
    ) -> Result<Cancelled, PortError<PaymentRejection>> {
        let max = self.pool.answer_bytes_max();
        self.pool
            .ask(
                cx,
                Method::added("CancelPayment"),
                wire::cancel_to_proto(&command),
                |connection, request| async move {
                    Rpc::new(connection).max_decoding_message_size(max).cancel_payment(request).await
                },
                wire::cancelled_from_proto,
                wire::rejection_from_error,
            )
            .await
    }

    async fn health(&self, cx: &CallContext) -> Result<(), Fault> {
        self.pool.health(cx).await
    }
}
