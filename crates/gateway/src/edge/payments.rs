//! REST of payments.

use super::Edge;
use super::caller::as_person;
use super::openapi::{BadGateway, Conflict, Forbidden, NotFound};
use super::reservations::keyed;
use super::waiting_room::KEY_HEADER;
use crate::service::sales::key;
use axum::extract::{Path, State};
use axum::response::Response;
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
    params(
        (
            "Idempotency-Key" = Option<String>,
            Header,
            description = "1 to 128 printable ASCII characters of your choice, the same at \
                           every retry of the same request.",
            example = "buy-7c1f",
        ),
    ),
    request_body(
        content = body::Intent,
        examples(
            ("approve" = (
                summary = "Will be approved",
                value = json!({
                    "reservation_id": "rsv_a4a5af7f13403cbfe7f047e4a5dc975a",
                    "amount": 240000,
                    "currency": "KRW",
                    "scenario": "APPROVE"
                }),
            )),
        ),
    ),
    responses(
        (
            status = 200,
            description = "The payment is open.",
            body = body::IntentMade,
            headers(("X-Idempotency-Cached" = String)),
            links(
                ("ApprovePayment" = (
                    operation_id = "processPayment",
                    description = "Pay.",
                    request_body = json!({
                        "payment_intent_id": "$response.body#/payment_intent_id",
                        "action": "approve"
                    }),
                )),
                ("FailPayment" = (
                    operation_id = "processPaymentAlias",
                    description = "Let it fail.",
                    request_body = json!({
                        "payment_intent_id": "$response.body#/payment_intent_id",
                        "action": "fail"
                    }),
                )),
                ("ReadPayment" = (
                    operation_id = "getPaymentStatusAlias",
                    description = "Read it.",
                    parameters(("id" = "$response.body#/payment_intent_id")),
                )),
                ("ConfirmWithPayment" = (
                    operation_id = "confirmReservation",
                    description = "Confirm the reservation with it.",
                    parameters(("id" = "$request.body#/reservation_id")),
                    request_body = json!({"payment_intent_id": "$response.body#/payment_intent_id"}),
                )),
            ),
            example = json!({
                "payment_intent_id": "pay_5b8aa5a2d2c872e8321cf37308d69df2",
                "status": "PENDING",
                "next": "webhook"
            }),
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
        edge.sales.intent(&person, key(headers.get(KEY_HEADER))?, request, &trace).await
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
    request_body(
        content = body::Process,
        examples(
            ("approve" = (
                summary = "Pay",
                value = json!({
                    "payment_intent_id": "pay_5b8aa5a2d2c872e8321cf37308d69df2",
                    "action": "approve"
                }),
            )),
            ("fail" = (
                summary = "Let it fail",
                value = json!({
                    "payment_intent_id": "pay_5b8aa5a2d2c872e8321cf37308d69df2",
                    "action": "fail"
                }),
            )),
        ),
    ),
    responses(
        (
            status = 200,
            description = "How the payment stands now.",
            body = body::Processed,
            links(
                ("ReadProcessedPayment" = (
                    operation_id = "getPaymentStatus",
                    description = "Read it.",
                    parameters(("id" = "$request.body#/payment_intent_id")),
                )),
            ),
            example = json!({"status": "COMPLETED"}),
        ),
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
    params(
        (
            "id" = schema::Id,
            Path,
            description = "The payment.",
            example = "pay_5b8aa5a2d2c872e8321cf37308d69df2",
        ),
    ),
    responses(
        (
            status = 200,
            description = "The payment.",
            body = body::Payment,
            links(
                ("ReservationOfPayment" = (
                    operation_id = "getReservation",
                    description = "The reservation that it pays for.",
                    parameters(("id" = "$response.body#/reservation_id")),
                )),
            ),
            example = json!({
                "payment_intent_id": "pay_5b8aa5a2d2c872e8321cf37308d69df2",
                "status": "COMPLETED",
                "amount": 240000,
                "currency": "KRW",
                "reservation_id": "rsv_a4a5af7f13403cbfe7f047e4a5dc975a"
            }),
        ),
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
