//! The payment provider without sockets: load, decide, commit, report.
//!
//! Each resolution is ONE commit of the payment, the outbox row of its event, and its webhook, so
//! the event, the webhook and the status cannot disagree (trap T-M4). A refund commits together
//! with the payment that records it. Every change is compare-and-set on the payment's version. On a
//! conflict, and if the answer of a commit was lost (trap T-S9), the payment is loaded and decided
//! again; that changes nothing if the first commit was written after all.
//!
//! Card numbers and security codes never get here: the edge drops them.

use crate::errands::ErrandsHandle;
use crate::metrics::PaymentMetrics;
use crate::refusal::Refusal;
use crate::rows::{PaymentRow, WebhookRow, payment_key};
use domain::event::{Event, Fact, SeatsHint};
use domain::id::PaymentIntentId;
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::payment::{Outcome, Payment, ScenarioRules, Status};
use domain::time::Timestamp;
use outbox::RelayHandle;
use ports::plant::{Plant, planted};
use ports::store::{CommitError, Key, Write};
use ports::{Clock, Entropy, Fault, Store, Trace};
use std::sync::Arc;

mod cancel;
mod create;
mod list;
mod port;
mod resolve;
mod webhook;

pub use cancel::Cancellation;
pub use create::CreateIntent;
pub use list::{ListPayments, Page};
pub use resolve::{SimulateWebhook, Simulated};
pub use webhook::{WebhookPost, WebhookRequest};

/// The service's name in events.
const SOURCE: &str = "payment-sim-api";

/// The options of the service.
#[derive(Clone)]
pub struct ServiceOptions {
    /// The parameters of the scenarios.
    pub scenarios: ScenarioRules,
    /// Seeds the scenario RANDOM, together with the intent.
    pub random_seed: u64,
    /// Where webhooks go and how they are signed.
    pub webhooks: WebhookOptions,
}

/// Where webhooks go and how they are signed.
#[derive(Clone)]
pub struct WebhookOptions {
    /// Used when an intent names no URL.
    pub default_url: Option<Arc<str>>,
    /// Signs every webhook; without it there are none.
    pub secret: Option<secrecy::SecretString>,
    /// Hosts that an intent may name; empty = any.
    pub hosts: Vec<String>,
    /// The longest one attempt may take.
    pub timeout: core::time::Duration,
}

/// The payment provider. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    post: Arc<dyn WebhookPost>,
    options: ServiceOptions,
    relay: RelayHandle,
    errands: ErrandsHandle,
    metrics: PaymentMetrics,
}

/// A decided change, committed as a whole.
pub(crate) struct Change {
    /// The payment after it.
    row: PaymentRow,
    /// The other rows of the commit.
    writes: Vec<Write>,
    /// The event that it makes due.
    event: Option<Event>,
    /// The later work that it schedules.
    errands: Vec<(Timestamp, Key)>,
}

