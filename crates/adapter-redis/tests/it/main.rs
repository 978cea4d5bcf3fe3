//! Lines on real servers: the suite of the port, and what happens to servers.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests, in real time")]

mod contract;
mod loss;
mod server;
