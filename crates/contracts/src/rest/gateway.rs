//! Bodies of gateway-api (`docs/contracts.md#gateway-api`).

pub mod schema;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /queue/join`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JoinRequest, description = "Which line.")]
pub struct Join {
    /// The show.
    #[schema(value_type = schema::Id)]
    pub event_id: String,
    /// Who you are, if you send no bearer token. With one, leave it out or let it be its `sub`.
    #[serde(default)]
    #[schema(value_type = schema::Id, required = false)]
    pub user_id: Option<String>,
}

/// The answer to [`Join`], status 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A place in line.")]
pub struct Joined {
    /// The ticket; every later call about this position names it.
    #[schema(value_type = schema::WaitingToken)]
    pub waiting_token: String,
    /// People ahead of you, and you.
    #[schema(minimum = 1)]
    pub position_hint: u64,
    /// You wait.
    #[schema(value_type = schema::Waiting, inline)]
    pub status: QueueStatus,
    /// Whole seconds until it is your turn, about. Null if nobody can say, for example while the
    /// line is paused.
    #[schema(required)]
    pub eta_sec: Option<u64>,
    /// Milliseconds after which to ask again. Longer far back in the line.
    #[schema(minimum = 500)]
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
#[schema(as = QueueStatus, description = "Where you stand.")]
pub struct Status {
    /// `waiting`: in line. `ready`: your turn, also after you entered and while the pass lives.
    /// `expired`: your turn is over. `left`: you gave your place up.
    #[schema(value_type = schema::PlaceState, inline)]
    pub status: QueueStatus,
    /// People ahead of you, and you. 0 when it is your turn, and when it is over.
    pub position: u64,
    /// Whole seconds until it is your turn, about. Null if nobody can say, for example while the
    /// line is paused.
    #[schema(required)]
    pub eta_sec: Option<u64>,
    /// Whole seconds since you joined.
    pub waiting_time: u64,
    /// Whether to call `queue/enter` now.
    pub ready_for_entry: bool,
    /// Milliseconds after which to ask again. Longer far back in the line.
    #[schema(minimum = 500)]
    pub poll_after_ms: u64,
    /// Whether the line is paused by the operator.
    pub paused: bool,
    /// What the operator tells those who wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub message: Option<String>,
    /// Whole seconds left to enter, when it is your turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub ready_for_sec: Option<u64>,
}

/// `POST /queue/enter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EnterRequest, description = "Whose turn it is.")]
pub struct Enter {
    /// The ticket.
    #[schema(value_type = schema::WaitingToken)]
    pub waiting_token: String,
}

/// The answer to [`Enter`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A pass.")]
pub struct Entered {
    /// You are in.
    #[schema(value_type = schema::Granted, inline)]
    pub admission: String,
    /// The pass. It is signed, yours, for this show and for one reservation.
    #[schema(min_length = 1, max_length = 4096)]
    pub reservation_token: String,
    /// Whole seconds that the pass is good for.
    pub ttl_sec: u64,
}

/// The answer of `POST /queue/leave`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "Where you stand after leaving.")]
pub struct Left {
    /// `left`: not in line any more. Who has entered stays so: `ready` while the pass lives, then
    /// `expired`.
    #[schema(value_type = schema::LeftState, inline)]
    pub status: QueueStatus,
}

/// The answer of `GET /events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EventList, description = "The shows on sale.")]
pub struct Events {
    /// Every show on sale.
    pub events: Vec<Event>,
    /// When the counts were taken.
    #[schema(format = DateTime)]
    pub as_of: String,
}

/// A show in [`Events`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A show.")]
pub struct Event {
    /// The show.
    #[schema(value_type = schema::Id)]
    pub event_id: String,
    /// For people.
    pub name: String,
    /// ISO 4217.
    #[schema(value_type = schema::Currency)]
    pub currency: String,
    /// Its seats.
    pub total: u64,
    /// Free seats.
    pub remaining: u64,
    /// Whether a reservation needs a pass of the waiting room.
    pub waiting_room: bool,
}

/// The answer of `GET /events/{id}/availability`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "What is left of a show.")]
pub struct Availability {
    /// The show.
    #[schema(value_type = schema::Id)]
    pub event_id: String,
    /// For people.
    pub name: String,
    /// ISO 4217.
    #[schema(value_type = schema::Currency)]
    pub currency: String,
    /// Whether a reservation needs a pass of the waiting room.
    pub waiting_room: bool,
    /// Free seats of all sections.
    pub remaining: u64,
    /// Its sections.
    #[schema(min_items = 1)]
    pub sections: Vec<Section>,
    /// When the counts were taken.
    #[schema(format = DateTime)]
    pub as_of: String,
}

/// A section in [`Availability`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SectionAvailability, description = "A section with its counts.")]
pub struct Section {
    /// The section.
    #[schema(value_type = schema::Id)]
    pub id: String,
    /// For people.
    pub name: String,
    /// Of one seat, in minor units.
    pub price: u64,
    /// `seats`: every seat has a name. `general`: any place is as good as another.
    #[schema(value_type = schema::SectionKind, inline)]
    pub kind: String,
    /// All seats.
    pub total: u64,
    /// Free seats.
    pub remaining: u64,
    /// Seats held for buyers.
    pub held: u64,
    /// Sold seats.
    pub sold: u64,
}

/// The answer of `GET /events/{id}/seats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SeatList, description = "The seats of a section.")]
pub struct Seats {
    /// The show.
    #[schema(value_type = schema::Id)]
    pub event_id: String,
    /// The section.
    #[schema(value_type = schema::Id)]
    pub section: String,
    /// Its seats in their order.
    pub seats: Vec<Seat>,
    /// When the statuses were taken.
    #[schema(format = DateTime)]
    pub as_of: String,
}

/// A seat in [`Seats`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A seat.")]
pub struct Seat {
    /// The seat.
    #[schema(value_type = schema::Id)]
    pub seat_id: String,
    /// Its row; empty if the seat has none.
    pub row: String,
    /// Its number in the row; empty if the seat has none.
    pub number: String,
    /// In minor units.
    pub price: u64,
    /// Whether it can be had.
    #[schema(value_type = schema::SeatState, inline)]
    pub status: String,
}

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

/// `POST /reservations/{id}/confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConfirmRequest, description = "Which payment.")]
pub struct Confirm {
    /// The payment. It may be left out where the reservation knows it.
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
    /// The seats are free.
    #[schema(value_type = schema::CancelledState, inline)]
    pub status: String,
}

/// The answer to [`Process`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProcessAnswer, description = "How the payment stands now.")]
pub struct Processed {
    /// The payment's status.
    #[schema(value_type = schema::PaymentStatus)]
    pub status: String,
}

/// An event of `GET /queue/stream`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "One event of the stream.")]
pub struct StatusEvent {
    /// The name of the event.
    #[schema(value_type = schema::StatusName, inline)]
    pub event: String,
    /// The JSON of a QueueStatus, on one line.
    #[schema(content_media_type = "application/json")]
    pub data: String,
}
