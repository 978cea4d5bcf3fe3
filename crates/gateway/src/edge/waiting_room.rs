//! REST of the waiting room.

use super::Edge;
use super::caller::key_of;
use super::idempotency::optional_key;
use super::openapi::errors::{BadGateway, Forbidden, Gone, NotFound};
use crate::refusal::Refusal;
use crate::service::waiting_room::{HeldTicket, Joiner};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use contracts::error::WireError;
use contracts::rest::gateway as body;
use contracts::rest::gateway::schema;
use contracts::vocabulary::{optional, required};
use domain::id::{PersonId, ShowId};
use http::{Extensions, HeaderMap, StatusCode, Uri};
use ports::Trace;
use runtime::http::{Json, trace_of};
use runtime::refusal::{Reply, refused};
use serde::Deserialize;
use std::borrow::Cow;

/// The query of a request with a ticket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithToken {
    #[serde(default)]
    token: String,
}

#[utoipa::path(
    post,
    path = "/queue/join",
    operation_id = "joinQueue",
    tag = "Waiting room",
    summary = "Take a place in line",
    description = "Gives you a place and a signed `waiting_token`. Keep the token: it is your \
                   place, and everything else in the line asks for it. The same person and show \
                   again, or the same Idempotency-Key, give the same place. With a bearer token \
                   you are its `sub`.",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = body::Join,
    responses(
        (status = 202, description = "You are in line.", body = body::Joined),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 502, response = BadGateway),
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn join(
    State(edge): State<Edge>,
    headers: HeaderMap,
    extensions: Extensions,
    Json(request): Json<body::Join>,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let joined = async {
        let show = required(ShowId::parse, "event_id", &request.event_id)?;
        let claimed = optional(PersonId::parse, "user_id", request.user_id.as_deref().unwrap_or_default())?;
        let joiner = match (edge.signed_in(&headers, &trace).await?, claimed) {
            (Some(person), Some(claimed)) if person != claimed => {
                return Err(edge.foreign_name(&trace));
            }
            (Some(person), _) => {
                edge.within_limit(&key_of(&person))?;
                Joiner::Person(person)
            }
            (None, Some(claimed)) => Joiner::Claimed(claimed),
            (None, None) => match optional_key(&headers)? {
                Some(key) => Joiner::Keyed(key.as_str().to_owned(), edge.sender(&headers, &extensions)),
                None => Joiner::Anybody,
            },
        };
        edge.waiting_room.join(&show, &joiner, &trace).await
    };
    let joined = joined.await.map_err(refused("join", &trace))?;
    Ok((StatusCode::ACCEPTED, Json(joined)).into_response())
}

/// Verifies the ticket and counts the request against its owner's limit.
pub(super) async fn accept(edge: &Edge, token: &str, trace: &Trace) -> Result<HeldTicket, Refusal> {
    let held = edge.waiting_room.accept(token, trace).await?;
    edge.within_limit(held.key())?;
    Ok(held)
}

/// The query's only parameter. Not read by a general parser, because these requests come tens of
/// thousands of times a second.
fn token(uri: &Uri) -> Result<Cow<'_, str>, Refusal> {
    let query = uri.query().unwrap_or_default();
    let plain = |text: &str| !text.is_empty() && !text.contains(['&', '%', '+']);
    if let Some(token) = query.strip_prefix("token=").filter(|token| plain(token)) {
        return Ok(token.into());
    }
    let read = Query::<WithToken>::try_from_uri(uri);
    let read =
        read.map_err(|_| WireError::invalid("token", "the query must be token= and the waiting token"))?;
    Ok(read.0.token.into())
}

