//! REST of the shows on sale.

use super::Edge;
use super::openapi::{BadGateway, NotFound};
use crate::cached_body::CachedBody;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use contracts::error::WireError;
use contracts::rest::gateway as body;
use contracts::rest::gateway::schema;
use contracts::vocabulary::required;
use domain::id::{SectionId, ShowId};
use http::{HeaderMap, HeaderValue, Uri, header};
use runtime::http::trace_of;
use runtime::refusal::{Reply, refused};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSection {
    #[serde(default)]
    section: String,
}

/// Answers with a shared body. The caller may cache it and must revalidate it.
fn cached(body: &CachedBody, headers: &HeaderMap) -> Response {
    let mut response = body.answer(headers);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[utoipa::path(
    get,
    path = "/events",
    operation_id = "listEvents",
    tag = "Events",
    summary = "List the shows",
    description = "Every show on sale, with what is left. No token needed.",
    responses(
        (
            status = 200,
            description = "The shows.",
            body = body::Events,
            links(
                ("AvailabilityOfFirstEvent" = (
                    operation_id = "getAvailability",
                    description = "What is left of the first show.",
                    parameters(("id" = "$response.body#/events/0/event_id")),
                )),
                ("JoinFirstEvent" = (
                    operation_id = "joinQueue",
                    description = "Get in line for the first show.",
                    request_body = json!({"event_id": "$response.body#/events/0/event_id"}),
                )),
            ),
            example = json!({
                "events": [
                    {
                        "event_id": "evt_2025_1001",
                        "name": "Autumn Night Concert",
                        "currency": "KRW",
                        "total": 10000,
                        "remaining": 8214,
                        "waiting_room": true
                    }
                ],
                "as_of": "2025-10-01T11:00:00.000Z"
            }),
        ),
        (status = 304, description = "What you have is still so: you sent its ETag as \
                                       If-None-Match."),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn events(State(edge): State<Edge>, headers: HeaderMap) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let answer = async {
        edge.signed_in(&headers, &trace).await?;
        edge.catalogue.list(&trace).await
    };
    let body = answer.await.map_err(refused("events", &trace))?;
    Ok(cached(&body, &headers))
}

#[utoipa::path(
    get,
    path = "/events/{id}/availability",
    operation_id = "getAvailability",
    tag = "Events",
    summary = "What is left, by section",
    description = "The sections of a show with their prices and counts. What is neither free, \
                   held nor sold is not for sale.",
    params(
        (
            "id" = schema::Id,
            Path,
            description = "The show.",
            example = "evt_2025_1001",
        ),
    ),
    responses(
        (
            status = 200,
            description = "The sections.",
            body = body::Availability,
            links(
                ("SeatsOfFirstSection" = (
                    operation_id = "getSeats",
                    description = "The seats of the first section.",
                    parameters(("id" = "$response.body#/event_id"), ("section" = "$response.body#/sections/0/id")),
                )),
            ),
            example = json!({
                "event_id": "evt_2025_1001",
                "name": "Autumn Night Concert",
                "currency": "KRW",
                "waiting_room": true,
                "remaining": 8214,
                "as_of": "2025-10-01T11:00:00.000Z",
                "sections": [
                    {
                        "id": "R",
                        "name": "R seats",
                        "price": 120000,
                        "kind": "seats",
                        "total": 2000,
                        "remaining": 214,
                        "held": 86,
                        "sold": 1700
                    },
                    {
                        "id": "floor",
                        "name": "Floor",
                        "price": 99000,
                        "kind": "general",
                        "total": 8000,
                        "remaining": 8000,
                        "held": 0,
                        "sold": 0
                    }
                ]
            }),
        ),
        (status = 304, description = "What you have is still so: you sent its ETag as \
                                       If-None-Match."),
        (status = 404, response = NotFound),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn availability(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let answer = async {
        edge.signed_in(&headers, &trace).await?;
        let show = required(ShowId::parse, "event_id", &id)?;
        edge.catalogue.availability(&show, &trace).await
    };
    let body = answer.await.map_err(refused("availability", &trace))?;
    Ok(cached(&body, &headers))
}

#[utoipa::path(
    get,
    path = "/events/{id}/seats",
    operation_id = "getSeats",
    tag = "Events",
    summary = "The seats of a section",
    description = "Every named seat of one section with its status. A section of kind \
                   `general` has no named seats, so its list is empty.",
    params(
        (
            "id" = schema::Id,
            Path,
            description = "The show.",
            example = "evt_2025_1001",
        ),
        (
            "section" = schema::Id,
            Query,
            description = "The section.",
            example = "R",
        ),
    ),
    responses(
        (
            status = 200,
            description = "The seats.",
            body = body::Seats,
            links(
                ("ReserveFirstSeat" = (
                    operation_id = "createReservation",
                    description = "Hold the first seat.",
                    request_body = json!({
                        "event_id": "$response.body#/event_id",
                        "seat_ids": [
                            "$response.body#/seats/0/seat_id"
                        ],
                        "quantity": 1
                    }),
                )),
            ),
            example = json!({
                "event_id": "evt_2025_1001",
                "section": "R",
                "as_of": "2025-10-01T11:00:00.000Z",
                "seats": [
                    {
                        "seat_id": "R-A-1",
                        "row": "A",
                        "number": "1",
                        "price": 120000,
                        "status": "AVAILABLE"
                    },
                    {
                        "seat_id": "R-A-2",
                        "row": "A",
                        "number": "2",
                        "price": 120000,
                        "status": "HELD"
                    }
                ]
            }),
        ),
        (status = 304, description = "What you have is still so: you sent its ETag as \
                                       If-None-Match."),
        (status = 404, response = NotFound),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn seats(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let answer = async {
        edge.signed_in(&headers, &trace).await?;
        let show = required(ShowId::parse, "event_id", &id)?;
        let query = Query::<OfSection>::try_from_uri(&uri);
        let query =
            query.map_err(|_| WireError::invalid("section", "the query must be section= and its id"))?;
        let section = required(SectionId::parse, "section", &query.section)?;
        edge.catalogue.seats(&show, &section, &trace).await
    };
    let body = answer.await.map_err(refused("seats", &trace))?;
    Ok(cached(&body, &headers))
}
