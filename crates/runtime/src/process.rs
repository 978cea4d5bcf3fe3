//! What one running process is: its name, its version, its metrics and its health.

use crate::{Health, Metrics};

/// Handed to every server and service of a process. Cloning gives another handle to the
/// same metrics and health.
#[derive(Debug, Clone)]
pub struct Process {
    /// One of docs/contracts.md#processes-and-ports: `inventory-api`, `reservation-worker`,
    /// …
    pub name: &'static str,
    /// The version that `/version` answers.
    pub version: &'static str,
    /// The content of `/metrics`.
    pub metrics: Metrics,
    /// The content of `/health` and `/ready`.
    pub health: Health,
}

impl Process {
    /// A process of this workspace's version, with no metrics yet and nothing wrong.
    pub fn new(name: &'static str) -> Self {
        Self { name, version: env!("CARGO_PKG_VERSION"), metrics: Metrics::new(), health: Health::new() }
    }
}
