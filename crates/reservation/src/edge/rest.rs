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
use contracts::IdempotencyKey;
use contracts::reservation_wire::{command_of, error_code_of, shown};
use contracts::rest::reservation as body;
use contracts::rest::webhook::{ID_HEADER, PaymentWebhook, Received, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use contracts::vocabulary::{optional, required};
use domain::id::{PaymentIntentId, ReservationId};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use runtime::Reply;
use runtime::http::{Json, OptionalJson, RawBody, document, internal_token, openapi_route, trace_of};
use runtime::refusal::refused;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const KEY_HEADER: &str = "idempotency-key";
const CACHED_HEADER: HeaderName = HeaderName::from_static(contracts::wire::RECORDED);

/// The lines of [`Service::trace`].
#[derive(Serialize, ToSchema)]
struct Traced {
    reservation_id: String,
    lines: Vec<TraceLine>,
}

/// The description of every route of the service, without the probes.
pub fn openapi() -> OpenApi {
    document(
        "reservation-api",
        "Reservations: holding, confirming and cancelling seats. The same operations go over gRPC.",
        public().merge(internal()).into_openapi(),
    )
}

/// The service's own routes.
pub(crate) fn routes(service: Service, token: Option<SecretString>) -> Router {
    let ((public, _), (internal, _)) = (public().split_for_parts(), internal().split_for_parts());
    public
        .merge(internal.route_layer(internal_token(token)))
        .with_state(service)
        .merge(openapi_route(&openapi()))
}

fn public() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(read))
        .routes(routes!(confirm))
        .routes(routes!(cancel))
        .routes(routes!(webhook))
}

fn internal() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(read_internal, patch)).routes(routes!(trace))
}

/// Reserves seats.
#[utoipa::path(
    post,
    path = "/v1/reservations",
    tag = "reservations",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition find the first answer."),
    ),
    request_body = body::Create,
    responses(
        (status = 201, description = "The reservation. The header `X-Idempotency-Cached` marks a recorded answer.", body = body::Created),
    ),
)]
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

/// Reads a reservation.
#[utoipa::path(
    get,
    path = "/v1/reservations/{id}",
    tag = "reservations",
    params(
        ("id" = String, Path, description = "The reservation."),
    ),
    responses(
        (status = 200, description = "The reservation.", body = body::Shown),
    ),
)]
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

/// Reads a reservation, for services of the platform.
#[utoipa::path(
    get,
    path = "/internal/reservations/{id}",
    tag = "internal",
    params(
        ("id" = String, Path, description = "The reservation."),
    ),
    responses(
        (status = 200, description = "The reservation.", body = body::Shown),
    ),
    security(("internal_token" = [])),
)]
async fn read_internal(
    service: State<Service>,
    id: Path<String>,
    headers: HeaderMap,
) -> Result<Json<body::Shown>, Reply> {
    read(service, id, headers).await
}

/// Confirms a paid reservation.
#[utoipa::path(
    post,
    path = "/v1/reservations/{id}/confirm",
    tag = "reservations",
    params(
        ("id" = String, Path, description = "The reservation."),
    ),
    request_body = body::Confirm,
    responses(
        (status = 200, description = "The order.", body = body::Confirmed),
    ),
)]
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
        let intent = optional(PaymentIntentId::parse, "payment_intent_id", intent)?;
        service.confirm(&id, intent.as_ref(), None, &trace).await
    };
    let reservation = confirmed.await.map_err(refused("confirm", &trace))?;
    Ok(Json(body::Confirmed {
        order_id: reservation.order.as_ref().map(ToString::to_string).unwrap_or_default(),
        status: reservation.status.as_str().to_owned(),
    }))
}

/// Cancels a reservation for good. The body is optional, and its content is not stored.
#[utoipa::path(
    post,
    path = "/v1/reservations/{id}/cancel",
    tag = "reservations",
    params(
        ("id" = String, Path, description = "The reservation."),
    ),
    request_body = Option<body::Cancel>,
    responses(
        (status = 200, description = "The status: CANCELLED, or EXPIRED if its time had run out before.", body = body::StatusOnly),
        (status = 409, description = "Its seats are sold.", body = body::Illegal),
    ),
)]
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

/// Brings a reservation to its end; without a status, records an error code.
#[utoipa::path(
    patch,
    path = "/internal/reservations/{id}",
    tag = "internal",
    params(
        ("id" = String, Path, description = "The reservation."),
    ),
    request_body = body::Patch,
    responses(
        (status = 200, description = "The reservation.", body = body::Shown),
        (status = 409, description = "Its status does not allow this end.", body = body::Illegal),
    ),
    security(("internal_token" = [])),
)]
async fn patch(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<body::Patch>,
) -> Result<Json<body::Shown>, Reply> {
    let trace = trace_of(&headers);
    let ended = async {
        let id = reservation(&id)?;
        match error_code_of(&request) {
            Some(error_code) => service.record_error_code(&id, error_code, &trace).await,
            None => service.end(command_of(id, &request)?, &trace).await,
        }
    };
    let reservation = ended.await.map_err(refused("end", &trace))?;
    Ok(Json(shown(&reservation)))
}

/// Lists what happened to a reservation, for `tacos trace`.
#[utoipa::path(
    get,
    path = "/internal/trace/{id}",
    tag = "internal",
    params(
        ("id" = String, Path, description = "The reservation."),
    ),
    responses(
        (status = 200, description = "The timeline.", body = Traced),
    ),
    security(("internal_token" = [])),
)]
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

/// Receives a signed payment webhook.
#[utoipa::path(
    post,
    path = "/internal/payment/webhook",
    tag = "internal",
    params(
        ("X-Webhook-Id" = String, Header, description = "The id, the same at every attempt."),
        ("X-Webhook-Timestamp" = String, Header, description = "Seconds since 1970."),
        ("X-Webhook-Signature" = String, Header, description = "`sha256=` and HMAC-SHA256 over timestamp, point and body, in hexadecimal."),
    ),
    request_body = PaymentWebhook,
    responses(
        (status = 200, description = "Received.", body = Received),
    ),
)]
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
