//! Lines on real servers: the suite of the port, and failures of servers.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests, in real time")]

mod cluster;
mod contract;
mod due;
mod failover;
mod loss;
mod proxy;
mod server;
mod tls;
