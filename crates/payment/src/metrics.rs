//! The metrics of the payment service. Label values come from closed sets.

use crate::rows::Delivery;
use domain::payment::Status;
use outbox::RelayMetrics;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use runtime::Metrics;

/// The metrics of the payment service.
#[derive(Debug, Clone, Default)]
pub struct PaymentMetrics {
    decided: Family<[(&'static str, &'static str); 1], Counter>,
    webhooks: Family<[(&'static str, &'static str); 1], Counter>,
}

impl PaymentMetrics {
    pub(crate) fn register(&self, metrics: &Metrics, relay: &RelayMetrics) {
        metrics.add(|registry| relay.register(registry));
        metrics.register("payments_decided_total", "Payments that reached an outcome.", self.decided.clone());
        let help = "Webhook attempts by result: DELIVERED, PENDING (will be retried), GIVEN_UP.";
        metrics.register("payment_webhook_attempts_total", help, self.webhooks.clone());
    }

    pub(crate) fn decided(&self, status: Status) {
        self.decided.get_or_create(&[("status", status.as_str())]).inc();
    }

    pub(crate) fn webhook(&self, delivery: Delivery) {
        self.webhooks.get_or_create(&[("outcome", delivery.as_str())]).inc();
    }
}
