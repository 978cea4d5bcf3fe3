//! Reservations: hold, read, confirm and cancel.

use super::schema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /reservations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateRequest, description = "Which seats. Either `seat_ids`, or `quantity` with the `section`.")]
pub struct Reserve {
    /// The show.
    #[schema(value_type = schema::Id)]
    pub event_id: String,
    /// The seats by name. Leave it out to get any that are free.
    #[serde(default)]
    #[schema(value_type = Vec<schema::Id>, max_items = 10, required = false)]
    pub seat_ids: Vec<String>,
    /// How many. With `seat_ids`, leave it out or let it be their number.
    #[serde(default)]
    #[schema(value_type = i64, minimum = 1, maximum = 10, required = false)]
    pub quantity: Option<i64>,
    /// Where, if you name no seats. It may be left out if the show has one section.
    #[serde(default)]
    #[schema(value_type = schema::Id, required = false)]
    pub section: Option<String>,
    /// The pass of `queue/enter`. Left out or empty: none.
    #[serde(default)]
    #[schema(value_type = String, max_length = 4096, pattern = "^[!-~]*$", required = false)]
    pub reservation_token: Option<String>,
}

/// The answer to [`Reserve`], status 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Created, description = "Seats held for you.")]
pub struct Reserved {
    /// The reservation.
    #[schema(value_type = schema::Id)]
    pub reservation_id: String,
    /// Held, not paid.
    #[schema(value_type = schema::Held, inline)]
    pub status: String,
    /// The show.
    #[schema(value_type = schema::Id)]
    pub event_id: String,
    /// The seats, also those that were picked for you.
    #[schema(value_type = Vec<schema::Id>, min_items = 1, max_items = 10)]
    pub seat_ids: Vec<String>,
    /// How many.
    #[schema(minimum = 1, maximum = 10)]
    pub quantity: u64,
    /// The seats are held until then.
    #[schema(format = DateTime)]
    pub hold_expires_at: String,
    /// The same as a number of milliseconds from now, for clocks that are wrong. 0 when it is over.
    pub hold_expires_in_ms: u64,
    /// What to pay, in minor units.
    #[schema(minimum = 0)]
    pub total_amount: i64,
    /// ISO 4217.
    #[schema(value_type = schema::Currency)]
    pub currency: String,
}

/// The answer of `GET /reservations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A reservation.")]
pub struct Reservation {
    /// The reservation.
    #[schema(value_type = schema::Id)]
    pub reservation_id: String,
    /// The show.
    #[schema(value_type = schema::Id)]
    pub event_id: String,
    /// Whose it is.
    #[schema(value_type = schema::Id)]
    pub user_id: String,
    /// `HOLD`: held, not paid. `CONFIRMED`: yours. `CANCELLED`: given back, or the payment failed.
    /// `EXPIRED`: the time ran out.
    #[schema(value_type = schema::ReservationState, inline)]
    pub status: String,
    /// The seats, also those that were picked for you.
    #[schema(value_type = Vec<schema::Id>, min_items = 1, max_items = 10)]
    pub seat_ids: Vec<String>,
    /// How many.
    #[schema(minimum = 1, maximum = 10)]
    pub quantity: u64,
    /// All seats together, in minor units.
    #[schema(minimum = 0)]
    pub total_price: i64,
    /// ISO 4217.
    #[schema(value_type = schema::Currency)]
    pub currency: String,
    /// The seats are held until then.
    #[schema(format = DateTime)]
    pub hold_expires_at: String,
    /// The same as a number of milliseconds from now, for clocks that are wrong. 0 when it is over.
    pub hold_expires_in_ms: u64,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The order, once confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Id, required = false)]
    pub order_id: Option<String>,
    /// The payment that confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Id, required = false)]
    pub payment_intent_id: Option<String>,
}

/// `POST /reservations/{id}/confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConfirmRequest, description = "Which payment.")]
pub struct Confirm {
    /// The payment. It may be left out where the reservation knows it or costs nothing.
    #[serde(default)]
    #[schema(value_type = schema::Id, required = false)]
    pub payment_intent_id: Option<String>,
}

/// The answer to [`Confirm`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A confirmed reservation.")]
pub struct Confirmed {
    /// The order.
    #[schema(value_type = schema::Id)]
    pub order_id: String,
    /// The seats are yours.
    #[schema(value_type = schema::ConfirmedState, inline)]
    pub status: String,
}

/// `POST /reservations/{id}/cancel`; the body may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancelRequest, description = "Why, in one's own words.")]
pub struct Cancel {
    /// At most 1,024 bytes of UTF-8.
    #[serde(default)]
    #[schema(value_type = String, max_length = 256, required = false)]
    pub reason: Option<String>,
}

/// The answer to [`Cancel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A cancelled reservation.")]
pub struct Cancelled {
    /// The seats are free. `EXPIRED` if the time had run out before.
    #[schema(value_type = schema::CancelledState, inline)]
    pub status: String,
}
