//! The settings of the pipeline.

use core::time::Duration;
use domain::{breaker, retry};
use ports::plant::{Plant, planted};

/// How many handlers run at a time (`WORKER_CONCURRENCY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InFlight {
    /// This many.
    Fixed(usize),
    /// As many as increase the throughput.
    Auto,
}

/// The settings of the pipeline; the defaults are those of docs/configuration.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineOptions {
    /// Handlers in flight.
    pub in_flight: InFlight,
    /// Retries and their waits.
    pub retry: retry::Policy,
    /// The most events that start per second.
    pub write_rps: Option<u32>,
    /// How long a receive waits for its first message, at most 20 s.
    pub wait: Duration,
    /// The lease of a received message. Leases of runs are renewed at half of it.
    pub visibility: Duration,
    /// When a downstream's breaker opens.
    pub breaker: breaker::Policy,
    /// The most messages in one lane.
    pub lane_depth_max: usize,
    /// The limit of a call to the queue, receives aside.
    pub queue_call_max: Duration,
    /// The limit of the whole shutdown, polls in the air included.
    pub shutdown_timeout: Duration,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            in_flight: InFlight::Fixed(20),
            retry: retry::Policy::default(),
            write_rps: None,
            wait: Duration::from_secs(20),
            visibility: Duration::from_secs(60),
            breaker: breaker::Policy::default(),
            lane_depth_max: 32,
            queue_call_max: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

impl PipelineOptions {
    /// How long a poll waits. A lease counts from the start of its poll, so a wait as long as the
    /// lease would bring only messages whose lease is used up.
    pub(crate) fn poll_wait(&self) -> Duration {
        if planted(Plant::WaitOutlivesLease) { self.wait } else { self.wait.min(self.visibility / 2) }
    }

    /// Subtracted from each lease, for the time a settlement takes to reach the queue and for
    /// clocks that drift apart.
    pub(crate) fn lease_margin(&self) -> Duration {
        (self.visibility / 10).min(Duration::from_secs(2))
    }

    /// The remaining lease that a run needs to start: enough for a renewal to be answered.
    pub(crate) fn lease_to_start(&self) -> Duration {
        (self.visibility / 6).min(Duration::from_secs(10))
    }

    /// The remaining lease at which a run's lease is renewed.
    pub(crate) fn lease_to_renew(&self) -> Duration {
        self.visibility / 2
    }
}
