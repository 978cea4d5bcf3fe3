//! One suite of tests for each port whose implementations must agree, written against the trait and
//! the documented behaviour of SQS and DynamoDB. These run it:
//!
//! - the engines and their adapters, and the store, queue and network of the simulator;
//! - the services, in one process and behind their sockets;
//! - the fakes of tests: `standin`'s SQS, the worker's queue in memory, reservation's fake
//!   inventory and payments, and `testkit`'s faulty store and queue as long as no fault is set.
//!
//! A double that only repeats a test's script has no behaviour to check: the worker's scripted
//! peers, and `standin`'s inventory and reservation-api, which know every id that a call names.
//! Wrappers that fail or record calls in front of an engine are covered by the engine's own run.
//!
//! A crate of its own, so that no production build compiles it: it is a dev-dependency of the
//! implementations.

pub mod peers;
pub mod queue;
pub mod store;
mod together;
pub mod waiting_room;
