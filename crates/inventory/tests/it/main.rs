//! inventory-api on the embedded engine.
//!
//! Time is moved by hand; nothing sleeps. [`faults`] stands between the service and the engine and loses answers, refuses
//! commits or keeps them waiting, as a test says. What is stored is checked against the invariants at the end of a test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod commands;
mod contention;
mod contract;
mod drops;
mod faults;
mod grpc;
mod lost_answers;
mod rest;
mod retakes;
mod rivals;
mod shows;
mod sweeping;
mod wire;
mod world;
