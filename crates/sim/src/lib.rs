//! The seeded simulator: the production code of the platform on one thread, a virtual clock, and
//! every fault that its engines, its network and its processes can show, all drawn from one seed.
//! Same seed, same run, byte for byte.
//!
//! It is no model beside the code. The worker's pipeline, its handlers, the relay, the timers, the
//! sweepers, the payment provider and the services' request handlers are the shipped ones. Only the
//! ports below them are simulated: the queue, the store, the clock, the entropy, the tasks, and the
//! network between the services. docs/simulation.md lists what that leaves out (sockets, wire
//! formats, disks), with the tests that cover it.
//!
//! `plan` draws a run from a seed, `cluster` puts the platform together, `chaos` breaks it,
//! `buyers` and `operators` use it, `checker` and `ledger` check it, and `run` conducts it. The
//! waiting room is a world of its own, [`line_world`]. `world` is what both worlds have in common:
//! `sweep` runs many seeds of either, `shrink` makes a finding small.

pub mod buyers;
pub mod chaos;
pub mod checker;
pub mod cluster;
pub mod core;
pub mod exec;
pub mod fault;
#[cfg(feature = "plants")]
pub mod find;
pub mod ledger;
pub mod line_world;
pub mod network;
pub mod operators;
pub mod plan;
mod planted;
pub mod queue;
pub mod run;
pub mod shrink;
pub mod sweep;
pub mod table;
pub mod trace;
pub mod world;
