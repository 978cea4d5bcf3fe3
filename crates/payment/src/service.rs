//! The payment provider without sockets: load, decide, commit, report.
//!
//! Each resolution is ONE commit of the payment, the outbox row of its event, and its webhook, so
//! the event, the webhook and the status cannot disagree (trap T-M4). A refund commits together
//! with the payment that records it. Every change is compare-and-set on the payment's version. On a
//! conflict, and if the answer of a commit was lost (trap T-S9), the payment is loaded and decided
//! again; that changes nothing if the first commit was written after all.
//!
//! Card numbers and security codes never get here: the edge drops them.

use crate::config::ServiceOptions;
use crate::deps::Deps;
use crate::metrics::PaymentMetrics;
use crate::refusal::Refusal;
use crate::rows::{AnyRow, PaymentRow, WebhookRow, payment_key};
use crate::schedule::Schedule;
use domain::event::{Event, Fact, SeatsHint};
use domain::id::PaymentIntentId;
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::payment::{Outcome, Payment, Status};
use domain::time::Timestamp;
use outbox::RelayHandle;
use ports::store::{CommitError, Key, Row, Write};
use ports::table::{Decision, Tries, UpdateError};
use ports::{Clock, Entropy, Fault, FaultClass, Table, Trace, WebhookPost};
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

/// The service's name in events.
const SOURCE: &str = "payment-sim-api";

/// The payment provider. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    table: Table,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    post: Arc<dyn WebhookPost>,
    options: ServiceOptions,
    relay: RelayHandle,
    schedule: Schedule,
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
    scheduled: Vec<(Timestamp, Key)>,
}

impl Change {
    /// A change of the payment's row alone.
    const fn of_row(row: PaymentRow) -> Self {
        Self { row, writes: Vec::new(), event: None, scheduled: Vec::new() }
    }

    /// Every row of the commit: a payment, its event and its webhook are one (trap T-M4).
    fn all_writes(&self) -> Vec<Write> {
        let mut writes = self.writes.clone();
        writes.push(self.row.write());
        writes
    }
}

impl Service {
    pub(crate) fn new(
        options: ServiceOptions,
        deps: &Deps,
        relay: RelayHandle,
        schedule: Schedule,
        metrics: PaymentMetrics,
    ) -> Self {
        let Deps { store, webhook: post, clock, entropy, .. } = deps.clone();
        // Callers have deadlines of their own; a commit must not be given up before them.
        let table = Table::new(store, Arc::clone(&clock), None);
        let inner = Inner { table, clock, entropy, post, options, relay, schedule, metrics };
        Self { inner: Arc::new(inner) }
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
    pub async fn history(&self, intent: &PaymentIntentId) -> Result<Vec<AnyRow>, Refusal> {
        const PAGE: usize = 100;
        let rows = self.inner.table.list_all(&payment_key(intent).partition, PAGE).await?;
        let read = |row: &Row| {
            AnyRow::read(row).unwrap_or_else(|why| {
                tracing::error!(key = ?row.key, error = %why, "unreadable row");
                None
            })
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    async fn load(&self, intent: &PaymentIntentId) -> Result<Option<PaymentRow>, Fault> {
        let [row] = self.inner.table.get([payment_key(intent)]).await?;
        row.map(|row| read(intent, &row)).transpose()
    }

    /// Loads a payment, lets `decide` choose a change, and commits it. `None` changes nothing.
    async fn update(
        &self,
        intent: &PaymentIntentId,
        mut decide: impl FnMut(&PaymentRow, Timestamp) -> Result<Option<Change>, Refusal> + Send,
    ) -> Result<PaymentRow, Refusal> {
        let tries = Tries { commits_max: CONFLICT_RETRIES_MAX + 1, unanswered_max: u32::MAX };
        let updated = self
            .inner
            .table
            .update(
                &payment_key(intent),
                None,
                tries,
                |row| match row {
                    Some(row) => Ok(read(intent, &row)?),
                    None => Err(Refusal::NoSuchPayment(intent.clone())),
                },
                |row| {
                    Ok(match decide(row, self.inner.clock.now())? {
                        Some(mut change) => {
                            let writes = change.all_writes();
                            change.row.version += 1;
                            Decision::Write(writes, change)
                        }
                        None => Decision::Keep(Change::of_row(row.clone())),
                    })
                },
                |change, result| self.committed(change, result),
            )
            .await;
        match updated {
            Ok(change) => Ok(change.row),
            Err(UpdateError::Refused(refusal)) => Err(refusal),
            Err(UpdateError::Failed(fault)) => Err(fault.into()),
            Err(UpdateError::Contended) => {
                let message = format!("other writers keep changing payment {intent}");
                Err(Fault::new(FaultClass::Conflict, message).into())
            }
        }
    }

    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        let result = self.inner.table.commit(change.all_writes()).await;
        self.committed(change, &result);
        result
    }

    /// Announces the work that became due with a commit. If nothing was written after all, the
    /// announcement only costs a read.
    fn committed(&self, change: &Change, result: &Result<(), CommitError>) {
        let inner = &self.inner;
        if matches!(result, Ok(()) | Err(CommitError::Ambiguous(_))) {
            if let Some(event) = &change.event {
                inner.relay.notify(event.at, &event.id);
            }
            for (at, key) in &change.scheduled {
                inner.schedule.notify(*at, key.clone());
            }
        }
        if result.is_ok() && change.event.is_some() {
            inner.metrics.decided(change.row.payment.status);
        }
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
        let mut scheduled = Vec::new();
        if let Some(webhook) = self.next_webhook(&mut row, now, now) {
            scheduled.push((webhook.due_at, webhook.key()));
            writes.push(webhook.write());
        }
        Change { row, writes, event: Some(event), scheduled }
    }

    fn next_webhook(&self, row: &mut PaymentRow, due_at: Timestamp, now: Timestamp) -> Option<WebhookRow> {
        let target = self.webhook_target(row);
        webhook::next(row, target, due_at, now)
    }

    /// The present target of a payment's webhooks.
    fn webhook_target(&self, row: &PaymentRow) -> Option<Arc<str>> {
        row.webhook_url.clone().or_else(|| self.inner.options.webhooks.default_url.clone())
    }
}

fn read(intent: &PaymentIntentId, row: &Row) -> Result<PaymentRow, Fault> {
    PaymentRow::read(row)
        .map_err(|why| Fault::permanent(format!("the row of payment {intent} cannot be read")).because(why))
}

/// The event of an outcome. Its id is derived from the intent and the outcome, so the same fact
/// always has the same id.
fn event_of(row: &PaymentRow, at: Timestamp) -> Event {
    let payment = &row.payment;
    let (intent, amount) = (payment.intent.clone(), Some(payment.amount.clone()));
    let fact = match outcome_of(payment) {
        Outcome::Approved => Fact::PaymentApproved { intent, amount },
        Outcome::Failed { error_code } => {
            let error_message = Some(crate::error_text::message(&error_code).into());
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
            error_code: payment.error_code.clone().unwrap_or_else(|| crate::error_text::UNKNOWN_ERROR.into()),
        },
        _ => Outcome::Approved,
    }
}
