//! REST of reservations.

use super::Edge;
use super::caller::as_person;
use super::openapi::{
    BadGateway, Conflict, Forbidden, NotFound, PaymentNotApproved, RequestTimeout, TooLarge,
    UnsupportedMediaType,
};
use super::waiting_room::KEY_HEADER;
use crate::refusal::Refusal;
use crate::service::sales::key;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use contracts::error::Code;
use contracts::rest::gateway as body;
use contracts::rest::gateway::schema;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use runtime::http::{Json, OptionalJson, trace_of};
use runtime::refusal::{Reply, refused};
use serde::Serialize;

const CACHED: HeaderName = HeaderName::from_static(contracts::wire::RECORDED);

/// Answers a request under a key; the flag says whether an earlier request has the answer.
pub(super) fn keyed<T: Serialize>(status: StatusCode, (made, recorded): (T, bool)) -> Response {
    let mut response = (status, Json(made)).into_response();
    if recorded {
        response.headers_mut().insert(CACHED, HeaderValue::from_static("true"));
    }
    response
}

#[utoipa::path(
    post,
    path = "/reservations",
    operation_id = "createReservation",
    tag = "Reservations",
    summary = "Hold seats",
    description = "Holds up to 10 seats for you, by default for 60 seconds. Name them in \
                   `seat_ids`, or name a `section` and a `quantity` to get any that are free. \
                   You get all of them or none. Show your pass in `reservation_token` if the \
                   show has a waiting room. Prices are those of the show; nothing is paid yet.",
    params(
        (
            "Idempotency-Key" = String,
            Header,
            description = "1 to 128 printable ASCII characters of your choice, the same at \
                           every retry of the same request.",
            example = "buy-7c1f",
        ),
    ),
    request_body(
        content = body::Reserve,
        examples(
            ("seats" = (
                summary = "Two seats by name",
                value = json!({
                    "event_id": "evt_2025_1001",
                    "seat_ids": [
                        "R-A-1",
                        "R-A-2"
                    ],
                    "reservation_token": "p1.eyJpZCI6IjQyIiwic2hvdyI6ImV2dF8yMDI1XzEwMDEiLCJwZXJzb24iOiJraW0ifQ.rS3pUJShU0w5i6TlxhUNML4jpKk0N60zxOKfQeK8veM"
                }),
            )),
            ("general" = (
                summary = "Any two places of a section",
                value = json!({
                    "event_id": "evt_2025_1001",
                    "section": "floor",
                    "quantity": 2,
                    "reservation_token": "p1.eyJpZCI6IjQyIiwic2hvdyI6ImV2dF8yMDI1XzEwMDEiLCJwZXJzb24iOiJraW0ifQ.rS3pUJShU0w5i6TlxhUNML4jpKk0N60zxOKfQeK8veM"
                }),
            )),
        ),
    ),
    responses(
        (
            status = 201,
            description = "The seats are held until `hold_expires_at`.",
            body = body::Reserved,
            headers(("X-Idempotency-Cached" = String)),
            links(
                ("ReadReservation" = (
                    operation_id = "getReservation",
                    description = "Read it.",
                    parameters(("id" = "$response.body#/reservation_id")),
                )),
                ("PayReservation" = (
                    operation_id = "createPaymentIntent",
                    description = "Open its payment.",
                    request_body = json!({
                        "reservation_id": "$response.body#/reservation_id",
                        "amount": "$response.body#/total_amount",
                        "currency": "$response.body#/currency"
                    }),
                )),
                ("CancelNewReservation" = (
                    operation_id = "cancelReservation",
                    description = "Give the seats back.",
                    parameters(("id" = "$response.body#/reservation_id")),
                )),
                ("DeleteNewReservation" = (
                    operation_id = "deleteReservation",
                    description = "Give the seats back (DELETE).",
                    parameters(("id" = "$response.body#/reservation_id")),
                )),
            ),
            example = json!({
                "reservation_id": "rsv_a4a5af7f13403cbfe7f047e4a5dc975a",
                "status": "HOLD",
                "event_id": "evt_2025_1001",
                "seat_ids": [
                    "R-A-1",
                    "R-A-2"
                ],
                "quantity": 2,
                "hold_expires_at": "2025-10-01T11:01:00.000Z",
                "hold_expires_in_ms": 60000,
                "total_amount": 240000,
                "currency": "KRW"
            }),
        ),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn reserve(
    State(edge): State<Edge>,
    headers: HeaderMap,
    Json(request): Json<body::Reserve>,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let reserved = async {
        let person = edge.person(&headers, &trace).await?;
        let key = key(headers.get(KEY_HEADER).filter(|key| !key.is_empty()))?.ok_or_else(|| {
            let message =
                "send the header Idempotency-Key with a key of your choice, the same at every retry";
            Refusal::new(Code::IdempotencyRequired, message)
        })?;
        edge.sales.reserve(&person, key, request, &trace).await
    };
    Ok(keyed(StatusCode::CREATED, reserved.await.map_err(refused("reserve", &trace))?))
}

#[utoipa::path(
    get,
    path = "/reservations/{id}",
    operation_id = "getReservation",
    tag = "Reservations",
    summary = "Read a reservation",
    description = "Your reservation as it stands. After paying, ask until it is `CONFIRMED`.",
    params(
        (
            "id" = schema::Id,
            Path,
            description = "The reservation.",
            example = "rsv_a4a5af7f13403cbfe7f047e4a5dc975a",
        ),
    ),
    responses(
        (
            status = 200,
            description = "The reservation.",
            body = body::Reservation,
            links(
                ("PayReadReservation" = (
                    operation_id = "createPaymentIntentAlias",
                    description = "Open its payment.",
                    request_body = json!({
                        "reservation_id": "$response.body#/reservation_id",
                        "amount": "$response.body#/total_price",
                        "currency": "$response.body#/currency"
                    }),
                )),
                ("CancelReadReservation" = (
                    operation_id = "cancelReservation",
                    description = "Give the seats back.",
                    parameters(("id" = "$response.body#/reservation_id")),
                )),
            ),
            example = json!({
                "reservation_id": "rsv_a4a5af7f13403cbfe7f047e4a5dc975a",
                "event_id": "evt_2025_1001",
                "user_id": "kim",
                "status": "CONFIRMED",
                "seat_ids": [
                    "R-A-1",
                    "R-A-2"
                ],
                "quantity": 2,
                "total_price": 240000,
                "currency": "KRW",
                "hold_expires_at": "2025-10-01T11:01:00.000Z",
                "hold_expires_in_ms": 0,
                "created_at": "2025-10-01T11:00:00.000Z",
                "updated_at": "2025-10-01T11:00:31.204Z",
                "order_id": "ord_a4a5af7f13403cbfe7f047e4a5dc975a",
                "payment_intent_id": "pay_5b8aa5a2d2c872e8321cf37308d69df2"
            }),
        ),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn reservation(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Reply> {
    as_person("reservation", &edge, &headers, async |sales, person, trace| {
        sales.reservation(person, &id, trace).await
    })
    .await
}

#[utoipa::path(
    post,
    path = "/reservations/{id}/confirm",
    operation_id = "confirmReservation",
    tag = "Reservations",
    summary = "Confirm a paid reservation",
    description = "Says that the payment was made, for those who do not want to wait for the \
                   reservation to be confirmed by itself. The payment is checked. Again gives \
                   the same order.",
    params(
        (
            "id" = schema::Id,
            Path,
            description = "The reservation.",
            example = "rsv_a4a5af7f13403cbfe7f047e4a5dc975a",
        ),
    ),
    request_body(
        content = body::Confirm,
        examples(
            ("payment" = (
                summary = "With the payment",
                value = json!({"payment_intent_id": "pay_5b8aa5a2d2c872e8321cf37308d69df2"}),
            )),
        ),
    ),
    responses(
        (
            status = 200,
            description = "The seats are yours.",
            body = body::Confirmed,
            links(
                ("ReadAfterConfirm" = (
                    operation_id = "getReservation",
                    description = "Read it.",
                    parameters(("id" = "$request.path.id")),
                )),
            ),
            example = json!({"order_id": "ord_a4a5af7f13403cbfe7f047e4a5dc975a", "status": "CONFIRMED"}),
        ),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 412, response = PaymentNotApproved),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn confirm(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<body::Confirm>,
) -> Result<Response, Reply> {
    let intent = request.payment_intent_id;
    as_person("confirm", &edge, &headers, async |sales, person, trace| {
        sales.confirm(person, &id, intent, trace).await
    })
    .await
}

#[utoipa::path(
    post,
    path = "/reservations/{id}/cancel",
    operation_id = "cancelReservation",
    tag = "Reservations",
    summary = "Cancel a reservation",
    description = "Gives the seats back at once. Cancelling twice is the same as once. A body \
                   is not needed.",
    params(
        (
            "id" = schema::Id,
            Path,
            description = "The reservation.",
            example = "rsv_a4a5af7f13403cbfe7f047e4a5dc975a",
        ),
    ),
    request_body(
        content = body::Cancel,
        examples(
            ("reason" = (
                summary = "With a reason",
                value = json!({"reason": "other plans"}),
            )),
        ),
    ),
    responses(
        (
            status = 200,
            description = "It is cancelled and the seats are free.",
            body = body::Cancelled,
            links(
                ("ReadAfterCancel" = (
                    operation_id = "getReservation",
                    description = "Read it.",
                    parameters(("id" = "$request.path.id")),
                )),
            ),
            example = json!({"status": "CANCELLED"}),
        ),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn cancel(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<body::Cancel>,
) -> Result<Response, Reply> {
    as_person("cancel", &edge, &headers, async |sales, person, trace| {
        sales.cancel(person, &id, request.reason, trace).await
    })
    .await
}

#[utoipa::path(
    delete,
    path = "/reservations/{id}",
    operation_id = "deleteReservation",
    tag = "Reservations",
    summary = "Cancel a reservation",
    description = "The same as `POST …/cancel`.",
    params(
        (
            "id" = schema::Id,
            Path,
            description = "The reservation.",
            example = "rsv_a4a5af7f13403cbfe7f047e4a5dc975a",
        ),
    ),
    responses(
        (
            status = 200,
            description = "It is cancelled and the seats are free.",
            body = body::Cancelled,
            links(
                ("ReadAfterCancel" = (
                    operation_id = "getReservation",
                    description = "Read it.",
                    parameters(("id" = "$request.path.id")),
                )),
            ),
            example = json!({"status": "CANCELLED"}),
        ),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 408, response = RequestTimeout),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn cancel_by_delete(
    edge: State<Edge>,
    id: Path<String>,
    headers: HeaderMap,
    reason: OptionalJson<body::Cancel>,
) -> Result<Response, Reply> {
    cancel(edge, id, headers, reason).await
}
