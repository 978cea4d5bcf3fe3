//! REST of shows, reservations and payments.

use super::Edge;
use super::waiting_room::KEY_HEADER;
use crate::cached_body::CachedBody;
use crate::refusal::Refusal;
use crate::service::sales::{SalesService, key};
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
use runtime::refusal::{Reply, refused};
use serde::{Deserialize, Serialize};

const CACHED: HeaderName = HeaderName::from_static(contracts::wire::RECORDED);

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

pub(super) async fn events(State(edge): State<Edge>, headers: HeaderMap) -> Result<Response, Reply> {
    let trace = trace_of(&headers);
    let answer = async {
        edge.signed_in(&headers, &trace).await?;
        edge.catalogue.list(&trace).await
    };
    let body = answer.await.map_err(refused("events", &trace))?;
    Ok(cached(&body, &headers))
}

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

/// Answers a request under a key; the flag says whether an earlier request has the answer.
fn keyed<T: Serialize>(status: StatusCode, (made, recorded): (T, bool)) -> Response {
    let mut response = (status, Json(made)).into_response();
    if recorded {
        response.headers_mut().insert(CACHED, HeaderValue::from_static("true"));
    }
    response
}

/// Answers in the name of the signed-in user; without one the answer is 401.
async fn as_person<T: Serialize>(
    operation: &'static str,
    edge: &Edge,
    headers: &HeaderMap,
    ask: impl AsyncFnOnce(&SalesService, &PersonId, &Trace) -> Result<T, Refusal>,
) -> Result<Response, Reply> {
    let trace = trace_of(headers);
    let answer = async {
        let person = edge.person(headers, &trace).await?;
        ask(&edge.sales, &person, &trace).await
    };
    let answer = answer.await.map_err(refused(operation, &trace))?;
    Ok(Json(answer).into_response())
}

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

pub(super) async fn confirm(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<Confirm>,
) -> Result<Response, Reply> {
    let intent = request.payment_intent_id;
    as_person("confirm", &edge, &headers, async |sales, person, trace| {
        sales.confirm(person, &id, intent, trace).await
    })
    .await
}

pub(super) async fn cancel(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<Cancel>,
) -> Result<Response, Reply> {
    as_person("cancel", &edge, &headers, async |sales, person, trace| {
        sales.cancel(person, &id, request.reason, trace).await
    })
    .await
}

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
