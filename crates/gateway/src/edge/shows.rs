//! REST of the shows on sale.

use super::Edge;
use super::openapi::errors::{BadGateway, NotFound};
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
    description = "Every show on sale and how many seats are free. No token needed.",
    responses(
        (status = 200, description = "The shows.", body = body::Events),
        (status = 304, description = "Not modified since the answer whose ETag you sent."),
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
    summary = "Free seats by section",
    description = "The sections of a show with their prices and counts. Seats that are neither \
                   free, held nor sold are not for sale.",
    params(("id" = schema::Id, Path)),
    responses(
        (status = 200, description = "The sections.", body = body::Availability),
        (status = 304, description = "Not modified since the answer whose ETag you sent."),
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
    params(("id" = schema::Id, Path), ("section" = schema::Id, Query)),
    responses(
        (status = 200, description = "The seats.", body = body::Seats),
        (status = 304, description = "Not modified since the answer whose ETag you sent."),
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
