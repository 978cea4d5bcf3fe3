//! The numbers of one process, as Prometheus reads them.
//!
//! Names and labels are the contract with dashboards. Label values come from closed sets: a
//! matched route, a known method, an enum; never from a caller's bytes. The series that
//! every server has (`http_…`, `grpc_…`) are registered once a process, however many
//! servers it runs.

use parking_lot::{Mutex, MutexGuard};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::{Metric, Registry};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What `/metrics` answers with.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one process. Cloning gives another handle.
#[derive(Clone, Default)]
pub struct Metrics {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    registry: Mutex<Registry>,
    /// The series that several servers of the process share, one entry for each type.
    families: Mutex<Vec<Box<dyn Any + Send + Sync>>>,
}

impl Metrics {
    /// No metrics yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metric under the name that dashboards use. The encoder writes `_total` behind
    /// every counter, so it is taken off here; the same name must not be registered
    /// twice.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric + Clone) {
        let name = name.strip_suffix("_total").unwrap_or(name);
        let help = help.strip_suffix('.').unwrap_or(help);
        self.registry().register(name, help, metric);
    }

    /// Gives the registry to a component that knows `prometheus-client` and not this crate. There
    /// names of counters have no `_total`.
    pub fn add(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.registry());
    }

    /// Every metric in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        encode(&mut text, &self.registry()).expect("writing to a String does not fail");
        text
    }

    /// The series of type `F`, registered by the first server that asks for them.
    pub(crate) fn family<F: Clone + Send + Sync + 'static>(&self, register: fn(&Self) -> F) -> F {
        let mut families = self.shared.families.lock();
        if let Some(family) = families.iter().find_map(|family| family.downcast_ref::<F>()) {
            return family.clone();
        }
        let family = register(self);
        families.push(Box::new(family.clone()));
        family
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.shared.registry.lock()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Upper bounds in seconds for calls and handlers: 0.5 ms to 30 s, dense where the
/// deadlines of the contracts lie (250 ms, 600 ms, 10 s).
pub fn duration_buckets() -> impl Iterator<Item = f64> {
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.6, 1.0, 2.5, 5.0, 10.0, 30.0].into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn a_counter_is_told_under_the_very_name_it_was_given() {
        let metrics = Metrics::new();
        let polls = Counter::<u64>::default();
        metrics.register("sqs_poll_errors_total", "Polls that failed.", polls.clone());
        polls.inc();
        let text = metrics.render();
        assert!(text.contains("\nsqs_poll_errors_total 1\n"), "{text}");
        assert!(text.contains("# HELP sqs_poll_errors Polls that failed.\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
