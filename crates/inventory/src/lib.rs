//! inventory-api: the only writer of stock. It holds seats for a while, sells them to the buyer, or
//! frees them.
//!
//! Seats are rows with versions, and a hold moves all its seats in one commit or none. Commit and
//! release compete for the same rows, so neither needs a lock and neither can overtake the other.
//! The rules are in `domain::hold`; this crate reads, decides, commits and answers.
//!
//! [`Service`] is the inventory without sockets and implements [`ports::Inventory`]; [`run`] serves
//! it. Others decide when a hold is released, who may hold, and what is paid. It publishes no
//! events and calls no peers.

mod config;
mod deps;
mod edge;
mod metrics;
mod refusal;
pub mod rows;
mod seat_map;
mod serve;
mod service;
mod sweep;

pub use config::{Config, Options};
pub use deps::Deps;
pub use edge::rest::openapi;
pub use metrics::InventoryMetrics;
pub use serve::{assemble, run, serve};
pub use service::{CreateShowError, Created, SeatChange, Service, ShowStatus};
