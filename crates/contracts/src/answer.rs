//! What counts as a peer's answer, and what it means: decided here for REST ([`rest`]) and for gRPC
//! ([`grpc`]), and nowhere else.
//!
//! **Only a typed answer decides (rules R8).** Proxies, meshes and wrong addresses answer with HTTP
//! and gRPC statuses too, so a status alone neither moves money nor ends an event.
//!
//! | seen | means | class of the [`Fault`] |
//! |---|---|---|
//! | the result; over REST 2xx with an empty body or a JSON object | done | |
//! | an error with a code of [`crate::error::TABLE`] that the call knows as a refusal, in the answer, in the details of a gRPC status, or as a JSON body | refused | |
//! | 404 with our body, code NOT_FOUND, and the detail reason of the thing that was asked for, such as `NO_SUCH_RESERVATION` | there is no such thing | |
//! | 409 with or without a body | refused; what it does not say, a GET says | |
//! | any other 404; 3xx, 401, 403, 405, 407, 415, 421, 426, 429, 5xx; 2xx with another body; UNIMPLEMENTED, UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE, RESOURCE_EXHAUSTED; a refused or broken connection | the peer was not reached | NotReached |
//! | nothing in time, DEADLINE_EXCEEDED, CANCELLED | no answer | Unavailable |
//! | UNIMPLEMENTED to a call that was added later, from a peer that has answered other calls | the peer is older | Unsupported |
//! | a GET of a reservation answered by 404 or 405 in no form of ours | a peer with PATCH only | Unsupported |
//! | a typed error that may pass, whatever its status: CONCURRENT_MODIFICATION, INTERNAL and the like | again later | Transient |
//! | a typed error that will not pass, such as INVALID_ARGUMENT | never | Permanent |
//! | everything else, such as NOT_FOUND or INTERNAL without details, 400 or 412 with an unknown body, a message without its result | unknown | Transient |

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
    /// The answer is not the peer's, so the peer was not reached; the text is for the log.
    NotReached(String),
    /// The peer is older than this call; the text is for the log.
    Unsupported(String),
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
            Self::NotReached(why) => PortError::Failed(Fault::not_reached(format!("{what}: {why}"))),
            Self::Unsupported(why) => {
                PortError::Failed(Fault::new(FaultClass::Unsupported, format!("{what}: {why}")))
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

/// The class of a typed error, in the answer or in a status.
pub const fn class_of_code(code: Code) -> FaultClass {
    match code {
        Code::Unavailable
        | Code::Unauthenticated
        | Code::Forbidden
        | Code::Unauthorized
        | Code::RateLimited
        | Code::QuotaExceeded
        | Code::RouteNotFound => FaultClass::NotReached,
        Code::Timeout | Code::UpstreamTimeout => FaultClass::Unavailable,
        Code::Internal
        | Code::UpstreamError
        | Code::DataCorruption
        | Code::ConcurrentModification
        | Code::IdempotencyConflict => FaultClass::Transient,
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::IdempotencyRequired
        | Code::ReservationExpired
        | Code::PaymentNotApproved
        | Code::InventoryConflict
        | Code::InsufficientInventory
        | Code::ShowClosed => FaultClass::Permanent,
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
            assert_eq!(in_band, status, "{}", row.text);
        }
    }
}
