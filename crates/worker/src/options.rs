//! What the pipeline can be told.

use core::time::Duration;
use domain::{breaker, retry};
use ports::plant::{Plant, planted};

/// How many handlers run at a time (`WORKER_CONCURRENCY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InFlight {
    /// So many.
    Fixed(usize),
    /// As many as bring more throughput.
    Auto,
}

/// The settings of the pipeline; the defaults are those of contracts section 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineOptions {
    /// Handlers in flight.
    pub in_flight: InFlight,
    /// Retries and their waits.
    pub retry: retry::Policy,
    /// Events started per second, at most.
    pub write_rps: Option<u32>,
    /// How long a receive waits for the first message, at most 20 s.
    pub wait: Duration,
    /// How long a received message is ours. Leases of runs are renewed at half of it.
    pub visibility: Duration,
    /// When a downstream is left alone.
    pub breaker: breaker::Policy,
    /// Messages in one lane, at most.
    pub lane_depth_max: usize,
    /// How long a call to the queue may take, receives aside.
    pub queue_call_max: Duration,
    /// The whole of the shutdown, polls in the air included.
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
    /// How long a poll waits. A lease counts from the beginning of its poll, so a wait as long as the lease would bring
    /// only messages whose lease is used up.
    pub(crate) fn poll_wait(&self) -> Duration {
        if planted(Plant::WaitOutlivesLease) { self.wait } else { self.wait.min(self.visibility / 2) }
    }

    /// What is taken off each lease for the way of a settlement and for clocks that run apart.
    pub(crate) fn lease_margin(&self) -> Duration {
        (self.visibility / 10).min(Duration::from_secs(2))
    }

    /// The lease that is left when a run may still start: enough for a renewal to be answered.
    pub(crate) fn lease_to_start(&self) -> Duration {
        (self.visibility / 6).min(Duration::from_secs(10))
    }

    /// The lease that is left when a run's lease is renewed.
    pub(crate) fn lease_to_renew(&self) -> Duration {
        self.visibility / 2
    }
}
