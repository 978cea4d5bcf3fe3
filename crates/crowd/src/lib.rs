//! The buyers that `tacos demo`, the crash test and the simulator share: what they set out to do,
//! and the answers that they hold the platform to.
//!
//! A [`Buyer`] draws a [`Behaviour`] and carries it out through a [`Shop`]: over the public APIs in
//! `app`, and over the services' own request handlers in `sim`. A new behaviour is written once,
//! here. Buyers know only what they were answered. Each answer that must stay true is a
//! [`Promise`], and [`Stored`] compares it with the stores when nothing is on its way any more.
//!
//! It leaves to the shops how a call is repeated until somebody answers, and to their crowds who
//! comes when.

mod behaviour;
mod buyer;
mod promise;
mod shop;
mod wish;

pub use behaviour::Behaviour;
pub use buyer::Buyer;
pub use promise::{Promise, Stored};
pub use shop::{Held, Refused, Shop};
pub use wish::{Venue, Wish};
