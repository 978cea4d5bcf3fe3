//! inventory-api on the embedded engine.
//!
//! Tests move the time by hand; nothing sleeps. [`testkit::FaultyStore`] stands between the service
//! and the engine and loses answers, refuses commits or keeps them waiting, as a test says. At the
//! end of a test the stored rows are checked against the invariants.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod contention;
mod contract;
mod drops;
mod fixture;
mod grpc;
mod lost_answers;
mod rest;
mod retakes;
mod rivals;
mod shows;
mod sweeping;
mod wire;
