//! reservation-api on the embedded engines, with a small inventory and payment provider that keep
//! the ports' promises.
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
mod fixture;
mod grpc;
mod listing;
mod passes;
mod rest;
mod stock;
mod till;
mod webhooks;
mod wire;
