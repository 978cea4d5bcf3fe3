//! The world of the waiting room: people in front of gateways, gateways in front of one store that
//! holds the lines.
//!
//! The gateways are the shipped ones, made by `gateway::assemble` and called through their routes;
//! the lines are `domain::waiting_room::Line`. The store around the lines, the network, the clocks
//! and the people are simulated. `plan` draws a run from a seed, `storage` loses data and answers
//! late, `gateways` crash, `people` and `operator` use them, `oracle` checks every command that the
//! store carries out, and `watch` checks every answer that people get.

pub mod fault;
pub mod gateways;
mod operator;
mod oracle;
mod people;
pub mod plan;
pub mod room;
pub mod run;
pub mod storage;
mod watch;

pub use plan::LinePlan;
pub use run::run;
