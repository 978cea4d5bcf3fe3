//! Bodies of gateway-api (`docs/contracts.md#gateway-api`).

mod payments;
mod reservations;
pub mod schema;
mod shows;
mod waiting_room;

pub use payments::{Intent, IntentMade, Payment, Process, Processed};
pub use reservations::{Cancel, Cancelled, Confirm, Confirmed, Reservation, Reserve, Reserved};
pub use shows::{Availability, Event, Events, Seat, Seats, Section};
pub use waiting_room::{Enter, Entered, Join, Joined, Left, QueueStatus, Status, StatusEvent};
