//! Answers over REST: status, headers and body.

use super::class_of_code;
use crate::error::{Code, ErrorBody, WireError};
use http::{Response, StatusCode};
use ports::FaultClass;

/// A peer's answer. The status decides its kind, so a proxy's answer counts like a service's.
#[derive(Debug, PartialEq, Eq)]
pub enum RestAnswer<'a> {
    /// A success, with its body, which may be empty.
    Done(&'a [u8]),
    /// 404: the peer does not know the thing that was named.
    NotFound,
    /// 409: the state of the thing does not allow it.
    Conflict(WireError),
    /// Any other status.
    Failed(WireError),
}

/// Reads an answer.
pub fn read<B: AsRef<[u8]>>(answer: &Response<B>) -> RestAnswer<'_> {
    let (status, body) = (answer.status(), answer.body().as_ref());
    match status {
        status if status.is_success() => RestAnswer::Done(body),
        StatusCode::NOT_FOUND => RestAnswer::NotFound,
        StatusCode::CONFLICT => RestAnswer::Conflict(failure(status, body)),
        _ => RestAnswer::Failed(failure(status, body)),
    }
}

/// The class of a failure by its status alone.
pub fn class_of_status(status: StatusCode) -> FaultClass {
    class_of_code(code_of_status(status))
}

/// The code that an HTTP status means if the body has none.
pub fn code_of_status(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::Forbidden,
        404 | 410 => Code::NotFound,
        408 => Code::Timeout,
        409 => Code::AlreadyExists,
        412 => Code::FailedPrecondition,
        429 => Code::RateLimited,
        502 => Code::UpstreamError,
        503 => Code::Unavailable,
        504 => Code::UpstreamTimeout,
        500..=599 => Code::Internal,
        _ => Code::InvalidArgument,
    }
}

/// The failure that an answer reports: the body's error if its code agrees with the status, else
/// the status.
fn failure(status: StatusCode, body: &[u8]) -> WireError {
    let own = serde_json::from_slice::<ErrorBody>(body).ok();
    let message = own.as_ref().map(|body| body.error.message.clone());
    match own.and_then(WireError::from_json) {
        Some(error) if error.code.http_status() == status || status == StatusCode::CONFLICT => error,
        _ => WireError::new(
            code_of_status(status),
            match message.filter(|text| !text.is_empty()) {
                Some(text) => format!("status {status}: {text}"),
                None => format!("status {status}"),
            },
        ),
    }
}
