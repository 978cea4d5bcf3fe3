//! The payment webhook: the body that payment-sim-api posts and reservation-api receives
//! (`docs/contracts.md#payment-sim-api`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Name of the header with the webhook's id, the same at every attempt.
pub const ID_HEADER: &str = "x-webhook-id";
/// Name of the header with the time of the attempt, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "x-webhook-timestamp";
/// Name of the header with the signature, `sha256=<hex>`.
pub const SIGNATURE_HEADER: &str = "x-webhook-signature";

/// `POST /internal/payment/webhook`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentWebhook {
    /// `payment.approved` or `payment.failed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reservation that it pays for.
    pub reservation_id: String,
    /// The payment.
    pub payment_intent_id: String,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// The provider's code of a decline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// When the provider decided.
    pub ts: Moment,
}

/// A time as providers write it: RFC 3339, or a number of seconds or milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Moment {
    /// RFC 3339; what payment-sim-api writes.
    Text(String),
    /// Seconds, or milliseconds if it is at least 10^11.
    Number(u64),
}

/// The answer of the receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Received {
    /// Always true.
    pub received: bool,
}

impl Moment {
    /// The point in time; `None` if the text is not a time.
    pub fn read(&self) -> Option<domain::time::Timestamp> {
        match self {
            Self::Text(text) => crate::time::parse_rfc3339(text),
            Self::Number(number) => Some(crate::webhook_signature::unix_time(*number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_round_trips() {
        let text = r#"{"type":"payment.approved","reservation_id":"rsv_1","payment_intent_id":"pay_1","amount":120000,"currency":"KRW","ts":"2025-01-23T10:00:00.000Z"}"#;
        let webhook: PaymentWebhook = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&webhook).unwrap(), text);
        assert_eq!(webhook.ts.read().unwrap().as_millis(), 1_737_626_400_000);
        for number in [1_737_626_400, 1_737_626_400_000] {
            assert_eq!(Moment::Number(number).read().unwrap().as_millis(), 1_737_626_400_000);
        }
    }

    #[test]
    fn a_webhook_with_an_unknown_field_or_a_negative_amount_is_refused() {
        for bad in [
            r#"{"type":"payment.approved","reservation_id":"r","payment_intent_id":"p","amount":-1,"currency":"KRW","ts":1}"#,
            r#"{"type":"payment.approved","reservation_id":"r","payment_intent_id":"p","amount":1,"currency":"KRW","ts":1,"x":1}"#,
            r#"{"type":"payment.approved","reservation_id":"r","amount":1,"currency":"KRW","ts":1}"#,
        ] {
            assert!(serde_json::from_str::<PaymentWebhook>(bad).is_err(), "{bad}");
        }
    }
}
