//! Webhooks: created in the commit of their outcome, signed at each attempt, retried until the
//! receiver accepts them or they are given up.
//!
//! The body is fixed at creation; the timestamp and the signature belong to the attempt (trap T-M5:
//! a receiver that allows five minutes must not refuse a late attempt). The id is the same at every
//! attempt, so a receiver recognises a repetition after its answer was lost.

use super::{Service, outcome_of};
use crate::rows::{Delivery, PaymentRow, WebhookRow};
use contracts::rest::webhook::{ID_HEADER, Moment, PaymentWebhook, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use core::time::Duration;
use domain::event::Kind;
use domain::id::PaymentIntentId;
use domain::payment::Outcome;
use domain::time::Timestamp;
use ports::store::{CommitError, Key};
use ports::{Fault, WebhookRequest, clock};
use secrecy::ExposeSecret;
use std::sync::Arc;

/// The rest after each failed attempt (`docs/contracts.md#payment-sim-api`). After the attempt that
/// follows the last rest the webhook is given up.
const RETRY_RESTS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// The rest after a failure of the store.
const STORE_REST: Duration = Duration::from_secs(1);
const ERROR_CHARS_MAX: usize = 200;

/// The id of the `number`-th webhook of an intent, counted from 1.
pub(super) fn id(intent: &PaymentIntentId, number: u32) -> Arc<str> {
    let tail = intent.as_str().strip_prefix("pay_").unwrap_or(intent.as_str());
    format!("whk_{tail}_{number}").into()
}

/// The next webhook of a decided payment, counted on its row; `None` without a target.
pub(super) fn next(
    row: &mut PaymentRow,
    target: Option<Arc<str>>,
    due_at: Timestamp,
    now: Timestamp,
) -> Option<WebhookRow> {
    let url = target?;
    row.webhooks = row.webhooks.saturating_add(1);
    let payment = &row.payment;
    let (kind, error_code) = match outcome_of(payment) {
        Outcome::Approved => (Kind::Approved, None),
        Outcome::Failed { error_code } => (Kind::Failed, Some(error_code.to_string())),
    };
    let body = PaymentWebhook {
        kind: kind.wire().to_owned(),
        reservation_id: payment.reservation.to_string(),
        payment_intent_id: payment.intent.to_string(),
        amount: payment.amount.amount,
        currency: payment.amount.currency.as_str().to_owned(),
        error_code,
        ts: Moment::Text(contracts::time::rfc3339(row.decided_at.unwrap_or(now))),
    };
    Some(WebhookRow {
        id: id(&payment.intent, row.webhooks),
        intent: payment.intent.clone(),
        version: 0,
        url,
        body: serde_json::to_string(&body).expect("texts and numbers are always JSON").into(),
        delivery: Delivery::Pending,
        attempts: 0,
        due_at,
        last_error: None,
        traceparent: row.trace.traceparent.clone(),
        created_at: now,
    })
}

impl Service {
    /// Makes one attempt at a due webhook. Returns when to retry if there will be another attempt.
    pub(crate) async fn deliver(&self, key: &Key) -> Result<Option<Timestamp>, Fault> {
        let inner = &self.inner;
        let [row] = inner.table.get([key.clone()]).await?;
        let Some(row) = row else { return Ok(None) };
        let mut webhook = WebhookRow::read(&row)
            .map_err(|why| Fault::permanent("the row of a webhook cannot be read").because(why))?;
        if webhook.delivery != Delivery::Pending {
            return Ok(None);
        }
        if webhook.due_at > inner.clock.now() {
            return Ok(Some(webhook.due_at));
        }
        let sent = self.attempt(&webhook).await;
        let now = inner.clock.now();
        webhook.attempts = webhook.attempts.saturating_add(1);
        webhook.due_at = now;
        match sent {
            Ok(()) => webhook.delivery = Delivery::Delivered,
            Err(why) => {
                tracing::warn!(
                    webhook_id = &*webhook.id,
                    attempt = webhook.attempts,
                    error = why,
                    "webhook attempt failed"
                );
                webhook.last_error = Some(why.chars().take(ERROR_CHARS_MAX).collect::<String>().into());
                match RETRY_RESTS.get(webhook.attempts as usize - 1) {
                    Some(rest) => webhook.due_at = now.plus(*rest),
                    None => webhook.delivery = Delivery::GivenUp,
                }
            }
        }
        inner.metrics.webhook(webhook.delivery);
        match inner.table.commit(vec![webhook.write()]).await {
            Ok(()) => Ok((webhook.delivery == Delivery::Pending).then_some(webhook.due_at)),
            // Another instance was faster, or the answer was lost: read the row again.
            Err(CommitError::Conflict { .. } | CommitError::Ambiguous(_)) => Ok(Some(now)),
            // An accepted webhook is then sent once more, under the same id.
            Err(CommitError::Failed(fault)) => {
                tracing::warn!(
                    webhook_id = &*webhook.id,
                    error = fault.chain(),
                    "failed to record a webhook attempt"
                );
                Ok(Some(now.plus(STORE_REST)))
            }
        }
    }

    async fn attempt(&self, webhook: &WebhookRow) -> Result<(), String> {
        let inner = &self.inner;
        let options = &inner.options.webhooks;
        let Some(secret) = &options.secret else {
            return Err("no secret to sign it with: set PAYMENT_WEBHOOK_SECRET".to_owned());
        };
        let timestamp = contracts::webhook_signature::timestamp(inner.clock.now());
        let secret = secret.expose_secret().as_bytes();
        let signature = contracts::webhook_signature::sign(secret, &timestamp, webhook.body.as_bytes());
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            (ID_HEADER, webhook.id.to_string()),
            (TIMESTAMP_HEADER, timestamp),
            (SIGNATURE_HEADER, signature),
        ];
        headers.extend(webhook.traceparent.iter().map(|text| ("traceparent", text.to_string())));
        let request = WebhookRequest { url: webhook.url.clone(), headers, body: webhook.body.clone() };
        match clock::timeout(&*inner.clock, options.timeout, inner.post.post(request)).await {
            Ok(Ok(status)) if (200..300).contains(&status) => Ok(()),
            Ok(Ok(status)) => Err(format!("the receiver answered {status}")),
            Ok(Err(fault)) => Err(fault.chain()),
            Err(_) => Err("the receiver did not answer in time".to_owned()),
        }
    }
}
