//! The worker from the outside: through its ports, in virtual time, and on the embedded engine.
//!
//! `queue` is a queue in memory with the semantics of SQS, in virtual time; it runs the queue
//! suite. `peers` answer as a test scripts them. So a test can cause any failure of a queue or a
//! peer.
//! `embedded` runs the same worker on the real engine.

mod answers;
mod bad_input;
mod bench;
mod edge;
mod embedded;
mod fifo;
mod leases;
mod letters;
mod outage;
mod peers;
mod queue;
mod queue_contract;
mod settlement;
mod shutdown;
mod table;
