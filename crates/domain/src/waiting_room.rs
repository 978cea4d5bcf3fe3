//! The waiting room: one line of numbers for each show (design part 6).
//!
//! - [`Line`] is the line itself: who waits, whose turn it is, who has gone. A store runs it, once for all gateways.
//! - [`Bucket`] is the rate at which it lets people in.
//! - [`Places`] tells places from counts, without looking at the people in front.
//! - [`Pace`] measures how fast the line moves and tells how long is left.

mod bucket;
mod line;
mod pace;
mod places;
mod rules;
mod snapshot;

pub use bucket::{BURST_MAX, Bucket, COST, RATE_MAX};
pub use line::{BLOCKS_MAX, HOLD, JUMP, Line, MISSED_MAX, Refusal, STALL, STEPS_MAX, Standing, Ticket};
pub use pace::Pace;
pub use places::{BLOCK, Places, block_of};
pub use rules::{CAPACITY_MAX, Patience, RuleChange, Rules};
pub use snapshot::{Snapshot, Totals};
