//! The embedded engines against the ports' suites and against real incidents: kills, full disks,
//! foreign folders.
#![allow(clippy::unwrap_used, reason = "tests")]

mod child;
mod contract_queue;
mod contract_store;
mod contract_waiting_room;
mod crash;
mod folder;
mod full_disk;
mod queue_model;
