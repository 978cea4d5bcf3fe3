//! Alarms for events at a backstop: a timer outside of this process, should every instance of ours be gone when an event is
//! due.
//!
//! Best effort, and never in anybody's way: whoever announces an event puts its alarm into a bounded line and goes on. A
//! few calls are in the air at a time; one that fails is counted and not repeated, what finds the line full is dropped, and
//! what waits at a shutdown is too. The log says so at most once a minute. Nothing is withdrawn: an alarm for an event
//! that had its effect meanwhile sends an event more, which the consumer answers as done.

use contracts::envelope;
use core::time::Duration;
use domain::event::Event;
use domain::time::Timestamp;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ports::{Alarm, Backstop, Clock, Fault, clock};
use prometheus_client::metrics::counter::Counter;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The numbers of the line of alarms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmOptions {
    /// Alarms that may wait; more are dropped.
    pub waiting_max: usize,
    /// Calls that may run at the same time.
    pub in_air_max: usize,
    /// The longest a call may take.
    pub call_timeout: Duration,
    /// How often the log says that alarms are not set, at most.
    pub tell_every: Duration,
}

impl Default for AlarmOptions {
    /// Ten seconds of a sale's 1,000 reservations a second may wait; with calls of 20 ms the line drains faster than that.
    fn default() -> Self {
        Self {
            waiting_max: 10_000,
            in_air_max: 32,
            call_timeout: Duration::from_secs(10),
            tell_every: Duration::from_secs(60),
        }
    }
}

/// What became of alarms. Cloning gives another handle to the same numbers.
#[derive(Debug, Clone, Default)]
pub struct AlarmMetrics {
    /// `backstop_alarms_set_total`: alarms that the backstop took.
    pub set: Counter,
    /// `backstop_alarms_failed_total`: alarms that it did not take.
    pub failed: Counter,
    /// `backstop_alarms_dropped_total`: alarms that found the line full.
    pub dropped: Counter,
}

/// Sets alarms at a backstop. Driven by [`Alarms::run`].
pub struct Alarms {
    backstop: Arc<dyn Backstop>,
    clock: Arc<dyn Clock>,
    options: AlarmOptions,
    handle: AlarmsHandle,
    waiting: mpsc::Receiver<Alarm>,
    /// The clock's `elapsed` from which on trouble is told again, and the count of what was told.
    tell_from: Duration,
    told: u64,
}

/// Takes alarms. Cloning gives another handle to the same line.
#[derive(Debug, Clone)]
pub struct AlarmsHandle {
    line: mpsc::Sender<Alarm>,
    metrics: AlarmMetrics,
}

impl AlarmsHandle {
    /// Has this event sent at `at`, if all else fails. Never waits.
    pub fn set(&self, event: &Event, at: Timestamp) {
        match self.line.try_reserve() {
            Ok(place) => {
                let (event_id, body) = (event.id.clone(), envelope::encode(event));
                place.send(Alarm { event_id, at, body });
            }
            Err(_) => {
                self.metrics.dropped.inc();
            }
        }
    }
}

impl Alarms {
    /// An empty line.
    pub fn new(backstop: Arc<dyn Backstop>, clock: Arc<dyn Clock>, options: AlarmOptions) -> Self {
        let (line, waiting) = mpsc::channel(options.waiting_max.max(1));
        let handle = AlarmsHandle { line, metrics: AlarmMetrics::default() };
        Self { backstop, clock, options, handle, waiting, tell_from: Duration::ZERO, told: 0 }
    }

    /// How alarms come into the line.
    pub fn handle(&self) -> AlarmsHandle {
        self.handle.clone()
    }

    /// The numbers, for the registry of the process.
    pub fn metrics(&self) -> AlarmMetrics {
        self.handle.metrics.clone()
    }

    /// Sets alarms until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut calls = FuturesUnordered::new();
        loop {
            let has_room = calls.len() < self.options.in_air_max.max(1);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(result) = calls.next(), if !calls.is_empty() => self.count(result),
                Some(alarm) = self.waiting.recv(), if has_room => {
                    let (backstop, clock) = (Arc::clone(&self.backstop), Arc::clone(&self.clock));
                    calls.push(set(backstop, clock, self.options.call_timeout, alarm));
                }
            }
        }
    }

    fn count(&mut self, result: Result<(), Fault>) {
        let metrics = &self.handle.metrics;
        let why = match result {
            Ok(()) => {
                metrics.set.inc();
                None
            }
            Err(fault) => {
                metrics.failed.inc();
                Some(fault.chain())
            }
        };
        let (failed, dropped) = (metrics.failed.get(), metrics.dropped.get());
        if failed + dropped > self.told && self.clock.elapsed() >= self.tell_from {
            self.told = failed + dropped;
            self.tell_from = self.clock.elapsed() + self.options.tell_every;
            tracing::warn!(
                failed,
                dropped,
                error = why,
                "alarms are not set at the backstop; the relay is not affected"
            );
        }
    }
}

async fn set(
    backstop: Arc<dyn Backstop>,
    clock: Arc<dyn Clock>,
    limit: Duration,
    alarm: Alarm,
) -> Result<(), Fault> {
    clock::timeout(&*clock, limit, backstop.set(&alarm))
        .await
        .unwrap_or_else(|_| Err(Fault::unavailable("setting an alarm took too long")))
}
