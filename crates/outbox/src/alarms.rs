//! Alarms for events at a backstop: a timer outside this process, in case every instance is gone
//! when an event is due.
//!
//! Alarms are best effort and delay nobody: the service that announces an event puts its alarm into
//! a bounded queue and continues. A few calls run at the same time. A failed call is counted and
//! not repeated, an alarm that finds the queue full is dropped, and so are the alarms that still
//! wait at a shutdown. The log reports this at most once a minute. No alarm is withdrawn: an alarm
//! for an event that already had its effect sends one more event, which the consumer settles as
//! done.

use contracts::envelope;
use core::time::Duration;
use domain::event::Event;
use domain::time::Timestamp;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ports::{Alarm, Backstop, Clock, Fault, clock};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Options of the queue of alarms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmOptions {
    /// Alarms that may wait; more are dropped.
    pub waiting_max: usize,
    /// Calls that may run at the same time.
    pub in_flight_max: usize,
    /// The longest a call may take.
    pub call_timeout: Duration,
    /// The shortest time between two log messages about alarms that are not set.
    pub log_every: Duration,
}

impl Default for AlarmOptions {
    /// The queue holds ten seconds of a sale at 1,000 reservations a second. With calls of 20 ms it
    /// drains faster than that.
    fn default() -> Self {
        Self {
            waiting_max: 10_000,
            in_flight_max: 32,
            call_timeout: Duration::from_secs(10),
            log_every: Duration::from_secs(60),
        }
    }
}

/// Counters of alarms. A clone shares the same counters.
#[derive(Debug, Clone, Default)]
pub struct AlarmMetrics {
    /// `backstop_alarms_set_total`: alarms that the backstop accepted.
    pub set: Counter,
    /// `backstop_alarms_failed_total`: alarms that it did not accept.
    pub failed: Counter,
    /// `backstop_alarms_dropped_total`: alarms that found the queue full.
    pub dropped: Counter,
}

impl AlarmMetrics {
    /// Adds the metrics to a registry, whose encoder writes `_total` behind the names of counters.
    pub fn register(&self, registry: &mut Registry) {
        let Self { set, failed, dropped } = self.clone();
        registry.register("backstop_alarms_set", "Expiries that the backstop will send too", set);
        registry.register("backstop_alarms_failed", "Expiries that the backstop did not accept", failed);
        registry.register("backstop_alarms_dropped", "Expiries that found the queue of alarms full", dropped);
    }
}

/// Sets alarms at a backstop. Driven by [`Alarms::run`].
pub struct Alarms {
    backstop: Arc<dyn Backstop>,
    clock: Arc<dyn Clock>,
    options: AlarmOptions,
    handle: AlarmsHandle,
    waiting: mpsc::Receiver<Alarm>,
    /// The clock's `elapsed` from which trouble is logged again, and the count that was logged
    /// last.
    log_from: Duration,
    logged: u64,
}

/// Accepts alarms. A clone is another handle to the same queue.
#[derive(Debug, Clone)]
pub struct AlarmsHandle {
    queue: mpsc::Sender<Alarm>,
    metrics: AlarmMetrics,
}

impl AlarmsHandle {
    /// Asks the backstop to send this event at `at`. Never waits.
    pub fn set(&self, event: &Event, at: Timestamp) {
        match self.queue.try_reserve() {
            Ok(slot) => {
                let (event_id, body) = (event.id.clone(), envelope::encode(event));
                slot.send(Alarm { event_id, at, body });
            }
            Err(_) => {
                self.metrics.dropped.inc();
            }
        }
    }
}

impl Alarms {
    /// An empty queue.
    pub fn new(backstop: Arc<dyn Backstop>, clock: Arc<dyn Clock>, options: AlarmOptions) -> Self {
        let (queue, waiting) = mpsc::channel(options.waiting_max.max(1));
        let handle = AlarmsHandle { queue, metrics: AlarmMetrics::default() };
        Self { backstop, clock, options, handle, waiting, log_from: Duration::ZERO, logged: 0 }
    }

    /// The handle that accepts alarms.
    pub fn handle(&self) -> AlarmsHandle {
        self.handle.clone()
    }

    /// The counters, for the registry of the process.
    pub fn metrics(&self) -> AlarmMetrics {
        self.handle.metrics.clone()
    }

    /// Sets alarms until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut calls = FuturesUnordered::new();
        loop {
            let has_room = calls.len() < self.options.in_flight_max.max(1);
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
        if failed + dropped > self.logged && self.clock.elapsed() >= self.log_from {
            self.logged = failed + dropped;
            self.log_from = self.clock.elapsed() + self.options.log_every;
            tracing::warn!(
                failed,
                dropped,
                error = why,
                "alarms not set; check the backstop (the relay still publishes on time)"
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
