//! The worker from the outside: through its ports, in virtual time, and on the embedded engine.
//!
//! `queue` is a small queue with the semantics of SQS in virtual time, `world` the peers. Both are
//! fixtures of ports, so that a test can cause any failure of a queue or a peer. `embedded` runs
//! the same worker on the real engine.

mod bad_input;
mod bench;
mod edge;
mod embedded;
mod fifo;
mod leases;
mod letters;
mod outage;
mod queue;
mod queue_contract;
mod settlement;
mod shutdown;
mod table;
mod world;
