//! Answers over REST: status, headers and body.

use crate::error::{Code, ErrorBody, WireError};
use http::{Response, StatusCode};
use ports::FaultClass;
use serde::de::IgnoredAny;

/// A peer's answer, or what came in its place.
#[derive(Debug, PartialEq, Eq)]
pub enum RestAnswer<'a> {
    /// A success with its body: nothing, or a JSON object.
    Done(&'a [u8]),
    /// Our 404: the peer does not know the thing that was named.
    NoSuchThing,
    /// Our error body.
    Failed(WireError),
    /// 409: the state of the thing does not allow it. The error is empty of particulars if the body
    /// is not ours.
    Conflict(WireError),
    /// 404 or 405 in no form of ours: the peer has no such path or method, or was not reached.
    NoSuchPath(String),
    /// An answer that proxies give: the peer was not reached.
    NotReached(String),
    /// Anything else.
    Unreadable(String),
}

/// Reads an answer. `no_such` has the detail reasons of the peer's 404, such as
/// `NO_SUCH_RESERVATION`.
pub fn read<'a, B: AsRef<[u8]>>(no_such: &[&str], answer: &'a Response<B>) -> RestAnswer<'a> {
    let (status, body) = (answer.status(), answer.body().as_ref());
    let ours = || serde_json::from_slice::<ErrorBody>(body).ok().and_then(WireError::from_json);
    let text = || match ours() {
        Some(error) => format!("status {status}: {error}"),
        None => format!("status {status}"),
    };
    match status {
        status if status.is_success() => match body.is_empty() || is_object(body) {
            true => RestAnswer::Done(body),
            false => RestAnswer::NotReached(format!("{} with a body that is not JSON", text())),
        },
        StatusCode::NOT_FOUND => match ours() {
            Some(error) if error.code == Code::NotFound && is_of(no_such, &error) => RestAnswer::NoSuchThing,
            Some(error) if error.code == Code::RouteNotFound => RestAnswer::NotReached(text()),
            _ => RestAnswer::NoSuchPath(text()),
        },
        StatusCode::METHOD_NOT_ALLOWED => RestAnswer::NoSuchPath(text()),
        status if is_a_proxys(status) => RestAnswer::NotReached(text()),
        StatusCode::CONFLICT => {
            let error = ours().unwrap_or_else(|| WireError::new(Code::FailedPrecondition, text()));
            match super::class_of_code(error.code) {
                // "Again" beside a status that means "no": again.
                FaultClass::Permanent => RestAnswer::Conflict(error),
                _ => RestAnswer::Failed(error),
            }
        }
        _ => ours().map_or_else(|| RestAnswer::Unreadable(text()), RestAnswer::Failed),
    }
}

fn is_of(reasons: &[&str], error: &WireError) -> bool {
    error.details.iter().any(|detail| reasons.contains(&detail.reason.as_str()))
}

/// Whether proxies, gateways and wrong addresses answer with this status, so that it says nothing
/// about the peer.
fn is_a_proxys(status: StatusCode) -> bool {
    status.is_redirection()
        || status.is_server_error()
        || matches!(status.as_u16(), 401 | 403 | 407 | 415 | 421 | 426 | 429)
}

fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}
