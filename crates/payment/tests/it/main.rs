//! The payment provider on the embedded engines, with webhooks over real sockets and a clock moved
//! by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cancel;
mod edge;
mod intents;
mod outcomes;
mod receiver;
mod webhooks;
mod world;

#[path = "../../../outbox/tests/relay/faulty.rs"]
#[allow(dead_code, reason = "the outbox's tests use all of it")]
mod faulty;
#[path = "../../../outbox/tests/relay/manual.rs"]
#[allow(dead_code, reason = "the outbox's tests use all of it")]
mod manual;
