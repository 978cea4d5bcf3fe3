//! The relay on the embedded engines, with ports that fail on demand and a clock that the test
//! moves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alarms;
mod crash;
mod faults;
mod fixture;
mod lead;
mod order;
mod timing;
