//! Why the gateway says no, in the words of both of its edges.

use crate::edge::tell_limit;
use crate::limits::Verdict;
use axum::response::{IntoResponse, Response};
use contracts::error::{Code, WireError};
use core::time::Duration;
use domain::time::Timestamp;
use http::{HeaderValue, StatusCode, header};
use ports::{Fault, FaultClass, Trace};
use runtime::http::ErrorReply;

/// Not this person's turn: the one code of the gateway that the common list has not (contracts 3.1).
pub(crate) const NOT_READY: &str = "NOT_READY";

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) error: WireError,
    /// Where it is not the code's own.
    pub(crate) status: Option<StatusCode>,
    /// When to try again.
    pub(crate) retry_after: Option<Duration>,
    /// It is not this person's turn.
    pub(crate) not_ready: bool,
    /// The limit that was reached, and when the next request is let through.
    pub(crate) limit: Option<(Verdict, Timestamp)>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        WireError::new(code, message).into()
    }

    pub(crate) fn not_ready(after: Duration) -> Self {
        let error = WireError::new(Code::FailedPrecondition, "it is not your turn yet").detail(
            "waiting_token",
            NOT_READY,
            "",
        );
        Self {
            error,
            status: Some(StatusCode::FORBIDDEN),
            retry_after: Some(after),
            not_ready: true,
            limit: None,
        }
    }

    /// A ticket that gives no pass any more, and why.
    pub(crate) fn gone(reason: &str, message: &str) -> Self {
        let error = WireError::new(Code::FailedPrecondition, message).detail("waiting_token", reason, "");
        Self::from(error).with_status(StatusCode::GONE)
    }

    /// Something behind the gateway did not answer; it is told to the log, and the caller learns no more than when to come again.
    pub(crate) fn failed(what: &'static str, fault: &Fault, trace: &Trace) -> Self {
        let trace_id = trace.trace_id.as_deref();
        tracing::warn!(operation = what, trace_id, error = fault.chain(), "a call behind the gateway failed");
        match fault.class {
            FaultClass::Permanent => Self::new(Code::Internal, "internal error"),
            _ => Self::unavailable("not available now; try again"),
        }
    }

    pub(crate) fn unavailable(message: &str) -> Self {
        Self::new(Code::Unavailable, message).after(Duration::from_secs(1))
    }

    #[must_use]
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    #[must_use]
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// As an HTTP answer.
    pub(crate) fn reply(self, trace: &Trace) -> Response {
        let status = self.status.unwrap_or_else(|| self.error.code.http_status());
        let mut response = if self.not_ready {
            let mut body = self.error.traced(trace.trace_id.clone()).to_json();
            NOT_READY.clone_into(&mut body.error.code);
            (status, axum::Json(body)).into_response()
        } else {
            ErrorReply::from(self.error.traced(trace.trace_id.clone())).with_status(status).into_response()
        };
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        if let Some((verdict, next_at)) = self.limit {
            tell_limit(verdict, next_at, response.headers_mut());
        }
        response
    }
}

/// Whole seconds, at least one: what `Retry-After` can say.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1) as u64
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self { error, status: None, retry_after: None, not_ready: false, limit: None }
    }
}
