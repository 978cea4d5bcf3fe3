//! The worker's metrics. Names and labels are listed in docs/contracts.md#metrics.
//!
//! Every series is resolved once, at the start; an event costs additions to atomics. Labels are
//! closed sets: an unknown type counts as `unknown` (trap T-T12).

use crate::service::Downstream;
use core::sync::atomic::{AtomicI64, AtomicU64};
use core::time::Duration;
use domain::event::Kind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use runtime::Metrics;
use runtime::metrics::duration_buckets;

/// How a run or a message ended, as the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It had its effect.
    Success,
    /// It will be retried.
    Retried,
    /// It was buried: its retries were exhausted, or none could help.
    Failed,
    /// The run was cut off (lost lease, shutdown); another delivery continues.
    Dropped,
    /// It is not an event.
    InvalidPayload,
    /// A downstream did not answer; it will be retried.
    DownstreamError,
}

impl Outcome {
    pub(crate) const ALL: [Self; 6] = [
        Self::Success,
        Self::Retried,
        Self::Failed,
        Self::Dropped,
        Self::InvalidPayload,
        Self::DownstreamError,
    ];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
            Self::InvalidPayload => "invalid_payload",
            Self::DownstreamError => "downstream_error",
        }
    }
}

/// The label `type`: the three kinds, and `unknown`.
pub(crate) const UNKNOWN: &str = "unknown";

/// The value of the label `type`.
pub(crate) fn type_label(kind: Option<Kind>) -> &'static str {
    kind.map_or(UNKNOWN, Kind::label)
}

fn type_index(kind: Option<Kind>) -> usize {
    kind.map_or(3, |kind| kind as usize)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    r#type: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandlerLabels {
    handler: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DownstreamLabel {
    downstream: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

/// The calls to the queue, as the label `operation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Receive,
    Delete,
    ChangeVisibility,
    SendDeadLetter,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Receive, Self::Delete, Self::ChangeVisibility, Self::SendDeadLetter];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Delete => "delete",
            Self::ChangeVisibility => "change_visibility",
            Self::SendDeadLetter => "send_dead_letter",
        }
    }
}

/// The resolved handles of every series.
#[derive(Debug)]
pub(crate) struct WorkerMetrics {
    events: [[Counter; 6]; 4],
    latency: [Histogram; 4],
    processing: [[Histogram; 6]; 3],
    calls: [Counter; 4],
    entries: [Counter; 4],
    breakers: [Gauge; 3],
    pub(crate) poll_errors: Counter,
    pub(crate) running: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) work: Gauge,
    pub(crate) limit: Gauge,
    pub(crate) polls: Gauge,
    unverified_payments: Counter,
    pub(crate) acks_lost: Counter,
    pub(crate) leases_lost: Counter,
}

type AtomicGauge = Gauge<i64, AtomicI64>;
type AtomicCounter = Counter<u64, AtomicU64>;

impl WorkerMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let events = Family::<EventLabels, AtomicCounter>::default();
        let latency = Family::<TypeLabel, Histogram>::new_with_constructor(histogram);
        let processing = Family::<HandlerLabels, Histogram>::new_with_constructor(histogram);
        let calls = Family::<OperationLabel, AtomicCounter>::default();
        let entries = Family::<OperationLabel, AtomicCounter>::default();
        let breakers = Family::<DownstreamLabel, AtomicGauge>::default();
        let types = ["expired", "approved", "failed", UNKNOWN];
        let outcomes = Outcome::ALL.map(Outcome::label);
        let this = Self {
            events: types.map(|r#type| {
                outcomes.map(|outcome| events.get_or_create(&EventLabels { r#type, outcome }).clone())
            }),
            latency: types.map(|r#type| latency.get_or_create(&TypeLabel { r#type }).clone()),
            processing: Kind::ALL.map(|kind| {
                let handler = kind.label();
                outcomes.map(|outcome| processing.get_or_create(&HandlerLabels { handler, outcome }).clone())
            }),
            calls: Operation::ALL
                .map(|o| calls.get_or_create(&OperationLabel { operation: o.label() }).clone()),
            entries: Operation::ALL
                .map(|o| entries.get_or_create(&OperationLabel { operation: o.label() }).clone()),
            breakers: Downstream::ALL
                .map(|d| breakers.get_or_create(&DownstreamLabel { downstream: d.as_str() }).clone()),
            poll_errors: Counter::default(),
            running: Gauge::default(),
            waiting: Gauge::default(),
            work: Gauge::default(),
            limit: Gauge::default(),
            polls: Gauge::default(),
            unverified_payments: Counter::default(),
            acks_lost: Counter::default(),
            leases_lost: Counter::default(),
        };
        metrics.register("worker_events_total", "Events by how a run or a message ended", events);
        metrics.register("worker_latency_seconds", "From receive to settled", latency);
        metrics.register("worker_processing_duration_seconds", "Time in the handler", processing);
        metrics.register("worker_queue_calls_total", "Calls to the queue", calls);
        metrics.register("worker_queue_entries_total", "Messages in calls to the queue", entries);
        metrics.register("worker_breaker_open", "1 while calls to the downstream are held back", breakers);
        this.register_plain(metrics);
        this
    }

    fn register_plain(&self, metrics: &Metrics) {
        metrics.register(
            "worker_unverified_payments_total",
            "Approved events whose amount nobody could compare with the price",
            self.unverified_payments.clone(),
        );
        metrics.register("sqs_poll_errors_total", "Receives that failed", self.poll_errors.clone());
        metrics.register("worker_active_goroutines", "Handlers running now", self.running.clone());
        metrics.register("worker_waiting", "Messages received and not started", self.waiting.clone());
        metrics.register(
            "worker_work",
            "Messages visible in the queue and handlers running: what to scale on",
            self.work.clone(),
        );
        metrics.register("worker_concurrency_limit", "Handlers that may run at a time", self.limit.clone());
        metrics.register("worker_polls_in_air", "Receives that are waiting", self.polls.clone());
        metrics.register(
            "worker_acks_lost_total",
            "Deletes not confirmed before the lease ended",
            self.acks_lost.clone(),
        );
        metrics.register("worker_leases_lost_total", "Leases lost under a run", self.leases_lost.clone());
    }

    pub(crate) fn event(&self, kind: Option<Kind>, outcome: Outcome) {
        self.events[type_index(kind)][outcome as usize].inc();
    }

    /// Runs of a kind that had their effect, and messages that were buried.
    pub(crate) fn ended(&self, kind: Kind) -> (u64, u64) {
        let of = |outcome: Outcome| self.events[type_index(Some(kind))][outcome as usize].get();
        (of(Outcome::Success), of(Outcome::Failed))
    }

    pub(crate) fn settled(&self, kind: Option<Kind>, latency: Duration) {
        self.latency[type_index(kind)].observe(latency.as_secs_f64());
    }

    pub(crate) fn processed(&self, kind: Kind, outcome: Outcome, took: Duration) {
        self.processing[kind as usize][outcome as usize].observe(took.as_secs_f64());
    }

    pub(crate) fn called(&self, operation: Operation, entries: usize) {
        self.calls[operation as usize].inc();
        self.entries[operation as usize].inc_by(entries as u64);
    }

    pub(crate) fn unverified_payment(&self) {
        self.unverified_payments.inc();
    }

    pub(crate) fn breaker(&self, downstream: Downstream, open: bool) {
        self.breakers[downstream.index()].set(i64::from(open));
    }
}

fn histogram() -> Histogram {
    Histogram::new(duration_buckets())
}
