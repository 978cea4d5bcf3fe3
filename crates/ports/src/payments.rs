//! The payment provider as reservation-api and the worker see it.

use crate::fault::{Fault, PortError};
use crate::trace::CallContext;
use async_trait::async_trait;
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::money::Money;
use domain::payment::Status;
use std::sync::Arc;

/// The payment provider.
///
/// `cancel` voids an authorized payment and refunds a captured one. It has a key: the same intent
/// again refunds nothing more (invariant M3) and gives the same answer.
#[async_trait]
pub trait Payments: Send + Sync + 'static {
    /// Reads a payment.
    async fn get(
        &self,
        cx: &CallContext,
        intent: &PaymentIntentId,
    ) -> Result<PaymentView, PortError<PaymentRejection>>;
    /// Voids or refunds a payment, in full.
    async fn cancel(
        &self,
        cx: &CallContext,
        command: CancelPayment,
    ) -> Result<Cancelled, PortError<PaymentRejection>>;
    /// Whether the peer says that it can serve. A port within one process always can.
    async fn health(&self, _cx: &CallContext) -> Result<(), Fault> {
        Ok(())
    }
}

/// Gives the money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelPayment {
    /// The payment.
    pub intent: PaymentIntentId,
    /// The reason, for people.
    pub reason: Arc<str>,
    /// The idempotency key: one refund per key.
    pub idempotency_key: Arc<str>,
}

/// What the provider knows of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// The payment.
    pub intent: PaymentIntentId,
    /// The reservation that it pays for.
    pub reservation: ReservationId,
    /// The person who pays.
    pub person: Option<PersonId>,
    /// The state of the payment.
    pub status: Status,
    /// The price.
    pub amount: Option<Money>,
    /// Given back so far, in minor units. A provider that does not say: everything if the payment
    /// is refunded, else nothing.
    pub refunded: u64,
}

/// The answer to `cancel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// VOIDED, REFUNDED, or FAILED if there was nothing to give back.
    pub status: Status,
    /// Minor units given back.
    pub refunded: u64,
}

/// Why the provider refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentRejection {
    /// No payment has that id.
    NoSuchPayment,
    /// The payment's state does not allow it; the text is the provider's.
    Refused(String),
}
