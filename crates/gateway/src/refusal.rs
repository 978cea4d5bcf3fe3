//! Why the gateway refuses a request, encoded for both of its edges.

use crate::edge::tell_limit;
use crate::limits::Verdict;
use axum::response::{IntoResponse, Response};
use contracts::error::{Code, WireError};
use core::time::Duration;
use domain::time::Timestamp;
use http::{HeaderValue, StatusCode, header};
use ports::{Fault, FaultClass, Trace};
use runtime::http::ErrorReply;

/// It is not this person's turn: the one code of the gateway that is not in the common table
/// (docs/contracts.md#errors).
pub(crate) const NOT_READY: &str = "NOT_READY";

/// A refusal. Boxed, because nearly every result here has this error type and few are errors.
#[derive(Debug, Clone)]
pub(crate) struct Refusal(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    error: WireError,
    /// Where it differs from the code's own status.
    status: Option<StatusCode>,
    /// How long to wait before the next try.
    retry_after: Option<Duration>,
    /// It is not this person's turn.
    not_ready: bool,
    /// The limit that was reached, and when the next request is allowed.
    limit: Option<(Verdict, Timestamp)>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        WireError::new(code, message).into()
    }

    pub(crate) fn not_ready(after: Duration) -> Self {
        let error = WireError::new(Code::FailedPrecondition, "it is not your turn yet");
        let mut this =
            Self::from(error.detail("waiting_token", NOT_READY, "")).with_status(StatusCode::FORBIDDEN);
        this.0.not_ready = true;
        this.after(after)
    }

    /// The ticket gives no pass any more; `reason` says why.
    pub(crate) fn gone(reason: &str, message: &str) -> Self {
        let error = WireError::new(Code::FailedPrecondition, message).detail("waiting_token", reason, "");
        Self::from(error).with_status(StatusCode::GONE)
    }

    /// A call behind the gateway failed: the log gets the fault, the caller only when to try again.
    pub(crate) fn failed(what: &'static str, fault: &Fault, trace: &Trace) -> Self {
        let trace_id = trace.trace_id.as_deref();
        tracing::warn!(operation = what, trace_id, error = fault.chain(), "call behind the gateway failed");
        match fault.class {
            FaultClass::Permanent => Self::new(Code::Internal, "internal error"),
            _ => Self::unavailable("not available now; try again"),
        }
    }

    pub(crate) fn unavailable(message: &str) -> Self {
        Self::new(Code::Unavailable, message).after(Duration::from_secs(1))
    }

    /// A limit was reached; the next request is allowed at `next_at`.
    pub(crate) fn too_many(verdict: Verdict, next_at: Timestamp) -> Self {
        let mut this = Self::new(Code::RateLimited, "too many requests").after(verdict.wait);
        this.0.limit = Some((verdict, next_at));
        this
    }

    #[must_use]
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    #[must_use]
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.0.error.code
    }

    /// Whether it only says that it is not this person's turn.
    pub(crate) fn is_not_ready(&self) -> bool {
        self.0.not_ready
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.0.status == Some(StatusCode::GONE)
    }

    /// As a gRPC error, with the wait in its details.
    pub(crate) fn into_error(self, trace: &Trace) -> WireError {
        let Parts { error, retry_after, .. } = *self.0;
        let error = match retry_after {
            Some(wait) => error.detail("retry_after_ms", "RETRY", wait.as_millis().to_string()),
            None => error,
        };
        error.traced(trace.trace_id.clone())
    }

    /// As an HTTP response.
    pub(crate) fn reply(self, trace: &Trace) -> Response {
        let Parts { error, status, retry_after, not_ready, limit } = *self.0;
        let status = status.unwrap_or_else(|| error.code.http_status());
        let error = error.traced(trace.trace_id.clone());
        let mut response = if not_ready {
            let mut body = error.to_json();
            NOT_READY.clone_into(&mut body.error.code);
            (status, axum::Json(body)).into_response()
        } else {
            ErrorReply::from(error).with_status(status).into_response()
        };
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        if let Some((verdict, next_at)) = limit {
            tell_limit(verdict, next_at, headers);
        }
        response
    }
}

/// Whole seconds, at least one, for `Retry-After`.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1) as u64
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self(Box::new(Parts { error, status: None, retry_after: None, not_ready: false, limit: None }))
    }
}
