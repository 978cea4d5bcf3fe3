//! The waiting room: one line of numbers for each show (docs/design.md#the-waiting-room).
//!
//! - [`Line`] is the line itself: the people in it, their turns and their ends. A store runs it,
//!   once for all gateways.
//! - [`Bucket`] is the rate at which people enter.
//! - [`Places`] computes positions from counts, without the people in front.
//! - [`Pace`] measures how fast the line moves and estimates the remaining wait.

mod bucket;
mod line;
mod pace;
mod places;
mod rules;
mod snapshot;

pub use bucket::{BURST_MAX, Bucket, COST, RATE_MAX};
pub use line::{
    BLOCKS_MAX, JUMP, Line, MISSED_MAX, NO_TURNS_FOR, Refusal, STALL, STEPS_MAX, Standing, Ticket,
};
pub use pace::Pace;
pub use places::{BLOCK, Places, block_of};
pub use rules::{CAPACITY_MAX, Patience, RuleChange, Rules};
pub use snapshot::{Snapshot, Totals};
