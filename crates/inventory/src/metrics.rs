//! The metrics of the inventory.

use domain::hold::Rejection;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    r#type: &'static str,
}

/// `inventory_conflicts_total{type}`: rows that changed under a decision (`seat`, `hold`, `commit`,
/// `release`), and buyers who came too late (`taken`, `sold_out`).
#[derive(Debug, Clone, Default)]
pub struct InventoryMetrics {
    conflicts: Family<Kind, Counter>,
}

impl InventoryMetrics {
    /// Registers the metrics, so that `/metrics` shows them.
    pub fn register(&self, metrics: &runtime::Metrics) {
        metrics.register(
            "inventory_conflicts",
            "Rows that changed under a decision, and buyers who came too late.",
            self.conflicts.clone(),
        );
    }

    pub(crate) fn conflict(&self, r#type: &'static str) {
        self.conflicts.get_or_create(&Kind { r#type }).inc();
    }

    pub(crate) fn refused(&self, rejection: &Rejection) {
        match rejection {
            Rejection::SeatTaken(_) => self.conflict("taken"),
            Rejection::SoldOut { .. } => self.conflict("sold_out"),
            _ => {}
        }
    }
}
