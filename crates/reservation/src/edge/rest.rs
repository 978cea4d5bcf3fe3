//! The REST edge (docs/contracts.md#reservation-api). `/internal/…` requires `X-Internal-Token`
//! where one is set, except for the webhook. The payment provider sends it, which has the webhook's
//! secret and must not have our token; its signature is always required and proves more than a
//! token does.

use crate::refusal::Refusal;
use crate::request::{Create, IdempotencyKey};
use crate::service::{Service, TraceLine, WebhookCall};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use contracts::reservation_wire::{command_of, illegal_body, shown};
use contracts::rest::reservation as body;
use contracts::rest::webhook::{ID_HEADER, Received, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use contracts::vocabulary::required;
use domain::id::{PaymentIntentId, ReservationId};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ports::Trace;
use runtime::Process;
use runtime::http::{
    ErrorReply, Json, OptionalJson, RawBody, base_routes, instrument, internal_token, trace_of,
};
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

/// Every route of the process.
pub(crate) fn router(service: Service, token: Option<SecretString>, process: &Process) -> Router {
    let internal = Router::new()
        .route("/internal/reservations/{id}", get(read).patch(patch))
        .route("/internal/trace/{id}", get(trace))
        .route_layer(internal_token(token));
    let routes = Router::new()
        .route("/v1/reservations", post(create))
        .route("/v1/reservations/{id}", get(read))
        .route("/v1/reservations/{id}/confirm", post(confirm))
        .route("/v1/reservations/{id}/cancel", post(cancel))
        .route("/internal/payment/webhook", post(webhook))
        .merge(internal)
        .with_state(service);
    instrument(routes.merge(base_routes(process)), &process.metrics)
}

async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    Json(request): Json<body::Create>,
) -> Response {
    let trace = trace_of(&headers);
    let placed = async {
        let create = Create::from_rest(&request, key(&headers)?)?;
        service.create(&create, &trace).await
    };
    match placed.await {
        Ok(answer) => {
            let mut response = (StatusCode::CREATED, Json(answer.placed.to_rest())).into_response();
            if answer.recorded {
                response.headers_mut().insert(CACHED_HEADER, HeaderValue::from_static("true"));
            }
            response
        }
        Err(refusal) => refused(&refusal, "create", &trace),
    }
}

async fn read(State(service): State<Service>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let trace = trace_of(&headers);
    let read = async { service.get(&reservation(&id)?, None).await };
    match read.await {
        Ok(stored) => Json(shown(&stored.reservation)).into_response(),
        Err(refusal) => refused(&refusal, "get", &trace),
    }
}

async fn confirm(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<body::Confirm>,
) -> Response {
    let trace = trace_of(&headers);
    let confirmed = async {
        let id = reservation(&id)?;
        let intent = request.payment_intent_id.as_deref().unwrap_or_default();
        let intent = required(PaymentIntentId::parse, "payment_intent_id", intent)?;
        service.confirm(&id, &intent, None, &trace).await
    };
    match confirmed.await {
        Ok(reservation) => Json(body::Confirmed {
            order_id: reservation.order.as_ref().map(ToString::to_string).unwrap_or_default(),
            status: reservation.status.as_str().to_owned(),
        })
        .into_response(),
        Err(refusal) => refused(&refusal, "confirm", &trace),
    }
}

/// The body is optional, and its content is not stored.
async fn cancel(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJson(_): OptionalJson<body::Cancel>,
) -> Response {
    let trace = trace_of(&headers);
    let cancelled = async { service.cancel(&reservation(&id)?, None, &trace).await };
    match cancelled.await {
        Ok(reservation) => {
            Json(body::StatusOnly { status: reservation.status.as_str().to_owned() }).into_response()
        }
        Err(refusal) => refused(&refusal, "cancel", &trace),
    }
}

async fn patch(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<body::Patch>,
) -> Response {
    let trace = trace_of(&headers);
    let ended = async {
        let command = command_of(reservation(&id)?, &request)?;
        service.end(command, &trace).await
    };
    match ended.await {
        Ok(reservation) => Json(shown(&reservation)).into_response(),
        Err(refusal) => refused(&refusal, "end", &trace),
    }
}

async fn trace(State(service): State<Service>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let trace = trace_of(&headers);
    let read = async { service.trace(&reservation(&id)?).await };
    match read.await {
        Ok(lines) => Json(Traced { reservation_id: id.clone(), lines }).into_response(),
        Err(refusal) => refused(&refusal, "trace", &trace),
    }
}

async fn webhook(State(service): State<Service>, headers: HeaderMap, RawBody(bytes): RawBody) -> Response {
    let trace = trace_of(&headers);
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let call = WebhookCall {
        id: text(ID_HEADER),
        timestamp: text(TIMESTAMP_HEADER),
        signature: text(SIGNATURE_HEADER),
        body: &bytes,
    };
    match service.accept_webhook(call, &trace).await {
        Ok(()) => Json(Received { received: true }).into_response(),
        Err(refusal) => refused(&refusal, "webhook", &trace),
    }
}

fn reservation(text: &str) -> Result<ReservationId, Refusal> {
    Ok(required(ReservationId::parse, "reservation_id", text)?)
}

fn key(headers: &HeaderMap) -> Result<IdempotencyKey, Refusal> {
    let value = headers.get(KEY_HEADER).ok_or_else(IdempotencyKey::missing)?;
    IdempotencyKey::parse(value.to_str().map_err(|_| IdempotencyKey::malformed())?)
}

/// A refusal as an HTTP response; technical failures go to the log.
fn refused(refusal: &Refusal, operation: &'static str, trace: &Trace) -> Response {
    refusal.log(operation, trace);
    let reply = refusal.reply();
    let error = reply.error.traced(trace.trace_id.clone());
    match reply.current {
        Some((current, intent)) => {
            (reply.status, Json(illegal_body(&error, current, intent.as_ref()))).into_response()
        }
        None => ErrorReply::from(error).with_status(reply.status).into_response(),
    }
}
