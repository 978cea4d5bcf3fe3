//! Work that is due at a time and whose truth is a row: the outbox's own rows, and other rows of the same pattern (delayed
//! outcomes, webhooks).
//!
//! The pattern: a row has an index entry at its due time. Whoever commits it announces it ([`Inbox`]); the owner of the
//! work keeps the keys in memory in the order of their times ([`Agenda`]), takes what is due, reads the row again and does
//! what it says. The index itself is only read at the start and by slow rescans ([`IndexReader`], [`Rescan`]), because it
//! lags behind and its range scans cost more the more was deleted.

mod agenda;
mod inbox;
mod index;

pub use agenda::Agenda;
pub use inbox::Inbox;
pub use index::{Found, IndexReader, Rescan, RescanOptions};
