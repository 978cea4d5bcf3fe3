//! The stand-ins as their clients see them, over real sockets.
#![allow(clippy::disallowed_methods, reason = "tests of real servers live in real time")]

mod contract;
mod faults;
mod ledger;
mod peers;
mod wire;
