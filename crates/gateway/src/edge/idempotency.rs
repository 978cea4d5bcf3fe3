//! The Idempotency-Key of a request, and the mark of an answer that was recorded earlier.

use crate::refusal::Refusal;
use axum::response::{IntoResponse, Response};
use contracts::IdempotencyKey;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use runtime::http::Json;
use serde::Serialize;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const CACHED: HeaderName = HeaderName::from_static(contracts::wire::RECORDED);

/// The key of a request that may have one; an empty one is malformed.
pub(super) fn optional_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Refusal> {
    match headers.get(KEY) {
        None => Ok(None),
        Some(value) if value.is_empty() => Err(IdempotencyKey::malformed().into()),
        Some(value) => Ok(Some(IdempotencyKey::from_header(value)?)),
    }
}

/// The key of a request that needs one; an empty one is missing.
pub(super) fn required_key(headers: &HeaderMap) -> Result<IdempotencyKey, Refusal> {
    let value = headers.get(KEY).ok_or_else(IdempotencyKey::missing)?;
    Ok(IdempotencyKey::from_header(value)?)
}

/// Answers a request under a key; the flag says whether an earlier request has the answer.
pub(super) fn keyed<T: Serialize>(status: StatusCode, (made, recorded): (T, bool)) -> Response {
    let mut response = (status, Json(made)).into_response();
    if recorded {
        response.headers_mut().insert(CACHED, HeaderValue::from_static("true"));
    }
    response
}
