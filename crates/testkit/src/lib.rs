//! Scaffolding for the tests of every crate: a clock that a test moves, seeded randomness, ports
//! that fail on demand, and captured logs. It is a dev-dependency only and ships in no binary.
//!
//! - [`ManualClock`]: time moves only when the test moves it; [`until`] waits for a condition while
//!   time moves.
//! - [`SeededEntropy`]: the same numbers for the same seed, which it prints.
//! - [`FaultyStore`] and [`FaultyQueue`]: a real engine behind faults that the test chooses, from a
//!   queue or by a rule.
//! - [`Fuse`]: makes the n-th call of an operation fail or crash, to try every crash point.
//! - [`Logs`]: what a test logged, by message and field.
//! - `Shop` and `NoSales`, with the feature `shop`: the services behind a gateway.

mod clock;
mod entropy;
mod fuse;
mod logs;
mod queue;
#[cfg(feature = "shop")]
mod shop;
mod store;

pub use clock::{ManualClock, START_MS, until};
pub use entropy::SeededEntropy;
pub use fuse::{Ended, Fuse, Mishap};
pub use logs::{LogLine, Logs};
pub use queue::{EntryFate, FaultyQueue, SendFate};
#[cfg(feature = "shop")]
pub use shop::{NoSales, Shop, show};
pub use store::{Call, Fate, FaultyStore, StoreCall};
