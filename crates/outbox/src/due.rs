//! Timers over rows: work that is due at a time that a row states. The relay uses them for the
//! outbox's rows, other services for delayed outcomes, webhooks and sweeps.
//!
//! This is the timer of a hold's expiry (ARCHITECTURE.md, walk 2): reservation-api commits the row
//! "expire at `until`" and announces it here, and the relay publishes it when it is due.
//!
//! A row has an index entry at its due time. The service that commits it announces it ([`Inbox`]).
//! The owner of the work keeps the keys in memory, ordered by due time ([`Agenda`]), takes the due
//! ones, reads each row again and does what it says. The index itself is read only at the start and
//! by slow rescans ([`IndexReader`], [`Rescan`]), because it lags behind, and its range scans cost
//! more the more entries were deleted.

mod agenda;
mod inbox;
mod index;

pub use agenda::Agenda;
pub use inbox::Inbox;
pub use index::{Found, IndexReader, Rescan, RescanOptions};
