//! The worker from the outside: through its ports, in virtual time, and on the embedded engine.
//!
//! `queue` is a small queue with the semantics of SQS in virtual time that can be told to fail, `world` the peers; both
//! are fixtures of ports, so that every failure of a queue or a peer can be had on demand. `embedded` runs the same
//! worker on the real engine.

mod bad_input;
mod bench;
mod edge;
mod embedded;
mod fifo;
mod leases;
mod letters;
mod outage;
mod queue;
mod settlement;
mod shutdown;
mod table;
mod world;
