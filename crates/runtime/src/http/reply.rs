//! A refusal as an HTTP answer.

use axum::response::{IntoResponse, Response};
use contracts::error::{Code, WireError};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ports::Trace;

/// An error in the shape `{"error":{"code","message","trace_id"}}`, with the status of its code unless another is said.
/// Handlers return it as the `Err` of their result.
#[derive(Debug)]
pub struct ErrorReply(Box<Parts>);

#[derive(Debug)]
struct Parts {
    error: WireError,
    status: StatusCode,
    headers: HeaderMap,
}

impl ErrorReply {
    /// A refusal with this code. The message is for the caller.
    pub fn new(code: Code, message: impl Into<String>, trace: &Trace) -> Self {
        WireError::new(code, message).traced(trace.trace_id.clone()).into()
    }

    /// The same with a status that the endpoint's contract says, where it is not the code's own.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// The same with a header, such as `Retry-After`. A value that cannot stand in a header is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.insert(name, value);
        }
        self
    }

    /// The status that will be answered.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The error that will be answered.
    pub fn error(&self) -> &WireError {
        &self.0.error
    }
}

impl From<WireError> for ErrorReply {
    fn from(error: WireError) -> Self {
        let status = error.code.http_status();
        Self(Box::new(Parts { error, status, headers: HeaderMap::new() }))
    }
}

impl IntoResponse for ErrorReply {
    fn into_response(self) -> Response {
        let Parts { error, status, headers } = *self.0;
        (status, headers, axum::Json(error.to_json())).into_response()
    }
}
