//! The shows on sale, their sections and seats.

use super::schema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
