//! What a failed call means: the one place that turns gRPC statuses and error codes into classes of
//! [`Fault`].
//!
//! | seen | class |
//! |---|---|
//! | no answer (refused, reset, timed out, cancelled), UNAVAILABLE, DEADLINE_EXCEEDED, 503, 504 | Unavailable |
//! | RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNKNOWN, DATA_LOSS, 429, other 5xx, an unreadable answer | Transient |
//! | everything else, such as INVALID_ARGUMENT, UNAUTHENTICATED, other 4xx | Permanent |

use contracts::error::{Code, WireError};
use contracts::wire::Refusal;
use ports::{Fault, FaultClass, PortError};
use std::error::Error;

/// The class of a gRPC status. One with a source was made on this side because no answer came.
pub(crate) fn class_of_status(status: &tonic::Status) -> FaultClass {
    use tonic::Code as Grpc;
    if status.source().is_some() {
        return FaultClass::Unavailable;
    }
    match status.code() {
        Grpc::Unavailable | Grpc::DeadlineExceeded | Grpc::Cancelled => FaultClass::Unavailable,
        Grpc::ResourceExhausted | Grpc::Aborted | Grpc::Internal | Grpc::Unknown | Grpc::DataLoss => {
            FaultClass::Transient
        }
        Grpc::Ok
        | Grpc::InvalidArgument
        | Grpc::NotFound
        | Grpc::AlreadyExists
        | Grpc::PermissionDenied
        | Grpc::FailedPrecondition
        | Grpc::OutOfRange
        | Grpc::Unimplemented
        | Grpc::Unauthenticated => FaultClass::Permanent,
    }
}

/// The class of an error inside of an answer, or of an HTTP status (see `code_of_status`).
pub(crate) const fn class_of_code(code: Code) -> FaultClass {
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
        | Code::InsufficientInventory => FaultClass::Permanent,
    }
}

/// The code of a gRPC status without further details; `None` if it cannot be a refusal.
fn code_of_refusal(code: tonic::Code) -> Option<Code> {
    match code {
        tonic::Code::NotFound => Some(Code::NotFound),
        tonic::Code::AlreadyExists => Some(Code::AlreadyExists),
        tonic::Code::FailedPrecondition => Some(Code::FailedPrecondition),
        _ => None,
    }
}

/// A gRPC status as the caller's error: a rejection if `rejection` finds one in it, else a fault.
pub(crate) fn from_status<R>(
    what: &str,
    status: tonic::Status,
    rejection: impl Fn(&WireError) -> Option<R>,
) -> PortError<R> {
    let class = class_of_status(&status);
    let typed = WireError::from_status(&status);
    let error = typed.or_else(|| Some(WireError::new(code_of_refusal(status.code())?, status.message())));
    // Only an answer can be a refusal; UNAVAILABLE with details is still an outage.
    if class == FaultClass::Permanent
        && let Some(rejected) = error.as_ref().and_then(rejection)
    {
        return PortError::Rejected(rejected);
    }
    let name = status.code().to_string();
    let message = match status.message() {
        "" => format!("{what}: {name}"),
        words => format!("{what}: {name} ({words})"),
    };
    PortError::Failed(Fault::new(class, message).because(status))
}

/// An answer that was not the result, as the caller's error.
pub(crate) fn from_refusal<R>(what: &str, refusal: Refusal<R>) -> PortError<R> {
    match refusal {
        Refusal::Rejected(rejected) => PortError::Rejected(rejected),
        Refusal::Failed(error) => {
            PortError::Failed(Fault::new(class_of_code(error.code), format!("{what}: {error}")))
        }
        Refusal::Unreadable(words) => PortError::Failed(Fault::transient(format!("{what}: {words}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault<R: core::fmt::Debug>(error: PortError<R>) -> Fault {
        match error {
            PortError::Failed(fault) => fault,
            PortError::Rejected(rejected) => panic!("{rejected:?}"),
        }
    }

    #[test]
    fn every_grpc_code_has_its_class() {
        for number in 1..=16 {
            let code = tonic::Code::from(number);
            let class = class_of_status(&tonic::Status::new(code, "x"));
            let expected = match number {
                1 | 4 | 14 => FaultClass::Unavailable,
                2 | 8 | 10 | 13 | 15 => FaultClass::Transient,
                _ => FaultClass::Permanent,
            };
            assert_eq!(class, expected, "{code:?}");
        }
    }

    #[test]
    fn what_the_transport_reports_is_an_outage_whatever_its_code() {
        let status = tonic::Status::from_error("connection reset".into());
        assert_eq!(status.code(), tonic::Code::Unknown);
        let fault = fault(from_status::<()>("inventory ReleaseHold", status, |_| Some(())));
        assert_eq!(fault.class, FaultClass::Unavailable);
        assert!(fault.chain().contains("connection reset"), "{}", fault.chain());
    }

    #[test]
    fn both_styles_of_an_error_have_the_same_class() {
        for row in contracts::error::TABLE {
            let in_band = fault(from_refusal::<()>("x", Refusal::Failed(WireError::new(row.code, "m"))));
            let status = fault(from_status::<()>("x", WireError::new(row.code, "m").into(), |_| None));
            // A key that is in use is ALREADY_EXISTS to gRPC, which has no word for "in use just
            // now".
            if row.code != Code::IdempotencyConflict {
                assert_eq!(in_band.class, status.class, "{}", row.text);
            }
        }
    }

    #[test]
    fn an_outage_is_no_refusal_even_with_details() {
        let status = tonic::Status::from(WireError::new(Code::Unavailable, "later"));
        assert_eq!(fault(from_status("x", status, |_| Some(()))).class, FaultClass::Unavailable);
    }
}
