//! The payment provider on the embedded engines, with webhooks over real sockets and a clock moved
//! by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cancel;
mod contract;
mod edge;
mod fixture;
mod intents;
mod outcomes;
mod receiver;
mod webhooks;
