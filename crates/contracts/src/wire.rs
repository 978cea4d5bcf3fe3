//! Shared by the readers of answers: an answer is a result, a typed refusal, another error, or
//! unreadable.

use crate::common::v1 as common;
use crate::error::{Code, WireError};

/// The header, and gRPC metadata between services, that marks the recorded answer to an earlier
/// request under the same Idempotency-Key. Its value is `true`.
pub const RECORDED: &str = "x-idempotency-cached";

/// An answer other than the requested result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<R> {
    /// The other side understood and says no.
    Rejected(R),
    /// The other side reports a failure; the code names its kind.
    Failed(WireError),
    /// This program cannot read the answer; the text is for the log.
    Unreadable(String),
}

impl<R> Refusal<R> {
    /// Sorts an in-band error: a refusal if `rejection` recognises it, else a failure. An error
    /// with an unknown code is an internal failure of the other side.
    pub fn from_in_band(error: common::Error, rejection: impl Fn(&WireError) -> Option<R>) -> Self {
        let number = error.code;
        let message = error.message.clone();
        let error = WireError::from_proto(error).unwrap_or_else(|| {
            WireError::new(Code::Internal, format!("unknown error code {number}: {message}"))
        });
        match rejection(&error) {
            Some(rejected) => Self::Rejected(rejected),
            None => Self::Failed(error),
        }
    }
}

/// Whether an in-band error is set. Some earlier services always send the message and leave it
/// empty on success.
pub fn is_set(error: &common::Error) -> bool {
    *error != common::Error::default()
}
