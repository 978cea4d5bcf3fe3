//! HTTP: probes, metrics, and the operator's view of a payment (`tacos trace`).

use crate::refusal::Refusal;
use crate::rows::{AnyRow, PaymentRow, RefundRow, WebhookRow};
use crate::service::{ListPayments, Service};
use axum::Router;
use axum::extract::{Path, State};
use contracts::rest::payment as body;
use contracts::time::rfc3339;
use domain::id::{PaymentIntentId, ReservationId};
use domain::payment::Outcome;
use http::HeaderMap;
use runtime::Reply;
use runtime::http::{Json, document, internal_token, openapi_route, trace_of};
use runtime::refusal::refused;
use secrecy::SecretString;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The description of every route of the service, without the probes.
pub fn openapi() -> OpenApi {
    document(
        "payment-sim-api",
        "The simulated payment provider's administration. Payments go over gRPC.",
        routes().into_openapi(),
    )
}

/// The service's own routes. With a configured token `/admin/…` requires `X-Internal-Token`.
pub(crate) fn router(service: Service, token: Option<SecretString>) -> Router {
    let (admin, _) = routes().split_for_parts();
    admin.layer(internal_token(token)).with_state(service).merge(openapi_route(&openapi()))
}

fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(payments))
}

/// Reads the payment of an intent, or the payments for a reservation.
#[utoipa::path(
    get,
    path = "/admin/payments/{id}",
    params(("id" = String, Path, description = "The id of an intent or of a reservation.")),
    responses((status = 200, description = "The payments.", body = body::Payments)),
    security(("internal_token" = [])),
)]
async fn payments(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<body::Payments>, Reply> {
    found(&service, &id).await.map(Json).map_err(refused("payments", &trace_of(&headers)))
}

async fn found(service: &Service, id: &str) -> Result<body::Payments, Refusal> {
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
        payments.extend(payment(service.history(&intent).await?));
    }
    Ok(body::Payments { payments })
}

/// The body of a payment from all of its rows; `None` without the payment's own row.
fn payment(rows: Vec<AnyRow>) -> Option<body::Payment> {
    let (mut payment, mut refund, mut webhooks) = (None, None, Vec::new());
    for row in rows {
        match row {
            AnyRow::Payment(row) => payment = Some(row),
            AnyRow::Refund(row) => refund = Some(refund_body(row)),
            AnyRow::Webhook(row) => webhooks.push(webhook_body(row)),
        }
    }
    payment.map(|row| body::Payment { refund, webhooks, ..payment_body(row) })
}

fn payment_body(row: PaymentRow) -> body::Payment {
    let payment = row.payment;
    body::Payment {
        payment_intent_id: payment.intent.to_string(),
        reservation_id: payment.reservation.to_string(),
        user_id: payment.person.map(|person| person.to_string()),
        status: payment.status.as_str().to_owned(),
        amount: payment.amount.amount,
        currency: payment.amount.currency.as_str().to_owned(),
        refunded: payment.refunded,
        error_code: payment.error_code.map(|code| code.to_string()),
        scenario: row.scenario.as_str().to_owned(),
        created_at: rfc3339(payment.created_at),
        updated_at: rfc3339(payment.updated_at),
        decided_at: row.decided_at.map(rfc3339),
        scheduled_at: row.scheduled.as_ref().map(|next| rfc3339(next.at)),
        scheduled: row.scheduled.map(|next| match next.outcome {
            Outcome::Approved => "approved".to_owned(),
            Outcome::Failed { .. } => "failed".to_owned(),
        }),
        trace_id: row.trace.trace_id.map(|id| id.to_string()),
        refund: None,
        webhooks: Vec::new(),
    }
}

fn refund_body(row: RefundRow) -> body::Refund {
    body::Refund {
        amount: row.amount.amount,
        currency: row.amount.currency.as_str().to_owned(),
        reason: row.reason.to_string(),
        refunded_at: rfc3339(row.at),
    }
}

fn webhook_body(row: WebhookRow) -> body::Webhook {
    body::Webhook {
        webhook_id: row.id.to_string(),
        delivery: row.delivery.as_str().to_owned(),
        attempts: row.attempts,
        due_at: rfc3339(row.due_at),
        last_error: row.last_error.map(|error| error.to_string()),
        created_at: rfc3339(row.created_at),
    }
}
