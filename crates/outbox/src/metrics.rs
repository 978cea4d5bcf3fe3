//! The metrics of one relay.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds in seconds of the publish lag: dense around the goal of 20 ms.
const LAG_BUCKETS: [f64; 14] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// The metrics of one relay. A clone shares the same numbers.
#[derive(Debug, Clone)]
pub struct RelayMetrics {
    /// `outbox_published_total`: messages that the queue accepted.
    pub published: Counter,
    /// `outbox_failures_total`: entries that the queue refused, once for each attempt.
    pub failures: Counter,
    /// `outbox_pending`: rows that wait or are being published.
    pub pending: Gauge,
    /// `outbox_publish_lag_seconds`: from an event's due time to the queue's answer; zero if that
    /// was earlier.
    pub lag: Histogram,
}

impl RelayMetrics {
    pub(crate) fn new() -> Self {
        Self {
            published: Counter::default(),
            failures: Counter::default(),
            pending: Gauge::default(),
            lag: Histogram::new(LAG_BUCKETS),
        }
    }

    /// Adds the metrics to a registry, whose encoder writes `_total` behind the names of counters.
    pub fn register(&self, registry: &mut Registry) {
        let Self { published, failures, pending, lag } = self.clone();
        registry.register("outbox_published", "Events that the queue accepted", published);
        registry.register("outbox_failures", "Events that the queue refused, once an attempt", failures);
        registry.register("outbox_pending", "Events that wait or are being published", pending);
        registry.register(
            "outbox_publish_lag_seconds",
            "From an event's due time to the queue's answer",
            lag,
        );
    }
}
