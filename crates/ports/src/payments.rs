//! The payment provider as reservation-api and the worker see it.

use crate::fault::PortError;
use crate::trace::CallContext;
use async_trait::async_trait;
use domain::id::{PaymentIntentId, PersonId, ReservationId};
use domain::money::Money;
use domain::payment::Status;
use std::sync::Arc;

/// The payment provider.
///
/// `cancel` voids what is not captured and refunds what is. It is keyed: the same intent again refunds nothing more
/// (invariant M3) and gives the same answer.
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
}

/// Give the money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelPayment {
    /// Which payment.
    pub intent: PaymentIntentId,
    /// Why, for people.
    pub reason: Arc<str>,
    /// The key under which it happens once.
    pub idempotency_key: Arc<str>,
}

/// What is known of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// Which.
    pub intent: PaymentIntentId,
    /// What it pays for.
    pub reservation: ReservationId,
    /// Who pays.
    pub person: Option<PersonId>,
    /// Where it stands.
    pub status: Status,
    /// The price.
    pub amount: Option<Money>,
}

/// The answer to `cancel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// VOIDED, REFUNDED, or FAILED if there was nothing to give back.
    pub status: Status,
    /// Minor units given back.
    pub refunded: u64,
}

/// Why the provider says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentRejection {
    /// No payment of that id.
    NoSuchPayment,
    /// The payment's state does not allow it; the words of the provider.
    Refused(String),
}
