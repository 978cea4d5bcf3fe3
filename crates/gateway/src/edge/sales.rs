//! REST of shows, reservations and payments.

use super::Edge;
use super::queue::KEY_HEADER;
use crate::prepared::Prepared;
use crate::refusal::Refusal;
use crate::sales::{Desk, key};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use contracts::error::{Code, WireError};
use contracts::rest::gateway as body;
use contracts::rest::reservation::{Cancel, Confirm};
use contracts::vocabulary::required;
use domain::id::{PersonId, SectionId, ShowId};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use ports::Trace;
use runtime::http::{Json, OptionalJson, trace_of};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const CACHED: HeaderName = HeaderName::from_static(contracts::wire::RECORDED);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSection {
    #[serde(default)]
    section: String,
}

/// Answers with a shared body. The caller may cache it and must revalidate it.
fn prepared(answer: Result<Arc<Prepared>, Refusal>, headers: &HeaderMap, trace: &Trace) -> Response {
    match answer {
        Ok(body) => {
            let mut response = body.answer(headers);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        }
        Err(no) => no.reply(trace),
    }
}

pub(super) async fn events(State(edge): State<Edge>, headers: HeaderMap) -> Response {
    let trace = trace_of(&headers);
    let answer = async {
        edge.signed_in(&headers, &trace).await?;
        edge.0.catalogue.list(&trace).await
    };
    prepared(answer.await, &headers, &trace)
}

pub(super) async fn availability(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let trace = trace_of(&headers);
    let answer = async {
        edge.signed_in(&headers, &trace).await?;
        let show = required(ShowId::parse, "event_id", &id)?;
        edge.0.catalogue.availability(&show, &trace).await
    };
    prepared(answer.await, &headers, &trace)
}

pub(super) async fn seats(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let trace = trace_of(&headers);
    let answer = async {
        edge.signed_in(&headers, &trace).await?;
        let show = required(ShowId::parse, "event_id", &id)?;
        let query = Query::<OfSection>::try_from_uri(&uri);
        let query =
            query.map_err(|_| WireError::invalid("section", "the query must be section= and its id"))?;
        let section = required(SectionId::parse, "section", &query.section)?;
        edge.0.catalogue.seats(&show, &section, &trace).await
    };
    prepared(answer.await, &headers, &trace)
}

pub(super) async fn reserve(
    State(edge): State<Edge>,
    headers: HeaderMap,
    Json(request): Json<body::Reserve>,
) -> Response {
    let trace = trace_of(&headers);
    let reserved = async {
        let person = edge.person(&headers, &trace).await?;
        let key = key(headers.get(KEY_HEADER).filter(|key| !key.is_empty()))?.ok_or_else(|| {
            let words = "send the header Idempotency-Key with a key of your choice, the same at every retry";
            Refusal::new(Code::IdempotencyRequired, words)
        })?;
        edge.0.desk.reserve(&person, key, request, &trace).await
    };
    keyed(StatusCode::CREATED, reserved.await, &trace)
}

/// Answers a request under a key; the flag says whether an earlier request has the answer.
fn keyed<T: Serialize>(status: StatusCode, made: Result<(T, bool), Refusal>, trace: &Trace) -> Response {
    match made {
        Ok((made, recorded)) => {
            let mut response = (status, Json(made)).into_response();
            if recorded {
                response.headers_mut().insert(CACHED, HeaderValue::from_static("true"));
            }
            response
        }
        Err(no) => no.reply(trace),
    }
}

/// Answers in the name of the signed-in user; without one the answer is 401.
async fn as_person<T: Serialize>(
    edge: &Edge,
    headers: &HeaderMap,
    ask: impl AsyncFnOnce(&Desk, &PersonId, &Trace) -> Result<T, Refusal>,
) -> Response {
    let trace = trace_of(headers);
    let answer = async {
        let person = edge.person(headers, &trace).await?;
        ask(&edge.0.desk, &person, &trace).await
    };
    match answer.await {
        Ok(answer) => Json(answer).into_response(),
        Err(no) => no.reply(&trace),
    }
}

pub(super) async fn reservation(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    as_person(&edge, &headers, async |desk, person, trace| desk.reservation(person, &id, trace).await).await
}

pub(super) async fn confirm(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<Confirm>,
) -> Response {
    let intent = request.payment_intent_id;
    as_person(&edge, &headers, async |desk, person, trace| desk.confirm(person, &id, intent, trace).await)
        .await
}

pub(super) async fn cancel(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<Cancel>,
) -> Response {
    as_person(&edge, &headers, async |desk, person, trace| {
        desk.cancel(person, &id, request.reason, trace).await
    })
    .await
}

pub(super) async fn intent(
    State(edge): State<Edge>,
    headers: HeaderMap,
    Json(request): Json<body::Intent>,
) -> Response {
    let trace = trace_of(&headers);
    let made = async {
        let person = edge.person(&headers, &trace).await?;
        edge.0.desk.intent(&person, key(headers.get(KEY_HEADER))?, request, &trace).await
    };
    keyed(StatusCode::OK, made.await, &trace)
}

pub(super) async fn process(
    State(edge): State<Edge>,
    headers: HeaderMap,
    Json(request): Json<body::Process>,
) -> Response {
    as_person(&edge, &headers, async |desk, person, trace| desk.process(person, &request, trace).await).await
}

pub(super) async fn payment(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    as_person(&edge, &headers, async |desk, person, trace| desk.payment(person, &id, trace).await).await
}
