//! REST of reservations.

use super::Edge;
use super::caller::as_person;
use super::idempotency::{keyed, required_key};
use super::openapi::errors::{
    BadGateway, Conflict, Forbidden, NotFound, PaymentNotApproved, RequestTimeout, TooLarge,
    UnsupportedMediaType,
};
use axum::extract::{Path, State};
use axum::response::Response;
use contracts::rest::gateway as body;
use contracts::rest::gateway::schema;
use http::{HeaderMap, StatusCode};
use runtime::http::{Json, OptionalJson, trace_of};
use runtime::refusal::{Reply, refused};

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
    params(("Idempotency-Key" = String, Header)),
    request_body = body::Reserve,
    responses(
        (
            status = 201,
            description = "The seats are held until `hold_expires_at`.",
            body = body::Reserved,
            headers(("X-Idempotency-Cached" = String)),
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
        let key = required_key(&headers)?;
        edge.sales.reserve(&person, key.as_str(), request, &trace).await
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
    params(("id" = schema::Id, Path)),
    responses(
        (status = 200, description = "The reservation.", body = body::Reservation),
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
    params(("id" = schema::Id, Path)),
    request_body = body::Confirm,
    responses(
        (status = 200, description = "The seats are yours.", body = body::Confirmed),
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
    description = "Gives the seats back at once, for good: no later payment confirms the \
                   reservation, and its money is returned. One that has expired stays EXPIRED. \
                   Cancelling twice is the same as once. A body is not needed.",
    params(("id" = schema::Id, Path)),
    request_body = body::Cancel,
    responses(
        (status = 200, description = "It is over and the seats are free.", body = body::Cancelled),
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
    params(("id" = schema::Id, Path)),
    responses(
        (status = 200, description = "It is over and the seats are free.", body = body::Cancelled),
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
