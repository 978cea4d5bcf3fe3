//! HTTP: probes, metrics, and the operator's view of a payment (`tacos trace`).

use crate::refusal::{Refusal, Told};
use crate::rows::{AnyRow, PaymentRow, RefundRow, WebhookRow};
use crate::service::{ListPayments, Service};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use contracts::time::rfc3339;
use domain::id::{PaymentIntentId, ReservationId};
use domain::payment::Outcome;
use http::HeaderMap;
use runtime::Process;
use runtime::http::{ErrorReply, Json, trace_of};
use secrecy::SecretString;
use serde_json::{Value, json};

/// The routes of the HTTP port. `GET /admin/payments/{id}` accepts the id of an intent or of a
/// reservation and answers `{"payments":[{…,"refund":{…}?,"webhooks":[…]}]}`. With a configured
/// token it requires the header `X-Internal-Token`.
pub(crate) fn router(service: Service, process: &Process, token: Option<SecretString>) -> Router {
    let admin = Router::new()
        .route("/admin/payments/{id}", get(payments))
        .layer(runtime::http::internal_token(token))
        .with_state(service);
    let routes = runtime::http::base_routes(process).merge(admin);
    runtime::http::instrument(routes, &process.metrics)
}

async fn payments(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ErrorReply> {
    let trace = trace_of(&headers);
    found(&service, &id).await.map(Json).map_err(|refusal| {
        let (Told::InBand(error) | Told::Status(error)) = refusal.told();
        error.traced(trace.trace_id).into()
    })
}

async fn found(service: &Service, id: &str) -> Result<Value, Refusal> {
    let invalid = |why: domain::id::InvalidId| Refusal::invalid("id", format!("id {why}"));
    let intent = PaymentIntentId::parse(id).map_err(invalid)?;
    let intents = match service.get(&intent).await {
        Ok(row) => vec![row.payment.intent],
        Err(Refusal::NoSuchPayment(_)) => {
            let reservation = Some(ReservationId::parse(id).map_err(invalid)?);
            let page = service.list(&ListPayments { reservation, ..ListPayments::default() }).await?;
            page.payments.into_iter().map(|row| row.payment.intent).collect()
        }
        Err(refusal) => return Err(refusal),
    };
    if intents.is_empty() {
        return Err(Refusal::NoSuchPayment(intent));
    }
    let mut payments = Vec::new();
    for intent in intents {
        payments.push(shown(service.history(&intent).await?));
    }
    Ok(json!({ "payments": payments }))
}

fn shown(rows: Vec<AnyRow>) -> Value {
    let (mut payment, mut webhooks) = (json!({}), Vec::new());
    let mut refund = None;
    for row in &rows {
        match row {
            AnyRow::Payment(row) => payment = payment_json(row),
            AnyRow::Refund(row) => refund = Some(refund_json(row)),
            AnyRow::Webhook(row) => webhooks.push(webhook_json(row)),
        }
    }
    if let Some(refund) = refund {
        payment["refund"] = refund;
    }
    payment["webhooks"] = webhooks.into();
    payment
}

fn payment_json(row: &PaymentRow) -> Value {
    let payment = &row.payment;
    json!({
        "payment_intent_id": payment.intent.as_str(),
        "reservation_id": payment.reservation.as_str(),
        "user_id": payment.person.as_ref().map(|person| person.as_str()),
        "status": payment.status.as_str(),
        "amount": payment.amount.amount,
        "currency": payment.amount.currency.as_str(),
        "refunded": payment.refunded,
        "error_code": payment.error_code.as_deref(),
        "scenario": row.scenario.as_str(),
        "created_at": rfc3339(payment.created_at),
        "updated_at": rfc3339(payment.updated_at),
        "decided_at": row.decided_at.map(rfc3339),
        "scheduled_at": row.scheduled.as_ref().map(|next| rfc3339(next.at)),
        "scheduled": row.scheduled.as_ref().map(|next| match next.outcome {
            Outcome::Approved => "approved",
            Outcome::Failed { .. } => "failed",
        }),
        "trace_id": row.trace.trace_id.as_deref(),
    })
}

fn refund_json(row: &RefundRow) -> Value {
    json!({
        "amount": row.amount.amount,
        "currency": row.amount.currency.as_str(),
        "reason": &*row.reason,
        "refunded_at": rfc3339(row.at),
    })
}

fn webhook_json(row: &WebhookRow) -> Value {
    json!({
        "webhook_id": &*row.id,
        "delivery": row.delivery.as_str(),
        "attempts": row.attempts,
        "due_at": rfc3339(row.due_at),
        "last_error": row.last_error.as_deref(),
        "created_at": rfc3339(row.created_at),
    })
}
