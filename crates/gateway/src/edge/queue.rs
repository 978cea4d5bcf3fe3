//! REST of the waiting room.

use super::Edge;
use super::caller::key_of;
use crate::queue::{Held, Joiner};
use crate::refusal::Refusal;
use crate::sales::key;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use contracts::error::WireError;
use contracts::rest::gateway as body;
use contracts::vocabulary::{optional, required};
use domain::id::{PersonId, ShowId};
use http::{Extensions, HeaderMap, StatusCode, Uri};
use ports::Trace;
use runtime::http::{Json, trace_of};
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
) -> Response {
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
        edge.0.queue.join(&show, &joiner, &trace).await
    };
    match joined.await {
        Ok(joined) => (StatusCode::ACCEPTED, Json(joined)).into_response(),
        Err(no) => no.reply(&trace),
    }
}

/// Verifies the ticket and counts the request against its owner's limit.
pub(super) async fn held(edge: &Edge, token: &str, trace: &Trace) -> Result<Held, Refusal> {
    let held = edge.0.queue.held(token, trace).await?;
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

pub(super) async fn status(State(edge): State<Edge>, headers: HeaderMap, uri: Uri) -> Response {
    let trace = trace_of(&headers);
    let status = async {
        edge.signed_in(&headers, &trace).await?;
        let held = held(&edge, &token(&uri)?, &trace).await?;
        Ok::<_, Refusal>(edge.0.queue.status(&held).await)
    };
    match status.await {
        Ok(status) => Json(status).into_response(),
        Err(no) => no.reply(&trace),
    }
}

pub(super) async fn stream(
    State(edge): State<Edge>,
    headers: HeaderMap,
    extensions: Extensions,
    uri: Uri,
) -> Response {
    let trace = trace_of(&headers);
    let held = async {
        edge.signed_in(&headers, &trace).await?;
        held(&edge, &token(&uri)?, &trace).await
    };
    match held.await {
        Ok(held) => match super::stream::open(&edge, held, edge.sender(&headers, &extensions)) {
            Ok(stream) => stream,
            Err(no) => no.reply(&trace),
        },
        Err(no) => no.reply(&trace),
    }
}

pub(super) async fn enter(
    State(edge): State<Edge>,
    headers: HeaderMap,
    Json(request): Json<body::Enter>,
) -> Response {
    let trace = trace_of(&headers);
    let entered = async {
        let person = edge.signed_in(&headers, &trace).await?;
        let held = held(&edge, &request.waiting_token, &trace).await?;
        edge.0.queue.enter(&held, person.as_ref(), &trace).await
    };
    match entered.await {
        Ok(entered) => Json(entered).into_response(),
        Err(no) => no.reply(&trace),
    }
}

pub(super) async fn leave(State(edge): State<Edge>, headers: HeaderMap, uri: Uri) -> Response {
    let trace = trace_of(&headers);
    let left = async {
        edge.signed_in(&headers, &trace).await?;
        let held = held(&edge, &token(&uri)?, &trace).await?;
        edge.0.queue.leave(&held, &trace).await
    };
    match left.await {
        Ok(status) => Json(body::Left { status }).into_response(),
        Err(no) => no.reply(&trace),
    }
}
