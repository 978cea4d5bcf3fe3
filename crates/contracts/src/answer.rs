//! What counts as a peer's answer, and what it means: decided here for REST ([`rest`]) and for gRPC
//! ([`grpc`]), and nowhere else.
//!
//! An answer is a result, a typed refusal, another error, or unreadable. Everything but a result
//! and a refusal becomes a [`Fault`] of a class:
//!
//! | seen | class |
//! |---|---|
//! | no answer (refused, reset, timed out, cancelled), UNAVAILABLE, DEADLINE_EXCEEDED, 503, 504 | Unavailable |
//! | RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNKNOWN, DATA_LOSS, 429, other 5xx, an unreadable answer | Transient |
//! | everything else, such as INVALID_ARGUMENT, UNAUTHENTICATED, other 4xx | Permanent |

pub mod grpc;
pub mod rest;

use crate::common::v1 as common;
use crate::error::{Code, WireError};
use ports::{Fault, FaultClass, PortError};

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

    /// The error of the call; `what` names the call in the message of a fault.
    pub fn into_error(self, what: &str) -> PortError<R> {
        match self {
            Self::Rejected(rejected) => PortError::Rejected(rejected),
            Self::Failed(error) => {
                PortError::Failed(Fault::new(class_of_code(error.code), format!("{what}: {error}")))
            }
            Self::Unreadable(why) => PortError::Failed(Fault::transient(format!("{what}: {why}"))),
        }
    }
}

/// Whether an in-band error is set. Some earlier services always send the message and leave it
/// empty on success.
pub fn is_set(error: &common::Error) -> bool {
    *error != common::Error::default()
}

/// The class of an error inside of an answer, or of an HTTP status (see [`rest::code_of_status`]).
pub const fn class_of_code(code: Code) -> FaultClass {
    match code {
        Code::Unavailable | Code::Timeout | Code::UpstreamTimeout => FaultClass::Unavailable,
        Code::Internal
        | Code::UpstreamError
        | Code::DataCorruption
        | Code::RateLimited
        | Code::QuotaExceeded
        | Code::ConcurrentModification
        | Code::IdempotencyConflict => FaultClass::Transient,
        Code::Unauthenticated
        | Code::Forbidden
        | Code::Unauthorized
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::IdempotencyRequired
        | Code::ReservationExpired
        | Code::PaymentNotApproved
        | Code::InventoryConflict
        | Code::InsufficientInventory
        | Code::ShowClosed
        | Code::RouteNotFound => FaultClass::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::grpc::error_from_status;
    use super::*;

    fn class<R: core::fmt::Debug>(error: PortError<R>) -> FaultClass {
        match error {
            PortError::Failed(fault) => fault.class,
            PortError::Rejected(rejected) => panic!("{rejected:?}"),
        }
    }

    #[test]
    fn both_styles_of_an_error_have_the_same_class() {
        for row in crate::error::TABLE {
            let error = || WireError::new(row.code, "m");
            let in_band = class(Refusal::<()>::Failed(error()).into_error("x"));
            let status = class(error_from_status::<()>("x", error().into(), |_| None));
            // A key that is in use is ALREADY_EXISTS to gRPC, which has no word for "in use just
            // now".
            if row.code != Code::IdempotencyConflict {
                assert_eq!(in_band, status, "{}", row.text);
            }
        }
    }
}
