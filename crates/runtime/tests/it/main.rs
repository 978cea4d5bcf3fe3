//! The two servers on real sockets: what a caller sees when it asks well, when it asks
//! badly, and when the server drains.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test fails by panicking, and its callers are tasks of their own"
)]

mod drain;
mod grpc;
mod http;
mod shutdown;
mod wire;
