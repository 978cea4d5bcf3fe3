//! The payment provider's webhook: accepted if it is signed and fresh, remembered by its id, and
//! written to the outbox as the same event that the provider puts on the queue. It never changes a
//! status itself, so event and webhook together have one effect (traps T-M4 and T-M5). It only
//! records that a payment does not equal the price (rules R1).

use super::Service;
use crate::refusal::Refusal;
use crate::rows::{WebhookRow, kind_from_wire};
use contracts::error::{Code, WireError};
use contracts::rest::webhook::PaymentWebhook;
use contracts::vocabulary::required;
use contracts::webhook_signature::{Rejected, verify};
use domain::event::{Event, Fact, Kind, SeatsHint};
use domain::id::{ID_BYTES_MAX, PaymentIntentId, ReservationId};
use domain::limits::CONFLICT_RETRIES_MAX;
use domain::money::{Currency, Money};
use domain::payment::price;
use domain::reservation::Reservation;
use domain::time::Timestamp;
use ports::Trace;
use ports::plant::{Plant, planted};
use ports::store::CommitError;
use secrecy::ExposeSecret;

/// A webhook as received: three headers, `None` where one is missing, and the exact bytes of the
/// body.
#[derive(Debug, Clone, Copy)]
pub struct WebhookCall<'a> {
    /// `X-Webhook-Id`.
    pub id: Option<&'a str>,
    /// `X-Webhook-Timestamp`.
    pub timestamp: Option<&'a str>,
    /// `X-Webhook-Signature`.
    pub signature: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl Service {
    /// Accepts a webhook. When this returns `Ok`, its event is durable; the same webhook again gets
    /// the same answer and has no second effect. A webhook for an unknown reservation is refused,
    /// so that its sender retries and then gives up.
    pub async fn accept_webhook(&self, call: WebhookCall<'_>, trace: &Trace) -> Result<(), Refusal> {
        let now = self.inner.clock.now();
        let secret = self.inner.options.webhook_secret.expose_secret().as_bytes();
        match verify(secret, call.timestamp, call.signature, call.body, now) {
            Err(Rejected::WrongSignature) if planted(Plant::UnsignedWebhook) => {}
            verdict => verdict.map_err(Refusal::NotAuthentic)?,
        }
        let (webhook, fact, at) = read(call, now)?;
        if let Some(before) = self.webhook(&webhook.id).await? {
            return replayed(&webhook, &before);
        }
        let stored = self.get(&webhook.reservation, None).await?;
        self.record_mismatch(&webhook, &stored.reservation, trace).await;
        let event = payment_event(&webhook, fact, at, &stored.reservation, trace);
        self.remember(&webhook, &event, trace).await
    }

    /// Logs an approved payment that does not equal the total, and records it on the reservation
    /// (rules R1). The event is published in any case: its handler sells nothing to such a payment
    /// and refunds it. A record that fails is left out for that reason.
    async fn record_mismatch(&self, webhook: &WebhookRow, reservation: &Reservation, trace: &Trace) {
        if webhook.kind != Kind::Approved {
            return;
        }
        let Some(mismatch) = price::mismatch(&webhook.amount, &reservation.total) else { return };
        tracing::warn!(
            reservation_id = %reservation.id,
            payment_intent_id = %webhook.intent,
            trace_id = trace.trace_id.as_deref(),
            paid = webhook.amount.amount,
            paid_currency = webhook.amount.currency.as_str(),
            total = reservation.total.amount,
            currency = reservation.total.currency.as_str(),
            error_code = mismatch.code(),
            "payment does not equal the total of its reservation"
        );
        if let Err(refusal) = self.record_error_code(&reservation.id, mismatch.code().into(), trace).await {
            runtime::Refusal::log(&refusal, "record_error_code", trace);
        }
    }

    /// Writes the webhook's id and its event in one commit.
    async fn remember(&self, webhook: &WebhookRow, event: &Event, trace: &Trace) -> Result<(), Refusal> {
        let shards = self.inner.outbox_shards;
        let mut lost = None;
        // An event that already waits (from a webhook with another id) stays unchanged.
        let mut waits = false;
        for _ in 0..CONFLICT_RETRIES_MAX {
            let mut writes = vec![webhook.write()];
            if !waits {
                writes.push(outbox::row_write_traced(event, webhook.received_at, shards, trace));
            }
            match self.inner.table.commit(writes).await {
                Ok(()) => {
                    self.inner.relay.notify(webhook.received_at, &event.id);
                    self.inner.metrics.webhook("taken");
                    tracing::info!(
                        reservation_id = %webhook.reservation,
                        payment_intent_id = %webhook.intent,
                        event_type = webhook.kind.wire(),
                        event_id = %event.id,
                        trace_id = trace.trace_id.as_deref(),
                        "payment webhook accepted"
                    );
                    return Ok(());
                }
                // At 0 the same webhook was accepted before, or this commit was carried out and its
                // answer lost (trap T-S9).
                Err(CommitError::Conflict { at: 0 }) => {
                    if let Some(before) = self.webhook(&webhook.id).await? {
                        self.inner.relay.notify(webhook.received_at, &event.id);
                        return replayed(webhook, &before);
                    }
                }
                Err(CommitError::Conflict { .. }) => waits = true,
                Err(CommitError::Ambiguous(fault)) if lost.is_none() => lost = Some(fault),
                Err(CommitError::Ambiguous(fault) | CommitError::Failed(fault)) => {
                    return Err(Refusal::Store(fault));
                }
            }
        }
        Err(Refusal::Contended(webhook.reservation.clone()))
    }

    async fn webhook(&self, id: &str) -> Result<Option<WebhookRow>, Refusal> {
        let [row] = self.inner.table.get([WebhookRow::key(id)]).await.map_err(Refusal::Store)?;
        Ok(row.and_then(|row| WebhookRow::read(&row)))
    }
}

