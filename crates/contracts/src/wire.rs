//! What the readers of answers have in common: an answer is a result, a typed refusal, another error, or unreadable.

use crate::common::v1 as common;
use crate::error::{Code, WireError};

/// The header of an answer that an earlier request under the same Idempotency-Key has had (contracts 3.1), and gRPC metadata
/// between services. Its value is `true`.
pub const RECORDED: &str = "x-idempotency-cached";

/// An answer that is not the result that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<R> {
    /// The other side understood and says no.
    Rejected(R),
    /// The other side reports a failure; its code says of what kind.
    Failed(WireError),
    /// The answer makes no sense to this program; in words for the log.
    Unreadable(String),
}

impl<R> Refusal<R> {
    /// Sorts an in-band error: a refusal if `rejection` says so, else a failure. An error without a code that this
    /// program knows is an internal failure of the other side.
    pub fn of(error: common::Error, rejection: impl Fn(&WireError) -> Option<R>) -> Self {
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

/// Whether an in-band error is one: some earlier services always send the message and leave it empty when all is well.
pub fn is_set(error: &common::Error) -> bool {
    *error != common::Error::default()
}