#[utoipa::path(
    get,
    path = "/queue/status",
    operation_id = "getQueueStatus",
    tag = "Waiting room",
    summary = "Where you stand",
    description = "Your place and when it will be your turn. Ask again after `poll_after_ms`. \
                   Asking is your sign of life: after 30 seconds of silence you count as absent \
                   and others go first; come back and you are at your own place again.",
    params(("token" = schema::WaitingToken, Query)),
    responses(
        (status = 200, description = "Where you stand.", body = body::Status),
        (status = 404, response = NotFound),
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn status(
    State(edge): State<Edge>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let status = async {
        edge.signed_in(&headers, &trace).await?;
        let held = accept(&edge, &token(&uri)?, &trace).await?;
        Ok::<_, Refusal>(edge.waiting_room.status(&held).await)
    };
    let status = status.await.map_err(refused("status", &trace))?;
    Ok(Json(status).into_response())
}

#[utoipa::path(
    get,
    path = "/queue/stream",
    operation_id = "streamQueueStatus",
    tag = "Waiting room",
    summary = "Where you stand, as a stream",
    description = "The same as `queue/status`, sent whenever it changes, as server-sent \
                   events. The first event comes at once. The name of every event is `status`, \
                   its data is the JSON of the status. Lines that begin with a colon only keep \
                   the connection open. The stream ends after `expired` or `left`. An open \
                   stream is your sign of life.",
    params(("token" = schema::WaitingToken, Query)),
    responses(
        (
            status = 200,
            description = "A stream that stays open. The schema describes one event of it.",
            body = body::StatusEvent,
            content_type = "text/event-stream",
        ),
        (status = 404, response = NotFound),
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn stream(
    State(edge): State<Edge>,
    headers: HeaderMap,
    extensions: Extensions,
    uri: Uri,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let stream = async {
        edge.signed_in(&headers, &trace).await?;
        let held = accept(&edge, &token(&uri)?, &trace).await?;
        super::stream::open(&edge, held, edge.sender(&headers, &extensions))
    };
    stream.await.map_err(refused("stream", &trace))
}

#[utoipa::path(
    post,
    path = "/queue/enter",
    operation_id = "enterQueue",
    tag = "Waiting room",
    summary = "Enter when it is your turn",
    description = "Gives you the pass for one reservation. Call it when `status` is `ready`: \
                   ready is a promise. The same token again gives the same pass while it lives. \
                   If the token was made without a person, send a bearer token, because a pass \
                   belongs to somebody.",
    request_body = body::Enter,
    responses(
        (
            status = 200,
            description = "You are in. Send `reservation_token` with your reservation.",
            body = body::Entered,
        ),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 410, response = Gone),
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn enter(
    State(edge): State<Edge>,
    headers: HeaderMap,
    Json(request): Json<body::Enter>,
) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let entered = async {
        let person = edge.signed_in(&headers, &trace).await?;
        let held = accept(&edge, &request.waiting_token, &trace).await?;
        edge.waiting_room.enter(&held, person.as_ref(), &trace).await
    };
    let entered = entered.await.map_err(refused("enter", &trace))?;
    Ok(Json(entered).into_response())
}

#[utoipa::path(
    post,
    path = "/queue/leave",
    operation_id = "leaveQueue",
    tag = "Waiting room",
    summary = "Leave the line",
    description = "Gives your place up. Leaving twice is the same as once. POST is there for \
                   pages that are being closed and can only send that (`navigator.sendBeacon`). \
                   A body is not read.",
    params(("token" = schema::WaitingToken, Query)),
    responses(
        (status = 200, description = "You have left.", body = body::Left),
        (status = 404, response = NotFound),
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn leave(State(edge): State<Edge>, headers: HeaderMap, uri: Uri) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let left = async {
        edge.signed_in(&headers, &trace).await?;
        let held = accept(&edge, &token(&uri)?, &trace).await?;
        edge.waiting_room.leave(&held).await
    };
    let status = left.await.map_err(refused("leave", &trace))?;
    Ok(Json(body::Left { status }).into_response())
}

#[utoipa::path(
    delete,
    path = "/queue/leave",
    operation_id = "leaveQueueByDelete",
    tag = "Waiting room",
    summary = "Leave the line",
    description = "Gives your place up. Leaving twice is the same as once.",
    params(("token" = schema::WaitingToken, Query)),
    responses(
        (status = 200, description = "You have left.", body = body::Left),
        (status = 404, response = NotFound),
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn leave_by_delete(
    edge: State<Edge>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Reply> {
    leave(edge, headers, uri).await
}
