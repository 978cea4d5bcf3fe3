//! The load rig of reservation-worker: the shipped binary in a process of its own, against
//! stand-ins in this one.
//!
//! The stand-ins and the generator share one thread, so they cost little and never contend with
//! each other; what the worker costs is read from the kernel's accounting of its own process.
//! Latencies are those that the queue sees, from the answer of a receive to the call that
//! deletes.

pub mod burst;
pub mod figures;
pub mod load;
pub mod plot;
pub mod process;
pub mod rig;
pub mod run;

use crate::cores;
use serde_json::{Value, json};
use standin::Latency;
use std::time::Duration;

/// What is measured, apart from the kind of queue and the concurrency.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Of each call to the inventory and to reservation-api.
    pub downstream: Latency,
    /// Added to each call to the queue.
    pub queue: Duration,
    /// How long is measured.
    pub measured: Duration,
    /// How long the load runs before that: connections open, and `auto` finds its concurrency.
    pub warm_up: Duration,
    /// Events that arrive in a second, whatever is settled; `None`: as many as it takes for the
    /// queue never to be empty.
    pub arrivals: Option<u32>,
    /// Events of one reservation, one after the other.
    pub per_group: u64,
    /// Of the latencies and of the mix of events.
    pub seed: u64,
}

/// The kind of queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any order.
    Standard,
    /// In order within a reservation.
    Fifo,
}

impl Kind {
    /// Both, in the order of the results.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Fifo];

    /// As it begins the name of a run.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Fifo => "fifo",
        }
    }

    /// The name of the queue.
    pub const fn queue(self) -> &'static str {
        match self {
            Self::Standard => "reservation-events",
            Self::Fifo => "reservation-events.fifo",
        }
    }

    /// The name of its dead-letter queue.
    pub const fn dead_letters(self) -> &'static str {
        match self {
            Self::Standard => "reservation-events-dlq",
            Self::Fifo => "reservation-events-dlq.fifo",
        }
    }
}

/// Prints the results: one JSON object with `--json`, else a table.
pub fn print(json: bool, conditions: &Conditions, runs: &[Value], bursts: &[Value]) {
    if json {
        let mut result = json!({"command": "bench worker", "cores": cores(), "runs": runs});
        if !bursts.is_empty() {
            result["bursts"] = bursts.into();
        }
        println!("{result}");
        return;
    }
    println!(
        "bench worker on {} cores, stand-ins included; downstream {} each, {:?} more for each call to the queue",
        cores(),
        conditions.downstream,
        conditions.queue
    );
    println!();
    print!("{}", figures::table(runs, bursts));
}

/// Ends after so long.
#[allow(clippy::disallowed_methods, reason = "a benchmark lives in real time")]
pub async fn after(long: Duration) {
    tokio::time::sleep(long).await;
}
