//! Why the gateway refuses a request, and the reply to each refusal.

use crate::limits::Verdict;
use contracts::error::{Code, WireError};
use core::time::Duration;
use domain::time::Timestamp;
use http::{HeaderName, HeaderValue, StatusCode, header};
use ports::{Fault, FaultClass, Trace};
use runtime::refusal::Reply;
use std::sync::Arc;

/// It is not this person's turn: the one code of the gateway that is not in the common table
/// (docs/contracts.md#errors).
const NOT_READY: &str = "NOT_READY";

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// An error of the common table, with the wait before the next try if there is one.
    Error { error: Box<WireError>, retry_after: Option<Duration> },
    /// The state of a reservation or a payment does not allow the request: 409 over REST.
    Conflict(Box<WireError>),
    /// It is not this person's turn; how long until the next try.
    NotReady(Duration),
    /// The ticket gives no pass any more; `reason` says why.
    Gone { reason: &'static str, message: &'static str },
    /// A limit of requests was reached; the next request is allowed at `next_at`.
    TooMany { verdict: Verdict, next_at: Timestamp },
    /// A call behind the gateway failed: the log gets the fault, the caller only when to try again.
    Failed { operation: &'static str, fault: Arc<Fault> },
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        WireError::new(code, message).into()
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(Box::new(WireError::new(Code::FailedPrecondition, message)))
    }

    pub(crate) fn unavailable(message: &str) -> Self {
        Self::new(Code::Unavailable, message).after(Duration::from_secs(1))
    }

    pub(crate) fn failed(operation: &'static str, fault: impl Into<Arc<Fault>>) -> Self {
        Self::Failed { operation, fault: fault.into() }
    }

    /// A refusal of a service behind the gateway. Over REST a failed precondition is 409 Conflict.
    pub(crate) fn from_backend(error: WireError) -> Self {
        match error.code {
            Code::FailedPrecondition => Self::Conflict(Box::new(error)),
            Code::ConcurrentModification
            | Code::Unavailable
            | Code::UpstreamTimeout
            | Code::UpstreamError => Self::from(error).after(Duration::from_secs(1)),
            _ => error.into(),
        }
    }

    /// The same with the wait before the next try; only an error of the common table takes one.
    #[must_use]
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        if let Self::Error { retry_after, .. } = &mut self {
            *retry_after = Some(wait);
        }
        self
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Error { error, .. } | Self::Conflict(error) => error.code,
            Self::NotReady(_) | Self::Gone { .. } => Code::FailedPrecondition,
            Self::TooMany { .. } => Code::RateLimited,
            Self::Failed { fault, .. } if fault.class == FaultClass::Permanent => Code::Internal,
            Self::Failed { .. } => Code::Unavailable,
        }
    }

    fn error(&self) -> WireError {
        let code = self.code();
        match self {
            Self::Error { error, .. } | Self::Conflict(error) => (**error).clone(),
            Self::NotReady(_) => {
                WireError::new(code, "it is not your turn yet").detail("waiting_token", NOT_READY, "")
            }
            Self::Gone { reason, message } => {
                WireError::new(code, *message).detail("waiting_token", *reason, "")
            }
            Self::TooMany { .. } => WireError::new(code, "too many requests"),
            Self::Failed { .. } if code == Code::Internal => WireError::new(code, "internal error"),
            Self::Failed { .. } => WireError::new(code, "not available now; try again"),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Error { retry_after, .. } => *retry_after,
            Self::NotReady(wait) => Some(*wait),
            Self::TooMany { verdict, .. } => Some(verdict.wait),
            Self::Failed { .. } => (self.code() == Code::Unavailable).then_some(Duration::from_secs(1)),
            Self::Conflict(_) | Self::Gone { .. } => None,
        }
    }
}

impl runtime::refusal::Refusal for Refusal {
    fn reply(&self) -> Reply {
        let error = self.error();
        let mut reply = match error.code {
            Code::InvalidArgument
            | Code::Unauthenticated
            | Code::RateLimited
            | Code::Unavailable
            | Code::Timeout
            | Code::Internal => Reply::status(error),
            _ => Reply::in_band(error),
        };
        if let Some(wait) = self.retry_after() {
            reply = reply.with_retry_after(wait);
        }
        match self {
            Self::Conflict(_) => reply.with_status(StatusCode::CONFLICT),
            Self::NotReady(_) => reply.with_status(StatusCode::FORBIDDEN).with_code_text(NOT_READY),
            Self::Gone { .. } => reply.with_status(StatusCode::GONE),
            Self::TooMany { verdict, next_at } => with_limit(reply, *verdict, *next_at),
            Self::Error { error, .. } if error.code == Code::Unauthenticated => {
                reply.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            Self::Error { .. } | Self::Failed { .. } => reply,
        }
    }

    fn log(&self, _: &'static str, trace: &Trace) {
        if let Self::Failed { operation, fault } = self {
            let (trace_id, error) = (trace.trace_id.as_deref(), fault.chain());
            tracing::warn!(operation, trace_id, error, "call behind the gateway failed");
        }
    }
}

/// The reset is when the next request is allowed, in whole seconds since 1970, as in earlier
/// gateways.
fn with_limit(reply: Reply, verdict: Verdict, next_at: Timestamp) -> Reply {
    reply
        .with_header(LIMIT, verdict.limit.into())
        .with_header(REMAINING, verdict.remaining.into())
        .with_header(RESET, next_at.as_millis().div_ceil(1_000).into())
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Error { error: Box::new(error), retry_after: None }
    }
}
