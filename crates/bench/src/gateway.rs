//! A gateway under load: joins, polls and enters at a rate, from a process of their own.
//!
//! The generator ([`load`]) is one thread over plain sockets, because it shares the machine's
//! cores with the gateway and its store. What it costs itself is among its figures. Everything
//! else here starts gateways and what they need, reads what they cost from the kernel's
//! accounting, and counts their calls of the store from their metrics.

pub mod figures;
pub mod load;
pub mod run;
pub mod server;

mod answers;
mod link;
mod people;
mod tally;
mod wire;

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// The generator's options, as its process gets them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Gateways; connections are spread over them.
    pub targets: Vec<SocketAddr>,
    /// The `Host` header.
    pub host: String,
    /// More lines of every request's head.
    pub headers: Vec<String>,
    /// The show.
    pub event: String,
    /// Requests a second, without those of people who enter because it is their turn.
    pub rate: u32,
    /// Shares of these.
    pub mix: Mix,
    /// Share of people who do not use their turn.
    pub no_shows: f64,
    /// Connections, in all.
    pub connections: usize,
    /// Requests under way on a connection, at most; 1 is no pipelining.
    pub pipeline: usize,
    /// People who join before anything is measured.
    pub prefill: u64,
    /// Load before the window that is measured.
    pub warm_up: Duration,
    /// The window.
    pub measured: Duration,
    /// Of the order of things, and of the names of people.
    pub seed: u64,
}

/// How often what is asked, in shares that are scaled to 1.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Mix {
    /// People who join.
    pub joins: f64,
    /// People who ask how they stand.
    pub polls: f64,
    /// People who ask to enter although it is not their turn. Those whose turn it is come on
    /// top.
    pub early: f64,
}
