//! Connects services and engines: the wiring of the platform, the commands of `tacos`, and the
//! parts that tests and benches drive.
//!
//! This is the only crate that sees services and adapters at once. It has no rule of seats,
//! reservations or money.

#[cfg(feature = "aws")]
mod aws;
pub mod binaries;
pub mod buyers;
pub mod census;
mod check;
pub mod cli;
pub mod client;
mod demo;
pub mod engines;
pub mod keys;
pub mod openapi;
pub mod platform;
pub mod promises;
mod story;
mod up;
