//! The REST edge (docs/contracts.md#reservation-api). `/internal/…` requires `X-Internal-Token`
//! where one is set, except for the webhook. The payment provider sends it, which has the webhook's
//! secret and must not have our token; its signature is always required and proves more than a
//! token does.

use crate::refusal::Refusal;
use crate::request::Create;
use crate::service::{Service, TraceLine, WebhookCall};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use contracts::IdempotencyKey;
use contracts::reservation_wire::{command_of, shown};
use contracts::rest::reservation as body;
use contracts::rest::webhook::{ID_HEADER, Received, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use contracts::vocabulary::required;
use domain::id::{PaymentIntentId, ReservationId};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use runtime::Reply;
use runtime::http::{Json, OptionalJson, RawBody, internal_token, trace_of};
use runtime::refusal::refused;
use secrecy::SecretString;
use serde::Serialize;

const KEY_HEADER: &str = "idempotency-key";
const CACHED_HEADER: HeaderName = HeaderName::from_static(contracts::wire::RECORDED);

/// The lines of [`Service::trace`].
#[derive(Serialize)]
struct Traced {
    reservation_id: String,
    lines: Vec<TraceLine>,
}

/// The service's own routes.
pub(crate) fn routes(service: Service, token: Option<SecretString>) -> Router {
    let internal = Router::new()
        .route("/internal/reservations/{id}", get(read).patch(patch))
        .route("/internal/trace/{id}", get(trace))
        .route_layer(internal_token(token));
    Router::new()
        .route("/v1/reservations", post(create))
        .route("/v1/reservations/{id}", get(read))
        .route("/v1/reservations/{id}/confirm", post(confirm))
        .route("/v1/reservations/{id}/cancel", post(cancel))
        .route("/internal/payment/webhook", post(webhook))
        .merge(internal)
        .with_state(service)
}

async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    Json(request): Json<body::Create>,
) -> Result<impl IntoResponse, Reply> {
    let trace = trace_of(&headers);
    let placed = async {
        let create = Create::from_rest(&request, key(&headers)?)?;
        service.create(&create, &trace).await
    };
    let answer = placed.await.map_err(refused("create", &trace))?;
    let mut headers = HeaderMap::new();
    if answer.recorded {
        headers.insert(CACHED_HEADER, HeaderValue::from_static("true"));
    }
    Ok((StatusCode::CREATED, headers, Json(answer.placed.to_rest())))
}

async fn read(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<body::Shown>, Reply> {
    let trace = trace_of(&headers);
    let read = async { service.get(&reservation(&id)?, None).await };
    let stored = read.await.map_err(refused("get", &trace))?;
    Ok(Json(shown(&stored.reservation)))
}

async fn confirm(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<body::Confirm>,
) -> Result<Json<body::Confirmed>, Reply> {
    let trace = trace_of(&headers);
    let confirmed = async {
        let id = reservation(&id)?;
        let intent = request.payment_intent_id.as_deref().unwrap_or_default();
        let intent = required(PaymentIntentId::parse, "payment_intent_id", intent)?;
        service.confirm(&id, &intent, None, &trace).await
    };
    let reservation = confirmed.await.map_err(refused("confirm", &trace))?;
    Ok(Json(body::Confirmed {
        order_id: reservation.order.as_ref().map(ToString::to_string).unwrap_or_default(),
        status: reservation.status.as_str().to_owned(),
    }))
}

/// The body is optional, and its content is not stored.
async fn cancel(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJson(_): OptionalJson<body::Cancel>,
) -> Result<Json<body::StatusOnly>, Reply> {
    let trace = trace_of(&headers);
    let cancelled = async { service.cancel(&reservation(&id)?, None, &trace).await };
    let reservation = cancelled.await.map_err(refused("cancel", &trace))?;
    Ok(Json(body::StatusOnly { status: reservation.status.as_str().to_owned() }))
}

async fn patch(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<body::Patch>,
) -> Result<Json<body::Shown>, Reply> {
    let trace = trace_of(&headers);
    let ended = async {
        let command = command_of(reservation(&id)?, &request)?;
        service.end(command, &trace).await
    };
    let reservation = ended.await.map_err(refused("end", &trace))?;
    Ok(Json(shown(&reservation)))
}

async fn trace(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Traced>, Reply> {
    let trace = trace_of(&headers);
    let read = async { service.trace(&reservation(&id)?).await };
    let lines = read.await.map_err(refused("trace", &trace))?;
    Ok(Json(Traced { reservation_id: id, lines }))
}

async fn webhook(
    State(service): State<Service>,
    headers: HeaderMap,
    RawBody(bytes): RawBody,
) -> Result<Json<Received>, Reply> {
    let trace = trace_of(&headers);
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let call = WebhookCall {
        id: text(ID_HEADER),
        timestamp: text(TIMESTAMP_HEADER),
        signature: text(SIGNATURE_HEADER),
        body: &bytes,
    };
    service.accept_webhook(call, &trace).await.map_err(refused("webhook", &trace))?;
    Ok(Json(Received { received: true }))
}

fn reservation(text: &str) -> Result<ReservationId, Refusal> {
    Ok(required(ReservationId::parse, "reservation_id", text)?)
}

fn key(headers: &HeaderMap) -> Result<IdempotencyKey, Refusal> {
    let value = headers.get(KEY_HEADER).ok_or_else(IdempotencyKey::missing)?;
    Ok(IdempotencyKey::from_header(value)?)
}
