//! The rows of the payment service: readable attributes, written and read back.
//!
//! All rows of a payment share the partition `payment#<intent>`: the payment itself (sort
//! `payment`), its refunds (sort `refund#<idempotency key>`: invariant M3), and its webhooks (sort
//! `webhook#<id>`). Work that is due later has an entry in the index [`DUE`]. Readers from outside
//! (an invariant checker, `tacos trace`) use [`AnyRow::read`].

use contracts::payment::v1::PaymentMethod;
use domain::id::{InvalidId, PaymentIntentId, PersonId, ReservationId};
use domain::money::{Currency, Money};
use domain::payment::{Outcome, Payment, Scenario, Status};
use domain::time::Timestamp;
use ports::Trace;
use ports::store::{Attributes, Expect, IndexEntry, Key, Row, Write};
use std::sync::Arc;

mod webhook;

pub use webhook::{Delivery, WebhookRow, webhook_key};

/// The index of payments with a scheduled outcome and of unsent webhooks, by their time.
pub const DUE: &str = "payment_due";
/// The index of payments by person, newest first.
pub const BY_PERSON: &str = "payment_by_person";
/// The index of payments by reservation, newest first.
pub const BY_RESERVATION: &str = "payment_by_reservation";
/// Every index that an engine must have for this service.
pub const INDEXES: &[&str] = &[DUE, BY_PERSON, BY_RESERVATION, outbox::INDEX];
/// Shards of [`DUE`] and of the outbox.
pub const SHARDS: u32 = 16;

const PARTITION_PREFIX: &str = "payment#";
const PAYMENT_SORT: &str = "payment";
const REFUND_SORT: &str = "refund";

/// Indexes are read in ascending order and lists show the newest first, so entries are stored at
/// this number minus their time. It is beyond the year 144,000, and every engine holds the
/// difference exactly.
const HORIZON_MS: u64 = 1 << 52;

pub(crate) fn partition(intent: &str) -> String {
    format!("{PARTITION_PREFIX}{intent}")
}

/// The key of a payment.
pub fn payment_key(intent: &PaymentIntentId) -> Key {
    Key::new(partition(intent.as_str()), PAYMENT_SORT)
}

/// The key of the refund of a payment under an idempotency key.
pub fn refund_key(intent: &PaymentIntentId, idempotency_key: &str) -> Key {
    Key::new(partition(intent.as_str()), format!("{REFUND_SORT}#{idempotency_key}"))
}

/// Whether a row is a refund. Payments of earlier releases have one refund at most, without its key
/// in the sort key.
fn is_refund(sort: &str) -> bool {
    sort.strip_prefix(REFUND_SORT).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

/// The index time in a list that shows the newest first.
pub(crate) const fn newest_first(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(HORIZON_MS.saturating_sub(at.as_millis()))
}

/// A payment as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentRow {
    /// The part that the rules know.
    pub payment: Payment,
    /// The row's version; 0 before it is stored.
    pub version: u64,
    /// How the provider decides about it.
    pub scenario: Scenario,
    /// The means of payment that the caller named.
    pub method: PaymentMethod,
    /// The target of its webhooks, if its request named one; else they go to the service's default
    /// at that time. The default is not stored: it may differ after a restart, and must not make a
    /// repeated request look like another one.
    pub webhook_url: Option<Arc<str>>,
    /// When the provider decided.
    pub decided_at: Option<Timestamp>,
    /// The scheduled outcome.
    pub scheduled: Option<Scheduled>,
    /// How many webhooks were created.
    pub webhooks: u32,
    /// The trace of the last request to the provider, for the event and the webhook.
    pub trace: Trace,
}

/// An outcome that comes later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// When.
    pub at: Timestamp,
    /// What.
    pub outcome: Outcome,
}

/// An executed refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRow {
    /// The refunded payment.
    pub intent: PaymentIntentId,
    /// How much.
    pub amount: Money,
    /// The reason, as the caller gave it.
    pub reason: Arc<str>,
    /// The idempotency key of the request.
    pub idempotency_key: Arc<str>,
    /// When.
    pub at: Timestamp,
}

/// Any row of this service.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyRow {
    /// A payment.
    Payment(PaymentRow),
    /// A refund.
    Refund(RefundRow),
    /// A webhook.
    Webhook(WebhookRow),
}

