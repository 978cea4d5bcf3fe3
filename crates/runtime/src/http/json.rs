//! Bodies: read with a bound on bytes and time, checked for their type, and refused in the
//! one error shape.
//!
//! 415 for another content type, 413 over [`BODY_BYTES_MAX`], 408 for a body that does not
//! arrive, 400 for a body that is not JSON or not of this shape. Nesting is bounded by
//! serde_json (128 levels). What a handler's type does not know is refused by the type
//! itself (`deny_unknown_fields` in `contracts::rest`).

use super::trace_of;
use crate::Reply;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use contracts::error::Code;
use core::time::Duration;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// The longest time to send a body.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// How much of an oversized body is read and thrown away before it is refused. A server
/// that answers and closes while the caller still writes makes the kernel reset the
/// connection, and the caller never sees the 413.
const DISCARDED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A JSON body, of a request or of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// A JSON body that may be left out: the default then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OptionalJson<T>(pub T);

/// The bytes of a request's body, whatever their type: for a body whose signature covers
/// its exact bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawBody(pub Bytes);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Reply;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(not_json(&parts.headers));
        }
        let bytes = read(&parts.headers, body).await?;
        Self::parse(&bytes, &parts.headers)
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Reads a body that was taken as [`RawBody`], for example after its signature was
    /// verified. Every body is an object: serde would take an array for a structure,
    /// its values in the order of the fields.
    ///
    /// # Errors
    /// A 400 in the error shape that says where it is wrong.
    pub fn parse(bytes: &[u8], headers: &HeaderMap) -> Result<Self, Reply> {
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err(refusal(StatusCode::BAD_REQUEST, "the body must be a JSON object", headers));
        }
        serde_json::from_slice(bytes).map(Self).map_err(|error| {
            let message = format!("the body cannot be read: {}", short(&error.to_string()));
            refusal(StatusCode::BAD_REQUEST, &message, headers)
        })
    }
}

impl<T, S> FromRequest<S> for OptionalJson<T>
where
    T: DeserializeOwned + Default,
    S: Send + Sync,
{
    type Rejection = Reply;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if !is_json(&parts.headers) {
            return Err(not_json(&parts.headers));
        }
        Json::parse(&bytes, &parts.headers).map(|Json(body)| Self(body))
    }
}

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Reply;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        read(&parts.headers, body).await.map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Reply> {
    let too_large = || {
        let message = format!("the body is larger than {BODY_BYTES_MAX} bytes");
        refusal(StatusCode::PAYLOAD_TOO_LARGE, &message, headers)
    };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    // A caller that asks first (`Expect: 100-continue`) has sent nothing yet, and reading would
    // invite it to.
    let asks = headers.contains_key(header::EXPECT);
    if announced
        .is_some_and(|length| length > DISCARDED_BYTES_MAX || (asks && length > BODY_BYTES_MAX as u64))
    {
        return Err(too_large());
    }
    #[allow(clippy::disallowed_methods, reason = "real sockets live in real time")]
    let collected = tokio::time::timeout(BODY_TIME_MAX, collect(body)).await;
    match collected {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(_)) => Err(refusal(StatusCode::BAD_REQUEST, "the body ended early", headers)),
        Err(_) => Err(refusal(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time", headers)),
    }
}

/// The whole body, or `None` when it is too large.
async fn collect(mut body: Body) -> Result<Option<Bytes>, axum::Error> {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    let mut seen: u64 = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen += data.len() as u64;
        if seen > DISCARDED_BYTES_MAX {
            return Ok(None);
        }
        if seen > BODY_BYTES_MAX as u64 {
            continue;
        }
        // Nearly every body is one frame, which is then not copied.
        if first.is_empty() && more.is_empty() {
            first = data;
        } else {
            if more.is_empty() {
                more.extend_from_slice(&first);
            }
            more.extend_from_slice(&data);
        }
    }
    let whole = if more.is_empty() { first } else { more.freeze() };
    Ok((seen <= BODY_BYTES_MAX as u64).then_some(whole))
}

fn not_json(headers: &HeaderMap) -> Reply {
    refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json", headers)
}

fn refusal(status: StatusCode, message: &str, headers: &HeaderMap) -> Reply {
    Reply::new(Code::InvalidArgument, message, &trace_of(headers)).with_status(status)
}

/// Serde quotes the value it did not expect, which may be as long as the body.
fn short(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    text.char_indices().nth(CHARS_MAX).map_or_else(|| text.to_owned(), |(at, _)| format!("{}…", &text[..at]))
}
