//! The row of one webhook, from its creation to its delivery or its end.

use super::{Unreadable, due_entry, id, natural, partition, text, time, word};
use domain::id::PaymentIntentId;
use domain::time::Timestamp;
use ports::store::{Attributes, Expect, Key, Row, Write};
use std::sync::Arc;

const SORT_PREFIX: &str = "webhook#";

/// The state of a webhook's delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It will be sent at `due_at`.
    Pending,
    /// The receiver answered with 2xx.
    Delivered,
    /// The receiver accepted none of the attempts.
    GivenUp,
}

/// A webhook as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its id, the same at every attempt.
    pub id: Arc<str>,
    /// The payment that it reports.
    pub intent: PaymentIntentId,
    /// The row's version; 0 before it is stored.
    pub version: u64,
    /// The target URL.
    pub url: Arc<str>,
    /// The JSON body.
    pub body: Arc<str>,
    /// The state of its delivery.
    pub delivery: Delivery,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next attempt is due, or when the last one was.
    pub due_at: Timestamp,
    /// The error of the last failed attempt.
    pub last_error: Option<Arc<str>>,
    /// The trace to pass on.
    pub traceparent: Option<Arc<str>>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The key of a webhook.
pub fn webhook_key(intent: &PaymentIntentId, webhook: &str) -> Key {
    Key::new(partition(intent.as_str()), format!("{SORT_PREFIX}{webhook}"))
}

pub(super) fn is_webhook(sort: &str) -> bool {
    sort.starts_with(SORT_PREFIX)
}

impl Delivery {
    const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::GivenUp];

    /// The text in rows and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Delivered => "DELIVERED",
            Self::GivenUp => "GIVEN_UP",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|delivery| delivery.as_str() == text)
    }
}

impl WebhookRow {
    pub(crate) fn key(&self) -> Key {
        webhook_key(&self.intent, &self.id)
    }

    pub(crate) fn write(&self) -> Write {
        let attributes = Attributes::new()
            .with("webhook_id", self.id.clone())
            .with("payment_intent_id", self.intent.as_str())
            .with("url", self.url.clone())
            .with("body", self.body.clone())
            .with("delivery", self.delivery.as_str())
            .with("attempts", self.attempts)
            .with("due_at", self.due_at)
            .with_some("last_error", self.last_error.clone())
            .with_some("traceparent", self.traceparent.clone())
            .with("created_at", self.created_at);
        let due = (self.delivery == Delivery::Pending).then(|| due_entry(self.intent.as_str(), self.due_at));
        Write::Put {
            key: self.key(),
            expect: Expect::unchanged(self.version),
            attributes,
            indexes: due.into_iter().collect(),
        }
    }

    /// Reads the row of a webhook.
    ///
    /// # Errors
    /// If an attribute is missing or malformed.
    pub fn read(row: &Row) -> Result<Self, Unreadable> {
        let a = &row.attributes;
        Ok(Self {
            id: text(a, "webhook_id")?,
            intent: id(a, "payment_intent_id", PaymentIntentId::parse)?,
            version: row.version,
            url: text(a, "url")?,
            body: text(a, "body")?,
            delivery: word(a, "delivery", Delivery::parse)?,
            attempts: natural(a, "attempts")?.try_into().map_err(|_| Unreadable("attempts"))?,
            due_at: time(a, "due_at")?,
            last_error: a.text("last_error").cloned(),
            traceparent: a.text("traceparent").cloned(),
            created_at: time(a, "created_at")?,
        })
    }
}
