//! The metrics of the service. Label values come from closed sets.

use domain::reservation::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use runtime::Metrics;

/// The metrics of one service. A clone shares the same numbers.
#[derive(Debug, Clone, Default)]
pub struct ServiceMetrics {
    created: Family<Outcome, Counter>,
    moved: Family<To, Counter>,
    webhooks: Family<Outcome, Counter>,
    passes: Family<Outcome, Counter>,
    swept: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct To {
    status: &'static str,
}

impl ServiceMetrics {
    /// Metrics in the registry of a process.
    pub fn register(metrics: &Metrics) -> Self {
        let this = Self::default();
        metrics.register(
            "reservations_created_total",
            "Answered creates: placed, or recorded before",
            this.created.clone(),
        );
        metrics.register(
            "reservations_ended_total",
            "Reservations by the status they reached",
            this.moved.clone(),
        );
        metrics.register(
            "payment_webhooks_total",
            "Payment webhooks that were accepted",
            this.webhooks.clone(),
        );
        metrics.register(
            "waiting_room_passes_total",
            "Passes of the waiting room that were redeemed, or refused and why",
            this.passes.clone(),
        );
        metrics.register(
            "reservations_swept_total",
            "Expiries that the sweeper announced again",
            this.swept.clone(),
        );
        this
    }

    pub(crate) fn created(&self, outcome: &'static str) {
        self.created.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn moved(&self, to: Status) {
        self.moved.get_or_create(&To { status: to.as_str() }).inc();
    }

    pub(crate) fn webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn pass(&self, outcome: &'static str) {
        self.passes.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn swept(&self) {
        self.swept.inc();
    }
}
