//! Bodies of inventory-api's show administration (`docs/contracts.md#inventory-api`).

use crate::error::{Code, WireError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /admin/shows`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateShow {
    /// The show's id; derived from its content if left out, so that repeating a request makes no
    /// second show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// For people.
    pub name: String,
    /// ISO 4217; KRW if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// At least one.
    pub sections: Vec<Section>,
    /// The rules of its waiting room; without one anybody may reserve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_room: Option<WaitingRoom>,
}

/// One section of a show: exactly one of `rows`, `seats` and `capacity`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Unique within the show.
    pub id: String,
    /// For people; the id if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Price of one seat in minor units.
    pub price: u64,
    /// Numbered rows: seats `<section>-<row>-<number>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<Row>>,
    /// The ids of the seats, used as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<Vec<String>>,
    /// General admission: places `<section>-<n>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
}

/// One row: the seats `from` to `to`, both included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name.
    pub row: String,
    /// Number of the first seat.
    pub from: u32,
    /// Number of the last seat.
    pub to: u32,
}

/// The rules of a show's waiting room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitingRoom {
    /// People admitted per second, above 0.
    pub rate_per_sec: f64,
    /// People admitted at once; one second's worth if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<f64>,
    /// Whether a reservation needs a pass.
    #[serde(default = "yes")]
    pub required: bool,
}

const fn yes() -> bool {
    true
}

/// The layout of a section that has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout<'a> {
    /// Numbered rows.
    Rows(&'a [Row]),
    /// Listed seats.
    Seats(&'a [String]),
    /// This many places.
    Capacity(u32),
}

impl Section {
    /// The section's layout; an error unless exactly one of the three is given.
    pub fn layout(&self) -> Result<Layout<'_>, WireError> {
        match (&self.rows, &self.seats, self.capacity) {
            (Some(rows), None, None) => Ok(Layout::Rows(rows)),
            (None, Some(seats), None) => Ok(Layout::Seats(seats)),
            (None, None, Some(capacity)) => Ok(Layout::Capacity(capacity)),
            _ => Err(WireError::new(
                Code::InvalidArgument,
                format!("section {} needs exactly one of rows, seats and capacity", self.id),
            )
            .detail("sections", "LAYOUT", &self.id)),
        }
    }
}

/// The answer to [`CreateShow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShowCreated {
    /// The show.
    pub event_id: String,
    /// Its seats.
    pub total_seats: u64,
}

/// `GET /admin/shows/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Show {
    /// The show.
    pub event_id: String,
    /// For people.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// Its seats.
    pub total_seats: u64,
    /// Its sections with their counts.
    pub sections: Vec<SectionCounts>,
    /// The rules of its waiting room, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_room: Option<WaitingRoom>,
}

/// The counts of a section: `remaining + held + sold + blocked = total`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SectionCounts {
    /// The section.
    pub id: String,
    /// For people.
    pub name: String,
    /// Price of one seat in minor units.
    pub price: u64,
    /// `seats` with names, or `general` admission.
    #[serde(default)]
    pub kind: Kind,
    /// All seats.
    pub total: u64,
    /// Free seats.
    pub remaining: u64,
    /// Held seats.
    pub held: u64,
    /// Sold seats.
    pub sold: u64,
    /// Seats that are not for sale.
    pub blocked: u64,
}

/// Whether buyers choose the seats of a section by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Each seat has a name.
    #[default]
    Seats,
    /// Places without names; nobody chooses one.
    General,
}

impl Kind {
    /// The text on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seats => "seats",
            Self::General => "general",
        }
    }
}

/// `GET /admin/shows/{id}/seats?section=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seats {
    /// The show.
    pub event_id: String,
    /// The section.
    pub section: String,
    /// Its seats in their order.
    pub seats: Vec<Seat>,
}

/// A seat in [`Seats`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seat {
    /// Its id.
    pub id: String,
    /// The row; empty if it has none.
    pub row: String,
    /// The number in the row.
    pub number: String,
    /// Minor units.
    pub price: u64,
    /// `AVAILABLE`, `HELD`, `SOLD` or `BLOCKED`.
    pub status: String,
}

/// `GET /admin/shows`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shows {
    /// Every show, by id.
    pub shows: Vec<Show>,
}

/// `POST /admin/shows/{id}/block` and `…/unblock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeatList {
    /// The seats.
    pub seat_ids: Vec<String>,
}

/// The answer to [`SeatList`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeatsChanged {
    /// The seats that are now in the requested state.
    pub changed: Vec<String>,
    /// The seats that could not be changed.
    pub refused: Vec<SeatRefused>,
}

/// A seat that could not be blocked or unblocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeatRefused {
    /// The seat.
    pub seat_id: String,
    /// Its present status: `AVAILABLE`, `HELD`, `SOLD` or `BLOCKED`; `NO_SUCH_SEAT` if the show has
    /// no such seat.
    pub status: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_exactly_one_layout() {
        let section = |text: &str| serde_json::from_str::<Section>(text).unwrap();
        let rows = section(r#"{"id":"a","price":1,"rows":[{"row":"A","from":1,"to":9}]}"#);
        assert!(matches!(rows.layout(), Ok(Layout::Rows([Row { from: 1, to: 9, .. }]))));
        assert!(matches!(section(r#"{"id":"a","price":1,"seats":["x"]}"#).layout(), Ok(Layout::Seats(_))));
        assert!(matches!(section(r#"{"id":"a","price":1,"capacity":5}"#).layout(), Ok(Layout::Capacity(5))));
        for bad in [r#"{"id":"a","price":1}"#, r#"{"id":"a","price":1,"capacity":5,"seats":["x"]}"#] {
            assert_eq!(section(bad).layout().unwrap_err().code, Code::InvalidArgument);
        }
    }

    #[test]
    fn a_show_with_a_mistake_is_refused() {
        for bad in [
            r#"{"name":"x","sections":[{"id":"a","price":-1,"capacity":5}]}"#,
            r#"{"name":"x","sections":[{"id":"a","price":1,"capacity":-5}]}"#,
            r#"{"name":"x","sections":[{"id":"a","price":1,"capactiy":5}]}"#,
            r#"{"name":"x","sections":[],"waiting_room":{"rate":5}}"#,
        ] {
            assert!(serde_json::from_str::<CreateShow>(bad).is_err(), "{bad}");
        }
        let show = r#"{"name":"x","sections":[],"waiting_room":{"rate_per_sec":1000}}"#;
        assert!(serde_json::from_str::<CreateShow>(show).unwrap().waiting_room.unwrap().required);
    }
}
