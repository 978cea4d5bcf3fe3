//! Brings a payment to its outcome: as its scenario says, later, or as a caller simulates the
//! provider.

use super::{Change, Service, outcome_of};
use crate::refusal::Refusal;
use crate::rows::{PaymentRow, Scheduled, payment_key};
use core::time::Duration;
use domain::hash::fnv1a;
use domain::id::PaymentIntentId;
use domain::payment::{Answer, Command, Decision, Outcome, Payment, Rejection, Status, decide};
use domain::random::SplitMix64;
use domain::time::Timestamp;
use ports::plant::{Plant, planted};
use ports::{Trace, probe};
use std::sync::Arc;

/// The longest delay of a simulated outcome.
const DELAY_MAX: Duration = Duration::from_secs(24 * 3600);

/// Decides an intent as if the provider had decided, or sends its webhook again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulateWebhook {
    /// The intent.
    pub intent: PaymentIntentId,
    /// The provider's decision.
    pub outcome: Outcome,
    /// How much later it takes effect.
    pub delay: Duration,
    /// Sends a webhook even if the intent already has this outcome.
    pub force: bool,
}

/// The effect of a [`SimulateWebhook`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The new webhook. `None` if the intent has no target, is already decided, or will be decided
    /// later.
    pub webhook: Option<Arc<str>>,
    /// When it takes effect.
    pub at: Timestamp,
    /// Whether it has an effect: an outcome or a webhook.
    pub effect: bool,
}

impl Service {
    /// Asks the provider to take the money. A repetition gets the same answer: a decided intent
    /// stays as it is, and one with a scheduled outcome waits for it. A repetition may find the
    /// money already given back and is answered with that status, because an error would mean that
    /// nothing was taken. TIMEOUT never answers: only [`Self::simulate`] or a cancel ends it.
    ///
    /// # Errors
    /// No such payment; voided already; a failure of the store.
    pub async fn process(&self, intent: &PaymentIntentId, trace: &Trace) -> Result<PaymentRow, Refusal> {
        self.update(intent, |row, now| match row.payment.status {
            Status::Captured | Status::Failed | Status::Authorized | Status::Refunded => Ok(None),
            Status::Pending => {
                match row.scenario.answer(&self.inner.options.scenarios, &mut self.dice(intent)) {
                    Answer::Now(outcome) => self.resolved(row, outcome, trace, now),
                    Answer::Later(delay, outcome) => {
                        let decision = self.decided(row, &Command::Authorize, now)?;
                        let Decision::Change { payment, .. } = decision else { return Ok(None) };
                        let row = PaymentRow { payment, trace: trace.clone(), ..row.clone() };
                        Ok(Some(scheduled(row, now.plus(delay), outcome)))
                    }
                    Answer::Silence => Ok(None),
                }
            }
            Status::Voided => Err(refused(row, Rejection::Decided(Status::Voided))),
        })
        .await
    }

    /// Decides an intent from outside, at once or later, or sends its webhook again.
    ///
    /// # Errors
    /// No such payment; decided otherwise already, because the event and the webhook always agree
    /// with the status; a delay beyond a day; a failure of the store.
    pub async fn simulate(&self, command: &SimulateWebhook, trace: &Trace) -> Result<Simulated, Refusal> {
        if command.delay > DELAY_MAX {
            let words = format!("delay_seconds must be 0 to {}", DELAY_MAX.as_secs());
            return Err(Refusal::invalid("delay_seconds", words));
        }
        let mut simulated = Simulated { webhook: None, at: self.inner.clock.now(), effect: false };
        // What an earlier attempt of this call tried: if the answer of its commit was lost, its
        // effect is ours.
        let (mut resolved, mut forced) = (false, None::<u32>);
        let row = self
            .update(&command.intent, |row, now| {
                let at = now.plus(command.delay);
                (simulated.at, simulated.effect) = (at, true);
                if !row.payment.status.is_decided() || fails_late(&row.payment, &command.outcome) {
                    if command.delay.is_zero() {
                        resolved = true;
                        return self.resolved(row, command.outcome.clone(), trace, now);
                    }
                    let row = PaymentRow { trace: trace.clone(), ..row.clone() };
                    return Ok(Some(scheduled(row, at, command.outcome.clone())));
                }
                self.agrees(row, &command.outcome)?;
                let is_done = resolved || forced.is_some_and(|before| row.webhooks > before);
                if !command.force || is_done || self.webhook_target(row).is_none() {
                    simulated.effect = is_done;
                    return Ok(None);
                }
                forced = Some(row.webhooks);
                let mut row = row.clone();
                let webhook = self.next_webhook(&mut row, at, now);
                let scheduled = webhook.iter().map(|webhook| (webhook.due_at, webhook.key())).collect();
                let writes = webhook.iter().map(crate::rows::WebhookRow::write).collect();
                Ok(Some(Change { row, writes, event: None, scheduled }))
            })
            .await?;
        let sent = simulated.effect && row.payment.status.is_decided() && row.webhooks > 0;
        simulated.webhook = sent.then(|| super::webhook::id(&command.intent, row.webhooks));
        Ok(simulated)
    }

