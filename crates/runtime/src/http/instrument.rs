//! Around every route: a trace, metrics by matched route, panics as 500, and every failure
//! in the one error shape.

use super::{BODY_BYTES_MAX, trace_of};
use crate::Metrics;
use crate::Reply;
use crate::http::metrics::HttpMetrics;
use crate::trace::{TRACE_ID, TRACEPARENT};
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use contracts::error::Code;
use core::panic::AssertUnwindSafe;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use ports::Trace;
use tokio::time::Instant;

/// Wraps a process's whole router. To be called last: routes that are added later are not
/// covered.
///
/// A request without a usable trace gets a new one in its headers, and the answer carries
/// its id in `x-trace-id`. An answer of 400 and above that is not JSON (an extractor's own
/// words, a missing route or method) is replaced by one in the error shape with the same
/// status.
pub fn instrument(router: Router, metrics: &Metrics) -> Router {
    router
        .fallback(async || StatusCode::NOT_FOUND)
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(metrics.family(HttpMetrics::register), observe))
}

#[allow(clippy::disallowed_methods, reason = "measures a real server")]
async fn observe(State(metrics): State<HttpMetrics>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let trace = adopt_trace(request.headers_mut());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);

    // What a handler leaves behind when it panics is its own request's state; shared state is
    // behind locks whose owners decide what a poisoned one means.
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => in_error_shape(response, &trace),
        Err(_) => {
            tracing::error!(route, trace_id = trace.trace_id.as_deref(), "a handler panicked");
            Reply::new(Code::Internal, "internal error", &trace).into_response()
        }
    };
    if let Some(id) = header_value(trace.trace_id.as_deref()) {
        response.headers_mut().entry(TRACE_ID).or_insert(id);
    }
    metrics.answered(&method, route, response.status().as_u16(), start.elapsed());
    response
}

/// The request's trace, written back into its headers if it is new, so that the handler
/// sees the same.
fn adopt_trace(headers: &mut HeaderMap) -> Trace {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(trace) = crate::trace::named(text(TRACEPARENT), text(TRACE_ID)) {
        return trace;
    }
    let trace = trace_of(&HeaderMap::new());
    if let Some(value) = header_value(trace.traceparent.as_deref()) {
        headers.insert(HeaderName::from_static(TRACEPARENT), value);
    }
    trace
}

fn header_value(text: Option<&str>) -> Option<HeaderValue> {
    text.and_then(|text| HeaderValue::from_str(text).ok())
}

fn in_error_shape(response: Response, trace: &Trace) -> Response {
    let status = response.status();
    if status.as_u16() < 400 || !is_bare(response.headers()) {
        return response;
    }
    let (code, message) = match status {
        StatusCode::NOT_FOUND => (Code::RouteNotFound, "there is nothing under this path"),
        StatusCode::METHOD_NOT_ALLOWED => (Code::InvalidArgument, "this path does not answer to this method"),
        StatusCode::PAYLOAD_TOO_LARGE => (Code::InvalidArgument, "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (Code::InvalidArgument, "the content type is not supported"),
        StatusCode::UNAUTHORIZED => (Code::Unauthenticated, "not authenticated"),
        StatusCode::FORBIDDEN => (Code::Forbidden, "not allowed"),
        StatusCode::TOO_MANY_REQUESTS => (Code::RateLimited, "too many requests"),
        StatusCode::SERVICE_UNAVAILABLE => (Code::Unavailable, "not available now"),
        _ if status.is_client_error() => (Code::InvalidArgument, "the request could not be read"),
        _ => (Code::Internal, "internal error"),
    };
    let mut reply = Reply::new(code, message, trace).with_status(status).into_response();
    // A 405 tells the methods that would be answered in `Allow`.
    if let Some(allow) = response.headers().get(header::ALLOW) {
        reply.headers_mut().insert(header::ALLOW, allow.clone());
    }
    reply
}

/// Whether an answer is text or nothing: what axum's own rejections and fallbacks write.
fn is_bare(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    kind.is_none_or(|kind| kind.starts_with(b"text/plain"))
}
