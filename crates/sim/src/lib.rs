//! The seeded simulator: the production code of the platform on one thread, a virtual clock, and every fault that its
//! engines, its network and its processes can show, all drawn from one seed. Same seed, same run, byte for byte.
//!
//! It is no model beside the code. The worker's pipeline, its handlers, the relay, the timers, the sweepers, the payment
//! provider and the services' request handlers are those that are shipped; simulated are the ports below them: the
//! queue, the store, the clock, the entropy, the tasks, and the network between the services. What that leaves out
//! (sockets, wire formats, disks) is listed in docs/simulation.md with the test that covers it.
//!
//! `plan` draws a run from a seed, `house` puts the platform together, `chaos` breaks it, `crowd` and `operators` use it,
//! `checker` and `ledger` judge it, `run` leads through it, `shrink` makes a finding small.
//! The waiting room is a world of its own, [`line_world`].

pub mod chaos;
pub mod checker;
pub mod core;
pub mod crowd;
pub mod exec;
pub mod fault;
#[cfg(feature = "plants")]
pub mod find;
pub mod house;
pub mod ledger;
pub mod line_world;
pub mod network;
pub mod operators;
pub mod plan;
pub mod queue;
pub mod run;
pub mod shrink;
pub mod sweep;
pub mod table;
pub mod trace;
