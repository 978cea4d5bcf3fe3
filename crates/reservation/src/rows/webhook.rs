//! An accepted webhook: its id is stored in the commit that writes its event, so a replay has no
//! second effect (trap T-M5). The row is also this service's record of the provider's answer
//! about the payment.

use super::{remembered, ttl};
use domain::event::Kind;
use domain::id::{PaymentIntentId, ReservationId};
use domain::money::{Currency, Money};
use domain::time::Timestamp;
use ports::store::{Attributes, Expect, Key, Row, Write};
use std::sync::Arc;

const PARTITION_PREFIX: &str = "webhook#";
const SORT: &str = "webhook";

/// One webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// `X-Webhook-Id`.
    pub id: Arc<str>,
    /// Approved or failed.
    pub kind: Kind,
    /// The payment.
    pub intent: PaymentIntentId,
    /// The reservation that the payment is for.
    pub reservation: ReservationId,
    /// The amount of the payment.
    pub amount: Money,
    /// When it was accepted.
    pub received_at: Timestamp,
}

impl WebhookRow {
    /// The key of a webhook.
    pub fn key(id: &str) -> Key {
        Key::new(format!("{PARTITION_PREFIX}{id}"), SORT)
    }

    /// Whether another webhook says the same about the same payment.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.kind, &self.intent, &self.reservation) == (other.kind, &other.intent, &other.reservation)
    }

    /// The write of a new webhook.
    pub fn write(&self) -> Write {
        let (until, forget) = remembered(self.reservation.as_str(), self.received_at);
        let attributes = Attributes::new()
            .with("webhook_id", self.id.clone())
            .with("type", self.kind.wire())
            .with("payment_intent_id", self.intent.as_str())
            .with("reservation_id", self.reservation.as_str())
            .with("amount", self.amount.amount)
            .with("currency", self.amount.currency.as_str())
            .with("received_at", self.received_at)
            .with("expires_at", ttl(until));
        Write::Put { key: Self::key(&self.id), expect: Expect::Absent, attributes, indexes: vec![forget] }
    }

    /// Reads a row; `None` if it is not a webhook or lacks a part.
    pub fn read(row: &Row) -> Option<Self> {
        let a = &row.attributes;
        if &*row.key.sort != SORT || !row.key.partition.starts_with(PARTITION_PREFIX) {
            return None;
        }
        Some(Self {
            id: a.text("webhook_id")?.clone(),
            kind: kind_from_wire(a.text("type")?)?,
            intent: PaymentIntentId::parse(a.text("payment_intent_id")?).ok()?,
            reservation: ReservationId::parse(a.text("reservation_id")?).ok()?,
            amount: Money {
                amount: u64::try_from(a.number("amount")?).ok()?,
                currency: Currency::parse(a.text("currency")?)?,
            },
            received_at: a.time("received_at")?,
        })
    }
}

/// The kind of a payment event from its name on the wire.
pub(crate) fn kind_from_wire(text: &str) -> Option<Kind> {
    [Kind::Approved, Kind::Failed].into_iter().find(|kind| kind.wire() == text)
}
