//! Connects services and engines: the wiring of the platform, the commands of `tacos`, and the
//! parts that tests and benches drive.
//!
//! This is the only crate that sees services and adapters at once. It has no rule of seats,
//! reservations or money.

#[cfg(feature = "aws")]
mod aws;
pub mod binaries;
pub mod buyers;
pub mod cli;
pub mod client;
mod commands;
pub mod engines;
mod exit;
pub mod keys;
mod output;
pub mod platform;
pub mod promises;
mod timeline;
