//! Payments: open, decide and read.

use super::schema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /payment/intent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IntentRequest, description = "What to pay.")]
pub struct Intent {
    /// The reservation.
    #[schema(value_type = schema::Id)]
    pub reservation_id: String,
    /// Its `total_amount`, in minor units.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub amount: i64,
    /// That of the reservation.
    #[serde(default)]
    #[schema(value_type = schema::Currency, default = json!("KRW"), required = false)]
    pub currency: Option<String>,
    /// How the simulated provider decides when it is asked to decide by itself. `DELAY` approves
    /// late, `TIMEOUT` does not decide.
    #[serde(default)]
    #[schema(value_type = schema::Scenario, inline, default = json!("APPROVE"), required = false)]
    pub scenario: Option<String>,
}

/// The answer to [`Intent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Intent, description = "An open payment.")]
pub struct IntentMade {
    /// The payment.
    #[schema(value_type = schema::Id)]
    pub payment_intent_id: String,
    /// Not decided.
    #[schema(value_type = schema::Pending, inline)]
    pub status: String,
    /// The outcome reaches the reservation by itself.
    #[schema(value_type = schema::Webhook, inline)]
    pub next: String,
}

/// `POST /payment/process`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProcessRequest, description = "What to do with a payment.")]
pub struct Process {
    /// The payment.
    #[schema(value_type = schema::Id)]
    pub payment_intent_id: String,
    /// `approve` pays as the scenario says, `fail` makes it fail.
    #[schema(value_type = schema::Action, inline)]
    pub action: String,
}

/// The answer of `GET /payment/{id}/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A payment.")]
pub struct Payment {
    /// The payment.
    #[schema(value_type = schema::Id)]
    pub payment_intent_id: String,
    /// `PENDING`, `PROCESSING`, `COMPLETED`, `FAILED`, `CANCELLED`, `REFUNDED` or `EXPIRED`.
    #[schema(value_type = schema::PaymentStatus)]
    pub status: String,
    /// In minor units.
    #[schema(minimum = 1)]
    pub amount: i64,
    /// ISO 4217.
    #[schema(value_type = schema::Currency)]
    pub currency: String,
    /// What it pays for.
    #[schema(value_type = schema::Id)]
    pub reservation_id: String,
}

/// The answer to [`Process`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProcessAnswer, description = "How the payment stands now.")]
pub struct Processed {
    /// The payment's status.
    #[schema(value_type = schema::PaymentStatus)]
    pub status: String,
}
