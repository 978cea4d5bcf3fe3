//! The embedded engines against the ports' suites and against what happens to machines: kills, full disks, folders of
//! others.
#![allow(clippy::unwrap_used, reason = "tests")]

mod clock;
mod contract_queue;
mod contract_store;
mod folder;