impl Service {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        post: Arc<dyn WebhookPost>,
        options: ServiceOptions,
        relay: RelayHandle,
        errands: ErrandsHandle,
        metrics: PaymentMetrics,
    ) -> Self {
        Self { shared: Arc::new(Shared { store, clock, entropy, post, options, relay, errands, metrics }) }
    }

    /// Reads a payment.
    ///
    /// # Errors
    /// No such payment, or a failure of the store.
    pub async fn get(&self, intent: &PaymentIntentId) -> Result<PaymentRow, Refusal> {
        self.load(intent).await?.ok_or_else(|| Refusal::NoSuchPayment(intent.clone()))
    }

    /// Every stored row of a payment, for `tacos trace`.
    ///
    /// # Errors
    /// A failure of the store. Unreadable rows are skipped and logged.
    pub async fn history(&self, intent: &PaymentIntentId) -> Result<Vec<crate::rows::AnyRow>, Refusal> {
        const PAGE: usize = 100;
        let partition = payment_key(intent).partition;
        let (mut all, mut after): (Vec<_>, Option<Arc<str>>) = (Vec::new(), None);
        loop {
            let rows = self.shared.store.list(&partition, after.as_deref(), PAGE).await?;
            let Some(last) = rows.last() else { return Ok(all) };
            after = Some(last.key.sort.clone());
            for row in &rows {
                match crate::rows::AnyRow::read(row) {
                    Some(Ok(read)) => all.push(read),
                    Some(Err(why)) => tracing::error!(key = ?row.key, error = %why, "a row cannot be read"),
                    None => {}
                }
            }
        }
    }

    async fn load(&self, intent: &PaymentIntentId) -> Result<Option<PaymentRow>, Fault> {
        let key = payment_key(intent);
        let rows = self.shared.store.get(std::slice::from_ref(&key)).await?;
        let row = rows.into_iter().next().flatten();
        row.map(|row| PaymentRow::read(&row)).transpose().map_err(|why| {
            Fault::permanent(format!("the row of payment {intent} cannot be read")).because(why)
        })
    }

    /// Loads a payment, lets `decide` choose a change, and commits it. `None` changes nothing.
    async fn update(
        &self,
        intent: &PaymentIntentId,
        mut decide: impl FnMut(&PaymentRow, Timestamp) -> Result<Option<Change>, Refusal> + Send,
    ) -> Result<PaymentRow, Refusal> {
        for _ in 0..=CONFLICT_RETRIES_MAX {
            let row = self.get(intent).await?;
            let Some(change) = decide(&row, self.shared.clock.now())? else { return Ok(row) };
            match self.commit(&change).await {
                Ok(()) => {
                    let mut row = change.row;
                    row.version += 1;
                    return Ok(row);
                }
                Err(CommitError::Failed(fault)) => return Err(fault.into()),
                // Load again: another writer was faster, or our commit was written, or it was not.
                Err(CommitError::Conflict { .. } | CommitError::Ambiguous(_)) => {}
            }
        }
        let words = format!("payment {intent} is changed by others all the time");
        Err(Fault::new(ports::FaultClass::Conflict, words).into())
    }

    /// Commits a change and announces the work that became due. If nothing was written after all,
    /// the announcement only costs a read.
    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        let shared = &self.shared;
        let committed = self.commit_whole(change).await;
        if matches!(committed, Ok(()) | Err(CommitError::Ambiguous(_))) {
            if let Some(event) = &change.event {
                shared.relay.notify(event.at, &event.id);
            }
            for (at, key) in &change.errands {
                shared.errands.notify(*at, key.clone());
            }
        }
        if committed.is_ok() && change.event.is_some() {
            shared.metrics.decided(change.row.payment.status);
        }
        committed
    }

    /// A payment, its event and its webhook are one commit (trap T-M4).
    async fn commit_whole(&self, change: &Change) -> Result<(), CommitError> {
        let (store, mut writes) = (&self.shared.store, change.writes.clone());
        if planted(Plant::EventApart) && change.event.is_some() {
            store.commit(vec![change.row.write()]).await?;
            return store.commit(writes).await;
        }
        writes.push(change.row.write());
        store.commit(writes).await
    }

    /// The change that brings a payment to its outcome, with its event, and with its webhook if
    /// there is a target.
    fn outcome(&self, row: &PaymentRow, payment: Payment, trace: &Trace, now: Timestamp) -> Change {
        let mut row = PaymentRow {
            payment,
            decided_at: Some(now),
            scheduled: None,
            trace: trace.clone(),
            ..row.clone()
        };
        let event = event_of(&row, now);
        let mut writes = vec![outbox::row_write_traced(&event, now, crate::rows::SHARDS, trace)];
        let mut errands = Vec::new();
        if let Some(webhook) = self.next_webhook(&mut row, now, now) {
            errands.push((webhook.due_at, webhook.key()));
            writes.push(webhook.write());
        }
        Change { row, writes, event: Some(event), errands }
    }

    fn next_webhook(&self, row: &mut PaymentRow, due_at: Timestamp, now: Timestamp) -> Option<WebhookRow> {
        let target = self.webhook_target(row);
        webhook::next(row, target, due_at, now)
    }

    /// The present target of a payment's webhooks.
    fn webhook_target(&self, row: &PaymentRow) -> Option<Arc<str>> {
        row.webhook_url.clone().or_else(|| self.shared.options.webhooks.default_url.clone())
    }
}

/// The event of an outcome. Its id is derived from the intent and the outcome, so the same fact
/// always has the same id.
fn event_of(row: &PaymentRow, at: Timestamp) -> Event {
    let payment = &row.payment;
    let (intent, amount) = (payment.intent.clone(), Some(payment.amount.clone()));
    let fact = match outcome_of(payment) {
        Outcome::Approved => Fact::PaymentApproved { intent, amount },
        Outcome::Failed { error_code } => {
            let error_message = Some(crate::words::of_error(&error_code).into());
            Fact::PaymentFailed { intent, amount, error_code: Some(error_code), error_message }
        }
    };
    Event {
        id: outbox::payment_event_id(&payment.intent, fact.kind()),
        source: SOURCE.into(),
        at,
        trace_id: row.trace.trace_id.clone(),
        reservation: payment.reservation.clone(),
        seats: SeatsHint::default(),
        person: payment.person.clone(),
        fact,
    }
}

/// The outcome of a decided payment. A refunded payment was approved before.
pub(crate) fn outcome_of(payment: &Payment) -> Outcome {
    match payment.status {
        Status::Failed => Outcome::Failed {
            error_code: payment.error_code.clone().unwrap_or_else(|| crate::words::UNKNOWN_ERROR.into()),
        },
        _ => Outcome::Approved,
    }
}
