//! One suite of tests for each port, written against the trait and the documented behaviour of SQS
//! and DynamoDB. Every implementation of a port runs its suite: the engines, the simulator's, the
//! services behind their sockets, and the test fakes.
//!
//! A crate of its own, so that no production build compiles it: it is a dev-dependency of the
//! implementations.

pub mod peers;
pub mod queue;
pub mod store;
mod together;
pub mod waiting_room;
