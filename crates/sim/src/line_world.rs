//! The world of the waiting room: people in front of gateways, gateways in front of one store that holds the lines.
//!
//! The gateways are those that are shipped, put together by `gateway::assemble` and asked through their routes; the lines are
//! `domain::waiting_room::Line`. Simulated are the store around the lines, the network, the clocks and the people. `plan` draws
//! a run from a seed, `store` loses what it holds and answers late, `gates` crash, `people` and `operator` use them, `judge` sees
//! every command that the store carries out and `watch` what people are told.

pub mod fault;
pub mod gates;
mod judge;
mod operator;
mod people;
pub mod plan;
pub mod run;
mod shop;
pub mod store;
mod watch;
pub mod world;

pub use plan::LinePlan;
pub use run::{LineOutcome, LineSummary, run, sweep};
