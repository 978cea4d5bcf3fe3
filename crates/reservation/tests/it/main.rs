//! reservation-api on the embedded engines, with a fake inventory and payment provider, which pass
//! the suites of their ports. The real services would break a rule: no service sees another.
//!
//! The tests move time; nothing sleeps. [`testkit::Fuse`] ends an operation at any one of its
//! calls: dropped as in a crash, failed, or done with its answer lost.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backstop;
mod buyers;
mod contract;
mod crashes;
mod creating;
mod ends;
mod expiry;
mod fakes;
mod fixture;
mod grpc;
mod inventory;
mod listing;
mod passes;
mod payments;
mod rest;
mod webhooks;
mod wire;