/// An unreadable row of this service; names the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the attribute {0} is missing or malformed")]
pub struct Unreadable(pub &'static str);

impl AnyRow {
    /// Reads a row; `None` if it is not one of this service (an outbox row).
    ///
    /// # Errors
    /// If it is one of this service and cannot be read.
    pub fn read(row: &Row) -> Result<Option<Self>, Unreadable> {
        if !row.key.partition.starts_with(PARTITION_PREFIX) {
            return Ok(None);
        }
        Ok(match &*row.key.sort {
            PAYMENT_SORT => Some(Self::Payment(PaymentRow::read(row)?)),
            sort if is_refund(sort) => Some(Self::Refund(RefundRow::read(row)?)),
            sort if webhook::is_webhook(sort) => Some(Self::Webhook(WebhookRow::read(row)?)),
            _ => None,
        })
    }
}

pub(crate) fn is_payment(key: &Key) -> bool {
    &*key.sort == PAYMENT_SORT
}

impl PaymentRow {
    /// The write that creates or replaces the row, if it still has the version it was read at.
    pub(crate) fn write(&self) -> Write {
        let payment = &self.payment;
        let failed_as = |outcome: &Outcome| match outcome {
            Outcome::Approved => None,
            Outcome::Failed { error_code } => Some(error_code.clone()),
        };
        let attributes = Attributes::new()
            .with("payment_intent_id", payment.intent.as_str())
            .with("reservation_id", payment.reservation.as_str())
            .with_some("user_id", payment.person.as_ref().map(PersonId::as_str))
            .with("status", payment.status.as_str())
            .with("amount", payment.amount.amount)
            .with("currency", payment.amount.currency.as_str())
            .with("refunded", payment.refunded)
            .with_some("error_code", payment.error_code.clone())
            .with("created_at", payment.created_at)
            .with("updated_at", payment.updated_at)
            .with_some("decided_at", self.decided_at)
            .with("scenario", self.scenario.as_str())
            .with("method", self.method.as_str_name())
            .with_some("webhook_url", self.webhook_url.clone())
            .with("webhooks", self.webhooks)
            .with_some("scheduled_at", self.scheduled.as_ref().map(|next| next.at))
            .with_some("scheduled_failure", self.scheduled.as_ref().and_then(|next| failed_as(&next.outcome)))
            .with_some("trace_id", self.trace.trace_id.clone())
            .with_some("traceparent", self.trace.traceparent.clone());
        Write::Put {
            key: payment_key(&payment.intent),
            expect: Expect::unchanged(self.version),
            attributes,
            indexes: self.index_entries(),
        }
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        let payment = &self.payment;
        let at = newest_first(payment.created_at);
        let reservation = payment.reservation.as_str().into();
        let mut entries = vec![IndexEntry { index: BY_RESERVATION, shard: reservation, at }];
        entries.extend(payment.person.as_ref().map(|person| IndexEntry {
            index: BY_PERSON,
            shard: person.as_str().into(),
            at,
        }));
        entries.extend(self.scheduled.as_ref().map(|next| due_entry(payment.intent.as_str(), next.at)));
        entries
    }

    /// Reads the row of a payment.
    ///
    /// # Errors
    /// If an attribute is missing or malformed.
    pub fn read(row: &Row) -> Result<Self, Unreadable> {
        let a = &row.attributes;
        let amount = money(a)?;
        let scheduled = a.time("scheduled_at").map(|at| Scheduled {
            at,
            outcome: match a.text("scheduled_failure") {
                None => Outcome::Approved,
                Some(error_code) => Outcome::Failed { error_code: error_code.clone() },
            },
        });
        Ok(Self {
            payment: Payment {
                intent: id(a, "payment_intent_id", PaymentIntentId::parse)?,
                reservation: id(a, "reservation_id", ReservationId::parse)?,
                person: a.text("user_id").map(|_| id(a, "user_id", PersonId::parse)).transpose()?,
                amount,
                status: word(a, "status", Status::parse)?,
                refunded: natural(a, "refunded")?,
                error_code: a.text("error_code").cloned(),
                created_at: time(a, "created_at")?,
                updated_at: time(a, "updated_at")?,
            },
            version: row.version,
            scenario: word(a, "scenario", Scenario::parse)?,
            method: word(a, "method", PaymentMethod::from_str_name)?,
            webhook_url: a.text("webhook_url").cloned(),
            decided_at: a.time("decided_at"),
            scheduled,
            webhooks: natural(a, "webhooks")?.try_into().map_err(|_| Unreadable("webhooks"))?,
            trace: Trace {
                trace_id: a.text("trace_id").cloned(),
                traceparent: a.text("traceparent").cloned(),
            },
        })
    }
}

impl RefundRow {
    pub(crate) fn write(&self) -> Write {
        let attributes = Attributes::new()
            .with("payment_intent_id", self.intent.as_str())
            .with("amount", self.amount.amount)
            .with("currency", self.amount.currency.as_str())
            .with("reason", self.reason.clone())
            .with("idempotency_key", self.idempotency_key.clone())
            .with("refunded_at", self.at);
        // A second refund under the same key cannot be written, whatever else is wrong.
        let key = refund_key(&self.intent, &self.idempotency_key);
        Write::Put { key, expect: Expect::Absent, attributes, indexes: Vec::new() }
    }

    /// Reads the row of a refund.
    ///
    /// # Errors
    /// If an attribute is missing or malformed.
    pub fn read(row: &Row) -> Result<Self, Unreadable> {
        let a = &row.attributes;
        Ok(Self {
            intent: id(a, "payment_intent_id", PaymentIntentId::parse)?,
            amount: money(a)?,
            reason: text(a, "reason")?,
            idempotency_key: text(a, "idempotency_key")?,
            at: time(a, "refunded_at")?,
        })
    }
}

fn due_entry(intent: &str, at: Timestamp) -> IndexEntry {
    IndexEntry { index: DUE, shard: outbox::shard_of(intent, SHARDS), at }
}

fn money(a: &Attributes) -> Result<Money, Unreadable> {
    let currency = word(a, "currency", Currency::parse)?;
    Ok(Money { amount: natural(a, "amount")?, currency })
}

fn text(a: &Attributes, name: &'static str) -> Result<Arc<str>, Unreadable> {
    a.text(name).cloned().ok_or(Unreadable(name))
}

fn id<T>(
    a: &Attributes,
    name: &'static str,
    parse: fn(&str) -> Result<T, InvalidId>,
) -> Result<T, Unreadable> {
    a.text(name).and_then(|text| parse(text).ok()).ok_or(Unreadable(name))
}

fn word<T>(a: &Attributes, name: &'static str, parse: fn(&str) -> Option<T>) -> Result<T, Unreadable> {
    a.text(name).and_then(|text| parse(text)).ok_or(Unreadable(name))
}

fn natural(a: &Attributes, name: &'static str) -> Result<u64, Unreadable> {
    a.number(name).and_then(|number| u64::try_from(number).ok()).ok_or(Unreadable(name))
}

fn time(a: &Attributes, name: &'static str) -> Result<Timestamp, Unreadable> {
    a.time(name).ok_or(Unreadable(name))
}

#[cfg(test)]
mod tests;