    /// Carries out a due outcome. Returns when to retry if it is not due yet.
    pub(crate) async fn carry_out(&self, intent: &PaymentIntentId) -> Result<Option<Timestamp>, Refusal> {
        let row = self
            .update(intent, |row, now| match &row.scheduled {
                Some(next) if next.at <= now => self.resolved(row, next.outcome.clone(), &row.trace, now),
                _ => Ok(None),
            })
            .await?;
        Ok(row.scheduled.map(|next| next.at))
    }

    fn resolved(
        &self,
        row: &PaymentRow,
        outcome: Outcome,
        trace: &Trace,
        now: Timestamp,
    ) -> Result<Option<Change>, Refusal> {
        match self.decided(row, &Command::Resolve(outcome), now)? {
            Decision::Change { payment, .. } => Ok(Some(self.outcome(row, payment, trace, now))),
            Decision::Unchanged => Ok(None),
        }
    }

    pub(super) fn decided(
        &self,
        row: &PaymentRow,
        command: &Command,
        now: Timestamp,
    ) -> Result<Decision, Refusal> {
        let reopened = reopened(&row.payment, command);
        let decision = decide(reopened.as_ref().unwrap_or(&row.payment), command, now)
            .map_err(|rejection| refused(row, rejection))?;
        probe::hit_variant("payment", &decision);
        Ok(decision)
    }

    /// Whether a decided payment has this outcome, whatever its error code. A refunded payment no
    /// longer agrees with any.
    fn agrees(&self, row: &PaymentRow, outcome: &Outcome) -> Result<(), Refusal> {
        let same = match row.payment.status {
            Status::Captured | Status::Failed => {
                matches!(outcome, Outcome::Approved) == matches!(outcome_of(&row.payment), Outcome::Approved)
            }
            _ => false,
        };
        if same { Ok(()) } else { Err(refused(row, Rejection::Decided(row.payment.status))) }
    }

    /// The dice of one intent: the same seed and intent give the same result, in any order of
    /// intents.
    fn dice(&self, intent: &PaymentIntentId) -> SplitMix64 {
        SplitMix64::new(self.inner.options.random_seed ^ fnv1a(intent.as_str().as_bytes()))
    }
}

fn refused(row: &PaymentRow, rejection: Rejection) -> Refusal {
    probe::hit_variant("payment", &rejection);
    Refusal::Rejected(row.payment.intent.clone(), rejection)
}

/// A decided payment as a planted bug sees it: undecided, or never refunded.
fn reopened(payment: &Payment, command: &Command) -> Option<Payment> {
    let status = match command {
        Command::Resolve(outcome) if fails_late(payment, outcome) => Status::Authorized,
        Command::Cancel { .. } if payment.status == Status::Refunded && planted(Plant::RefundTwice) => {
            Status::Captured
        }
        _ => return None,
    };
    Some(Payment { status, refunded: 0, ..payment.clone() })
}

fn fails_late(payment: &Payment, outcome: &Outcome) -> bool {
    planted(Plant::LateFailureWins)
        && payment.status == Status::Captured
        && matches!(outcome, Outcome::Failed { .. })
}

/// The change that schedules an outcome.
fn scheduled(mut row: PaymentRow, at: Timestamp, outcome: Outcome) -> Change {
    row.scheduled = Some(Scheduled { at, outcome });
    let scheduled = vec![(at, payment_key(&row.payment.intent))];
    Change { row, writes: Vec::new(), event: None, scheduled }
}
