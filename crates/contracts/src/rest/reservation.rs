//! Bodies of reservation-api (`docs/contracts.md#reservation-api`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /v1/reservations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// The show.
    pub event_id: String,
    /// The seats by name; left out for general admission.
    #[serde(default)]
    pub seat_ids: Vec<String>,
    /// How many; left out = as many as `seat_ids`. Signed, so that −1 gets a proper error message.
    #[serde(default)]
    pub quantity: Option<i64>,
    /// The section of unnamed seats; may be left out if the show has one.
    #[serde(default)]
    pub section: Option<String>,
    /// The buyer.
    pub user_id: String,
    /// The pass of the waiting room; left out or "" = none.
    #[serde(default)]
    pub reservation_token: Option<String>,
}

/// The answer to [`Create`], status 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Created {
    /// The new reservation.
    pub reservation_id: String,
    /// `HOLD`.
    pub status: String,
    /// The show.
    pub event_id: String,
    /// The seats, including those that the service picked.
    pub seat_ids: Vec<String>,
    /// How many.
    pub quantity: u32,
    /// RFC 3339.
    pub hold_expires_at: String,
    /// Minor units.
    pub total_amount: u64,
    /// ISO 4217.
    pub currency: String,
}

/// `POST /v1/reservations/{id}/confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The payment; left out for a reservation that costs nothing.
    #[serde(default)]
    pub payment_intent_id: Option<String>,
}

/// The answer to [`Confirm`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Confirmed {
    /// The order.
    pub order_id: String,
    /// `CONFIRMED`.
    pub status: String,
}

/// `POST /v1/reservations/{id}/cancel`; the body may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Why, for people.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The answer to [`Cancel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusOnly {
    /// `CANCELLED`, or `EXPIRED` if its time had run out before.
    pub status: String,
}

/// `PATCH /internal/reservations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// `CONFIRMED`, `CANCELLED` or `EXPIRED`; left out or "" to record only an `error_code` while
    /// the seats are held.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// The order, with `CONFIRMED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The payment that paid, with `CONFIRMED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent_id: Option<String>,
    /// Why, with `CANCELLED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<String>,
    /// The provider's code of a failed payment, why a late one was given back, or why a payment did
    /// not pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// True if the sender has already brought the inventory to this end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory_settled: Option<bool>,
}

/// A reservation as its service returns it: `GET` and `PATCH /internal/reservations/{id}`, `GET
/// /v1/reservations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// The reservation.
    pub reservation_id: String,
    /// The show.
    pub event_id: String,
    /// The buyer.
    pub user_id: String,
    /// `HOLD`, `CONFIRMED`, `CANCELLED` or `EXPIRED`.
    pub status: String,
    /// The seats.
    pub seat_ids: Vec<String>,
    /// How many.
    pub quantity: u32,
    /// Minor units, all seats together.
    pub total_price: u64,
    /// ISO 4217.
    pub currency: String,
    /// RFC 3339.
    pub hold_expires_at: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// The section, if it was reserved as general admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The order, once confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The payment that confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent_id: Option<String>,
    /// Why it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<String>,
    /// The provider's code of a failed payment, or why a late one was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
}

/// A reservation as a client reads it, from a service of any version. A field of another type than
/// ours counts as missing; the client looks a missing field up or does without it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Seen {
    /// The reservation.
    #[serde(default, deserialize_with = "lenient")]
    pub reservation_id: Option<String>,
    /// The show.
    #[serde(default, deserialize_with = "lenient")]
    pub event_id: Option<String>,
    /// The buyer.
    #[serde(default, deserialize_with = "lenient")]
    pub user_id: Option<String>,
    /// The status.
    #[serde(default, deserialize_with = "lenient")]
    pub status: Option<String>,
    /// The seats.
    #[serde(default, deserialize_with = "lenient")]
    pub seat_ids: Option<Vec<String>>,
    /// How many; earlier services call it `qty`.
    #[serde(default, alias = "qty", deserialize_with = "lenient")]
    pub quantity: Option<u32>,
    /// The order.
    #[serde(default, deserialize_with = "lenient")]
    pub order_id: Option<String>,
    /// The payment that confirmed it.
    #[serde(default, deserialize_with = "lenient")]
    pub payment_intent_id: Option<String>,
    /// Minor units, all seats together.
    #[serde(default, deserialize_with = "lenient")]
    pub total_price: Option<u64>,
    /// ISO 4217.
    #[serde(default, deserialize_with = "lenient")]
    pub currency: Option<String>,
    /// What earlier services send instead of `total_price`.
    #[serde(default, deserialize_with = "lenient")]
    pub total_amount: Option<Amount>,
}

