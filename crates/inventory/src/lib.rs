//! inventory-api: the only writer of stock. It takes seats for a while, makes them the buyer's, and gives them back.
//!
//! Seats are rows under versions, and a hold moves all its seats in one commit or not at all. Commit and release compete for
//! the same rows, so neither needs a lock and neither can overtake the other. The rules are in `domain::hold`; here is
//! what reads, decides, commits and answers.
//!
//! [`Service`] is the inventory without sockets and implements [`ports::Inventory`]; [`run`] serves it. What it leaves to
//! others: when a hold is to be released, who may hold, and what is paid.

pub mod config;
mod edge;
mod metrics;
pub mod rows;
mod serve;
mod service;
mod table;

pub use config::{Config, Options};
pub use metrics::InventoryMetrics;
pub use serve::{Deps, Listeners, assemble, run};
pub use service::{CreateShowError, Created, SeatChange, Service, ShowStatus};
