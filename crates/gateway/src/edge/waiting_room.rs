//! REST of the waiting room.

use super::Edge;
use super::caller::key_of;
use crate::refusal::Refusal;
use crate::service::sales::key;
use crate::service::waiting_room::{HeldTicket, Joiner};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use contracts::error::WireError;
use contracts::rest::gateway as body;
use contracts::vocabulary::{optional, required};
use domain::id::{PersonId, ShowId};
use http::{Extensions, HeaderMap, StatusCode, Uri};
use ports::Trace;
use runtime::http::{Json, trace_of};
use runtime::refusal::{Reply, refused};
use serde::Deserialize;
use std::borrow::Cow;

pub(super) const KEY_HEADER: &str = "idempotency-key";

/// The query of a request with a ticket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithToken {
    #[serde(default)]
    token: String,
}

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
            (None, None) => match key(headers.get(KEY_HEADER))? {
                Some(key) => Joiner::Keyed(key.to_owned(), edge.sender(&headers, &extensions)),
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