/// An amount in an answer of an earlier service: a number beside the reservation's `currency`, or
/// an object with both.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// Minor units.
    Number(u64),
    /// Minor units with their currency.
    Money {
        /// Minor units.
        amount: u64,
        /// ISO 4217; missing or "" = the reservation's.
        #[serde(default)]
        currency: Option<String>,
    },
}

/// The body of a 409: the usual error and, for clients that do not read `details`, the
/// reservation's present state beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Illegal {
    /// The error.
    pub error: crate::error::ErrorBodyInner,
    /// The reservation's present status.
    pub status: String,
    /// The payment that confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent_id: Option<String>,
}

/// Reads a value of the right type, and `None` for any other, so that one odd field does not spoil
/// the whole answer.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_refuse_unknown_and_badly_typed_fields() {
        let read = |text: &str| serde_json::from_str::<Create>(text).map_err(|why| why.to_string());
        let create = read(r#"{"event_id":"e","user_id":"u","seat_ids":["A-1"]}"#).unwrap();
        assert_eq!((create.quantity, create.section, create.reservation_token), (None, None, None));
        assert!(read(r#"{"event_id":"e","user_id":"u","quantity":null,"section":null}"#).is_ok());
        assert_eq!(read(r#"{"event_id":"e","user_id":"u","quantity":-1}"#).unwrap().quantity, Some(-1));
        for bad in [
            r#"{"user_id":"u"}"#,
            r#"{"event_id":"e","user_id":"u","seats":[]}"#,
            r#"{"event_id":"e","user_id":"u","quantity":"2"}"#,
            r#"{"event_id":"e","user_id":"u","quantity":2.5}"#,
            r#"{"event_id":"e","user_id":"u","seat_ids":[1]}"#,
            r#"{"event_id":"e","event_id":"f","user_id":"u"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Patch>(r#"{"status":"CONFIRMED","settled":true}"#).is_err());
        assert!(
            serde_json::from_str::<Patch>(r#"{"status":"CONFIRMED","inventory_settled":"yes"}"#).is_err()
        );
        assert!(serde_json::from_str::<Confirm>("{}").is_ok());
    }

    #[test]
    fn a_client_reads_what_it_can_of_any_answer() {
        let seen: Seen = serde_json::from_str(
            r#"{"reservation_id":"r","status":7,"qty":2,"seat_ids":null,"event_id":{"id":"x"},"new":[1]}"#,
        )
        .unwrap();
        let expected = Seen { reservation_id: Some("r".into()), quantity: Some(2), ..Seen::default() };
        assert_eq!(seen, expected);
        let amount = |text: &str| serde_json::from_str::<Seen>(text).unwrap().total_amount;
        assert_eq!(amount(r#"{"total_amount":7}"#), Some(Amount::Number(7)));
        let money = Amount::Money { amount: 7, currency: Some("KRW".into()) };
        assert_eq!(amount(r#"{"total_amount":{"amount":7,"currency":"KRW","scale":0}}"#), Some(money));
        for odd in [r#"{"total_amount":"7"}"#, r#"{"total_amount":-1}"#, r#"{"total_amount":[7]}"#, "{}"] {
            assert_eq!(amount(odd), None, "{odd}");
        }
        assert_eq!(serde_json::from_str::<Seen>("{}").unwrap(), Seen::default());
    }
}