/// A webhook whose id is known: done before, unless the id was used for another payment.
fn replayed(webhook: &WebhookRow, before: &WebhookRow) -> Result<(), Refusal> {
    if webhook.says_the_same(before) { Ok(()) } else { Err(Refusal::OtherWebhook) }
}

fn read(call: WebhookCall<'_>, now: Timestamp) -> Result<(WebhookRow, Fact, Timestamp), Refusal> {
    let body: PaymentWebhook = serde_json::from_slice(call.body).map_err(|error| {
        WireError::new(
            Code::InvalidArgument,
            format!("the body is not a payment webhook: {}", short(&error.to_string())),
        )
    })?;
    let id = call.id.filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
    let id = id.ok_or_else(|| {
        WireError::invalid("X-Webhook-Id", "X-Webhook-Id is missing or longer than 128 bytes")
    })?;
    let kind = kind_from_wire(&body.kind)
        .ok_or_else(|| WireError::invalid("type", "type must be payment.approved or payment.failed"))?;
    let reservation = required(ReservationId::parse, "reservation_id", &body.reservation_id)?;
    let intent = required(PaymentIntentId::parse, "payment_intent_id", &body.payment_intent_id)?;
    let currency = Currency::parse(&body.currency)
        .ok_or_else(|| WireError::invalid("currency", "currency must be three upper-case letters"))?;
    let at = body
        .ts
        .read()
        .ok_or_else(|| WireError::invalid("ts", "ts must be a time, RFC 3339 or since 1970"))?;
    let amount = Money { amount: body.amount, currency };
    let fact = match kind {
        Kind::Failed => Fact::PaymentFailed {
            intent: intent.clone(),
            amount: Some(amount.clone()),
            error_code: body.error_code.map(Into::into),
            error_message: None,
        },
        Kind::Approved | Kind::Expired => {
            Fact::PaymentApproved { intent: intent.clone(), amount: Some(amount.clone()) }
        }
    };
    Ok((WebhookRow { id: id.into(), kind, intent, reservation, amount, received_at: now }, fact, at))
}

/// The event that the provider puts on the queue too. Here the reservation is known, so the
/// consumer need not ask for it.
fn payment_event(
    webhook: &WebhookRow,
    fact: Fact,
    at: Timestamp,
    reservation: &Reservation,
    trace: &Trace,
) -> Event {
    Event {
        id: outbox::payment_event_id(&webhook.intent, webhook.kind),
        source: crate::SOURCE.into(),
        at,
        trace_id: trace.trace_id.clone(),
        reservation: webhook.reservation.clone(),
        seats: SeatsHint { show: Some(reservation.show.clone()), ..SeatsHint::default() },
        person: Some(reservation.person.clone()),
        fact,
    }
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
