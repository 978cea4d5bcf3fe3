//! Where services meet engines: the wiring of the platform, the commands of `tacos`, and what tests and benches drive.
//!
//! This is the only crate that sees services and adapters at once. It holds no rule of seats, reservations or money.

pub mod client;
pub mod crowd;
pub mod promises;
