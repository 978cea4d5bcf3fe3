//! The rows of the inventory, readable for people, and their conversion from and to the domain.
//!
//! | row | partition | sort |
//! |---|---|---|
//! | show | `shows` | the show |
//! | section | `show#<show>#<definition>` | `section#<n>`, its parts `section#<n>#<part>` |
//! | seat | `seats#<show>#<section>#<block>` | its index in the section |
//! | hold | `hold#<reservation>` | `1`, the re-take `2` |
//!
//! A show exists once its own row does, which is written last. A seat gets a row with its first
//! change; before that it reads as AVAILABLE at version 0. A block is 64 seats, so that a hot show
//! spreads over partitions.

mod definition;
mod hold;
mod seat;
mod show;

pub(crate) use definition::content_fingerprint;
pub use hold::{DUE_HOLDS, DUE_SHARDS, due_shard, hold_key, hold_put, read_hold};
pub use seat::{SeatRow, block_partition, read_seat, seat_index, seat_key, seat_put};
pub use show::{SHOWS, read_show, section_rows, sections_partition, show_key, show_put};

use ports::Fault;

/// Every index that an engine needs for this service.
pub const INDEXES: &[&str] = &[DUE_HOLDS];

/// The fault for an unreadable row: damaged, or written by another version of the program.
fn unreadable(what: &str, key: &ports::store::Key) -> Fault {
    Fault::permanent(format!("the {what} row {}/{} is unreadable", key.partition, key.sort))
}
