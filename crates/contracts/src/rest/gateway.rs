//! Bodies of gateway-api (`docs/contracts.md#gateway-api`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /queue/join`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The show.
    pub event_id: String,
    /// The joining person, for callers without a sign-in.
    #[serde(default)]
    pub user_id: Option<String>,
}

/// The answer to [`Join`], status 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Joined {
    /// The ticket; every later call about this position names it.
    pub waiting_token: String,
    /// People ahead, counting the caller.
    pub position_hint: u64,
    /// `waiting`.
    pub status: QueueStatus,
    /// Estimated wait in whole seconds; `null` if unknown.
    pub eta_sec: Option<u64>,
    /// Milliseconds to wait before the next status call.
    pub poll_after_ms: u64,
}

/// The state of a position in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueueStatus {
    /// In line.
    Waiting,
    /// It is their turn, or they have entered and their pass lives.
    Ready,
    /// They missed their turn, or their pass has expired.
    Expired,
    /// They have left.
    Left,
}

impl QueueStatus {
    /// The text on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Expired => "expired",
            Self::Left => "left",
        }
    }
}

/// The answer of `GET /queue/status`, and each event of `GET /queue/stream`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The state of the position.
    pub status: QueueStatus,
    /// People ahead, counting the caller; 0 for a caller who does not wait.
    pub position: u64,
    /// Estimated wait in whole seconds; `null` if unknown.
    pub eta_sec: Option<u64>,
    /// Whole seconds since they joined.
    pub waiting_time: u64,
    /// `POST /queue/enter` would give a pass now.
    pub ready_for_entry: bool,
    /// Milliseconds to wait before the next status call.
    pub poll_after_ms: u64,
    /// The operator has paused the line.
    pub paused: bool,
    /// The operator's message to the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whole seconds until the turn lapses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_for_sec: Option<u64>,
}

/// `POST /queue/enter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enter {
    /// The ticket.
    pub waiting_token: String,
}

/// The answer to [`Enter`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entered {
    /// `granted`.
    pub admission: String,
    /// The pass: valid for one reservation of this show by this person.
    pub reservation_token: String,
    /// Whole seconds until the pass expires.
    pub ttl_sec: u64,
}

/// The answer of `POST /queue/leave`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Left {
    /// `left`.
    pub status: QueueStatus,
}

/// The answer of `GET /events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// Every show on sale.
    pub events: Vec<Event>,
    /// RFC 3339: when these counts were read.
    pub as_of: String,
}

/// A show in [`Events`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The show.
    pub event_id: String,
    /// For people.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// Its seats.
    pub total: u64,
    /// Free seats.
    pub remaining: u64,
    /// True if a reservation needs a pass of the waiting room.
    pub waiting_room: bool,
}

/// The answer of `GET /events/{id}/availability`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    /// The show.
    pub event_id: String,
    /// For people.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// True if a reservation needs a pass of the waiting room.
    pub waiting_room: bool,
    /// Free seats.
    pub remaining: u64,
    /// Its sections.
    pub sections: Vec<Section>,
    /// RFC 3339: when these counts were read.
    pub as_of: String,
}

/// A section in [`Availability`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Section {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// Price of one seat in minor units.
    pub price: u64,
    /// `seats` with names, or `general` admission.
    pub kind: String,
    /// All seats.
    pub total: u64,
    /// Free seats.
    pub remaining: u64,
    /// Held seats.
    pub held: u64,
    /// Sold seats.
    pub sold: u64,
}

/// The answer of `GET /events/{id}/seats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seats {
    /// The show.
    pub event_id: String,
    /// The section.
    pub section: String,
    /// Its seats in their order.
    pub seats: Vec<Seat>,
    /// RFC 3339: when these counts were read.
    pub as_of: String,
}

/// A seat in [`Seats`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seat {
    /// Its id.
    pub seat_id: String,
    /// The row; empty if it has none.
    pub row: String,
    /// The number in the row.
    pub number: String,
    /// Minor units.
    pub price: u64,
    /// `AVAILABLE`, `HELD`, `SOLD` or `BLOCKED`.
    pub status: String,
}

/// `POST /reservations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// The show.
    pub event_id: String,
    /// The seats by name; left out for general admission.
    #[serde(default)]
    pub seat_ids: Vec<String>,
    /// How many; left out = as many as `seat_ids`.
    #[serde(default)]
    pub quantity: Option<i64>,
    /// The section of unnamed seats; may be left out if the show has one.
    #[serde(default)]
    pub section: Option<String>,
    /// The pass of the waiting room; left out or "" = none.
    #[serde(default)]
    pub reservation_token: Option<String>,
}

/// The answer to [`Reserve`], status 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reserved {
    /// The new reservation.
    pub reservation_id: String,
    /// `HOLD`.
    pub status: String,
    /// The show.
    pub event_id: String,
    /// The seats, including those that the service picked.
    pub seat_ids: Vec<String>,
    /// How many.
    pub quantity: u64,
    /// RFC 3339.
    pub hold_expires_at: String,
    /// Milliseconds until then, for clients with a wrong clock.
    pub hold_expires_in_ms: u64,
    /// Minor units.
    pub total_amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// The answer of `GET /reservations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// The reservation.
    pub reservation_id: String,
    /// The show.
    pub event_id: String,
    /// The owner.
    pub user_id: String,
    /// `HOLD`, `CONFIRMED`, `CANCELLED` or `EXPIRED`.
    pub status: String,
    /// The seats.
    pub seat_ids: Vec<String>,
    /// How many.
    pub quantity: u64,
    /// Minor units.
    pub total_price: i64,
    /// ISO 4217.
    pub currency: String,
    /// RFC 3339.
    pub hold_expires_at: String,
    /// Milliseconds until then, for clients with a wrong clock; 0 once it has passed.
    pub hold_expires_in_ms: u64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// The order, once confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The payment that confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent_id: Option<String>,
}

/// `POST /payment/intent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The reservation to pay for.
    pub reservation_id: String,
    /// Minor units: the reservation's total.
    pub amount: i64,
    /// ISO 4217; KRW if it is left out.
    #[serde(default)]
    pub currency: Option<String>,
    /// The decision of the simulated provider: `APPROVE`, `FAIL`, `DELAY`, `RANDOM` or `TIMEOUT`.
    #[serde(default)]
    pub scenario: Option<String>,
}

/// The answer to [`Intent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntentMade {
    /// The payment.
    pub payment_intent_id: String,
    /// `PENDING`.
    pub status: String,
    /// `webhook`: the outcome reaches the reservation without another call.
    pub next: String,
}

/// `POST /payment/process`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The payment.
    pub payment_intent_id: String,
    /// `approve` or `fail`.
    pub action: String,
}

/// The answer of `GET /payment/{id}/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// The payment.
    pub payment_intent_id: String,
    /// `PENDING`, `PROCESSING`, `COMPLETED`, `FAILED`, `CANCELLED`, `REFUNDED` or `EXPIRED`.
    pub status: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// The reservation that it pays for.
    pub reservation_id: String,
}
