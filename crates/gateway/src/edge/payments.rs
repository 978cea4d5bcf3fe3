//! REST of payments.

use super::Edge;
use super::caller::as_person;
use super::idempotency::{keyed, optional_key};
use super::openapi::errors::{BadGateway, Conflict, Forbidden, NotFound};
use axum::extract::{Path, State};
use axum::response::Response;
use contracts::IdempotencyKey;
use contracts::rest::gateway as body;
use contracts::rest::gateway::schema;
use http::{HeaderMap, StatusCode};
use runtime::http::{Json, trace_of};
use runtime::refusal::{Reply, refused};

#[utoipa::path(
    post,
    path = "/payment/intent",
    operation_id = "createPaymentIntent",
    tag = "Payments",
    summary = "Open a payment",
    description = "Opens a payment for a reservation. `amount` must be its `total_amount`. \
                   Nothing is paid yet. `scenario` says how the simulated provider will \
                   behave.",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = body::Intent,
    responses(
        (
            status = 200,
            description = "The payment is open.",
            body = body::IntentMade,
            headers(("X-Idempotency-Cached" = String)),
        ),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn intent(
    State(edge): State<Edge>,
    headers: HeaderMap,
    Json(request): Json<body::Intent>,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let made = async {
        let person = edge.person(&headers, &trace).await?;
        let key = optional_key(&headers)?;
        edge.sales.intent(&person, key.as_ref().map(IdempotencyKey::as_str), request, &trace).await
    };
    Ok(keyed(StatusCode::OK, made.await.map_err(refused("intent", &trace))?))
}

#[utoipa::path(
    post,
    path = "/payment/process",
    operation_id = "processPayment",
    tag = "Payments",
    summary = "Pay",
    description = "`approve` lets the simulated provider take the money and `fail` lets it \
                   refuse, whatever the scenario says: that is for a provider who is asked to \
                   decide by itself (gRPC `ProcessPayment`). A payment that is decided stays as \
                   it is, and the answer is how it ended. The reservation follows within about \
                   a second.",
    request_body = body::Process,
    responses(
        (status = 200, description = "How the payment stands now.", body = body::Processed),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn process(
    State(edge): State<Edge>,
    headers: HeaderMap,
    Json(request): Json<body::Process>,
) -> Result<Response, Reply> {
    as_person("process", &edge, &headers, async |sales, person, trace| {
        sales.process(person, &request, trace).await
    })
    .await
}

#[utoipa::path(
    get,
    path = "/payment/{id}/status",
    operation_id = "getPaymentStatus",
    tag = "Payments",
    summary = "Read a payment",
    description = "The payment as it stands.",
    params(("id" = schema::Id, Path)),
    responses(
        (status = 200, description = "The payment.", body = body::Payment),
        (status = 404, response = NotFound),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn payment(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Reply> {
    as_person("payment", &edge, &headers, async |sales, person, trace| {
        sales.payment(person, &id, trace).await
    })
    .await
}
