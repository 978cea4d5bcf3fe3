//! The metrics of the gateway (docs/contracts.md#metrics). Label values come from closed sets and
//! from the shows on sale.

use core::sync::atomic::AtomicU64;
use core::time::Duration;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::Totals;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use runtime::Metrics;
use runtime::metrics::duration_buckets;

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyType {
    key_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Backend {
    service: &'static str,
    method: &'static str,
    status_code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreCall {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreCalls {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfShow {
    show: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeopleOf {
    show: String,
    state: &'static str,
}

/// The metrics of one gateway. A clone is another handle to the same metrics.
#[derive(Debug, Clone)]
pub(crate) struct GatewayMetrics {
    operations: Family<Operation, Counter>,
    waits: Histogram,
    dropped: Family<KeyType, Counter>,
    idempotency: Family<Kind, Counter>,
    rejected: Family<Reason, Counter>,
    backends: Durations<Backend>,
    pub(crate) store: StoreMetrics,
    pub(crate) lines: LineMetrics,
}

/// The lines that are open at this gateway. The shows are those that the operator has put on sale.
#[derive(Debug, Clone, Default)]
pub(crate) struct LineMetrics {
    people: Family<PeopleOf, Gauge>,
    snapshot_at: Family<OfShow, Gauge<f64, AtomicU64>>,
}

/// The calls to the waiting room's store.
#[derive(Debug, Clone)]
pub(crate) struct StoreMetrics {
    calls: Family<StoreCalls, Counter>,
    durations: Durations<StoreCall>,
}

impl GatewayMetrics {
    /// Creates the metrics and registers them.
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(duration_buckets());
        let store =
            StoreMetrics { calls: Family::default(), durations: Family::new_with_constructor(histogram) };
        // A sale of 100,000 people at 1,000 a second takes 100 s; nobody waits longer than an hour.
        let waits =
            [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0];
        let this = Self {
            operations: Family::default(),
            waits: Histogram::new(waits),
            dropped: Family::default(),
            idempotency: Family::default(),
            rejected: Family::default(),
            backends: Family::new_with_constructor(histogram),
            store,
            lines: LineMetrics::default(),
        };
        let register = |name, help, family: &Family<_, Counter>| metrics.register(name, help, family.clone());
        register("queue_operations_total", "Operations of the waiting room, by outcome", &this.operations);
        metrics.register("queue_wait_time_seconds", "From joining to the pass", this.waits.clone());
        metrics.register(
            "ratelimit_dropped_total",
            "Requests over a limit, by kind of limit",
            this.dropped.clone(),
        );
        metrics.register(
            "idempotency_hits_total",
            "Requests with a used key: replayed, for another request, or still running",
            this.idempotency.clone(),
        );
        metrics.register(
            "identity_rejected_total",
            "Rejected tokens of people and tickets, by reason",
            this.rejected.clone(),
        );
        metrics.register(
            "backend_call_duration_seconds",
            "Calls of the services behind the gateway",
            this.backends.clone(),
        );
        metrics.register(
            "waiting_room_store_calls_total",
            "Calls of the waiting room's store",
            this.store.calls.clone(),
        );
        metrics.register(
            "waiting_room_store_call_duration_seconds",
            "Calls of the waiting room's store",
            this.store.durations.clone(),
        );
        metrics.register("waiting_room_people", "People of a line, by state", this.lines.people.clone());
        metrics.register(
            "waiting_room_snapshot_timestamp_seconds",
            "Time of the last snapshot of a line, by the store's clock; places stand still from then on",
            this.lines.snapshot_at.clone(),
        );
        this
    }

    pub(crate) fn operation(&self, operation: &'static str, status: &'static str) {
        self.operations.get_or_create(&Operation { operation, status }).inc();
    }

    pub(crate) fn waited(&self, wait: Duration) {
        self.waits.observe(wait.as_secs_f64());
    }

    pub(crate) fn dropped(&self, key_type: &'static str) {
        self.dropped.get_or_create(&KeyType { key_type }).inc();
    }

    pub(crate) fn idempotency(&self, kind: &'static str) {
        self.idempotency.get_or_create(&Kind { r#type: kind }).inc();
    }

    pub(crate) fn rejected(&self, reason: &'static str) {
        self.rejected.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn backend(
        &self,
        service: &'static str,
        method: &'static str,
        status_code: &'static str,
        took: Duration,
    ) {
        self.backends.get_or_create(&Backend { service, method, status_code }).observe(took.as_secs_f64());
    }
}

impl StoreMetrics {
    pub(crate) fn called(&self, operation: &'static str, answered: bool, took: Duration) {
        let outcome = if answered { "answered" } else { "failed" };
        self.calls.get_or_create(&StoreCalls { operation, outcome }).inc();
        self.durations.get_or_create(&StoreCall { operation }).observe(took.as_secs_f64());
    }
}

impl LineMetrics {
    /// Records a snapshot of a line.
    pub(crate) fn record(&self, show: &ShowId, at: Timestamp, totals: Totals) {
        let people = [("waiting", totals.waiting), ("ready", totals.ready), ("absent", totals.absent)];
        for (state, count) in people {
            let people = self.people.get_or_create(&PeopleOf { show: show.to_string(), state });
            people.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let snapshot_at = self.snapshot_at.get_or_create(&OfShow { show: show.to_string() });
        snapshot_at.set(at.as_millis() as f64 / 1_000.0);
    }
}
