//! Bodies of payment-sim-api's administration (`docs/contracts.md#payment-sim-api`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /admin/payments/{id}`: the payment of an intent, or the payments for a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payments {
    /// Newest first.
    pub payments: Vec<Payment>,
}

/// A payment with everything that its provider stores of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// The payment.
    pub payment_intent_id: String,
    /// The reservation that it pays for.
    pub reservation_id: String,
    /// The payer.
    pub user_id: Option<String>,
    /// `PENDING`, `AUTHORIZED`, `CAPTURED`, `FAILED`, `VOIDED` or `REFUNDED`.
    pub status: String,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// Minor units given back.
    pub refunded: u64,
    /// The provider's code of a decline.
    pub error_code: Option<String>,
    /// How the simulated provider decides about it.
    pub scenario: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// RFC 3339: when the provider decided.
    pub decided_at: Option<String>,
    /// RFC 3339: when its scheduled outcome is due.
    pub scheduled_at: Option<String>,
    /// The scheduled outcome: `approved` or `failed`.
    pub scheduled: Option<String>,
    /// The trace of the last request to the provider.
    pub trace_id: Option<String>,
    /// The money given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<Refund>,
    /// Its webhooks.
    pub webhooks: Vec<Webhook>,
}

/// The refund of a [`Payment`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refund {
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// The reason, as the caller gave it.
    pub reason: String,
    /// RFC 3339.
    pub refunded_at: String,
}

/// A webhook of a [`Payment`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// The id, the same at every attempt.
    pub webhook_id: String,
    /// `PENDING`, `DELIVERED` or `GIVEN_UP`.
    pub delivery: String,
    /// Attempts so far.
    pub attempts: u32,
    /// RFC 3339: when the next attempt is due, or when the last one was.
    pub due_at: String,
    /// The error of the last failed attempt.
    pub last_error: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}
