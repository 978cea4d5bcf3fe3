//! Answers over gRPC: a status, or a message with an error in it.

use super::class_of_code;
use crate::common::v1 as common;
use crate::error::{Code, WireError};
use ports::{Fault, FaultClass, PortError};
use std::error::Error;

/// The class of a gRPC status by itself. One with a source was made on this side because no answer
/// came.
pub fn class_of_status(status: &tonic::Status) -> FaultClass {
    use tonic::Code as Grpc;
    if status.source().is_some() {
        return FaultClass::NotReached;
    }
    match status.code() {
        Grpc::Unavailable
        | Grpc::Unimplemented
        | Grpc::Unauthenticated
        | Grpc::PermissionDenied
        | Grpc::ResourceExhausted => FaultClass::NotReached,
        Grpc::DeadlineExceeded | Grpc::Cancelled => FaultClass::Unavailable,
        Grpc::Ok
        | Grpc::InvalidArgument
        | Grpc::NotFound
        | Grpc::AlreadyExists
        | Grpc::FailedPrecondition
        | Grpc::OutOfRange
        | Grpc::Aborted
        | Grpc::Internal
        | Grpc::Unknown
        | Grpc::DataLoss => FaultClass::Transient,
    }
}

/// A gRPC status as the caller's error: a rejection if its details have an error in which
/// `rejection` finds one, else a fault. `what` names the call in the message of a fault.
pub fn error_from_status<R>(
    what: &str,
    status: tonic::Status,
    rejection: impl Fn(&WireError) -> Option<R>,
) -> PortError<R> {
    let class = match (class_of_status(&status), WireError::from_status(&status)) {
        (FaultClass::Transient, Some(error)) => match rejection(&error) {
            Some(rejected) => return PortError::Rejected(rejected),
            None => class_of_code(error.code),
        },
        (class, _) => class,
    };
    let name = status.code().to_string();
    let message = match status.message() {
        "" => format!("{what}: {name}"),
        text => format!("{what}: {name} ({text})"),
    };
    PortError::Failed(Fault::new(class, message).because(status))
}

/// A gRPC status as the buyer's error. It is a refusal if the peer understood the request and
/// refused it, or reports the outcome at a peer of its own: the request may have been carried out
/// there, and the message is for the buyer. Else it is a failure.
pub fn buyers_error_from_status(what: &str, status: tonic::Status) -> PortError<WireError> {
    let is_for_the_buyer = |error: &WireError| {
        class_of_code(error.code) == FaultClass::Permanent
            || matches!(
                error.code,
                Code::Forbidden
                    | Code::Unauthorized
                    | Code::IdempotencyConflict
                    | Code::UpstreamTimeout
                    | Code::UpstreamError
                    | Code::ConcurrentModification
            )
    };
    match WireError::from_status(&status) {
        Some(error) if is_for_the_buyer(&error) => PortError::Rejected(error),
        _ => PortError::Failed(
            Fault::new(class_of_status(&status), format!("{what}: status {:?}", status.code()))
                .because(status),
        ),
    }
}

/// A message as the buyer's answer: its in-band error, if set, is a refusal or a failure.
pub fn buyers_answer<T>(
    what: impl Fn() -> String,
    answer: T,
    error: Option<common::Error>,
) -> Result<T, PortError<WireError>> {
    let Some(error) = error.filter(|error| error.code != 0) else { return Ok(answer) };
    let unknown = || Fault::transient(format!("{}: an error of no known code", what()));
    let error = WireError::from_proto(error).ok_or_else(unknown)?;
    match error.code {
        // A failure inside of the peer is not the buyer's fault.
        Code::Internal | Code::DataCorruption => Err(Fault::transient(format!("{}: {error}", what())).into()),
        _ => Err(PortError::Rejected(error)),
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
                7 | 8 | 12 | 14 | 16 => FaultClass::NotReached,
                1 | 4 => FaultClass::Unavailable,
                _ => FaultClass::Transient,
            };
            assert_eq!(class, expected, "{code:?}");
        }
    }

    #[test]
    fn a_status_without_details_is_no_refusal() {
        for number in 1..=16 {
            let status = tonic::Status::new(tonic::Code::from(number), "no such thing");
            let _ = fault(error_from_status("x", status, |_| Some(())));
        }
    }

    #[test]
    fn a_failure_of_the_transport_is_an_outage_whatever_its_code() {
        let status = tonic::Status::from_error("connection reset".into());
        assert_eq!(status.code(), tonic::Code::Unknown);
        let fault = fault(error_from_status::<()>("inventory ReleaseHold", status, |_| Some(())));
        assert_eq!(fault.class, FaultClass::NotReached);
        assert!(fault.chain().contains("connection reset"), "{}", fault.chain());
    }

    #[test]
    fn an_outage_is_no_refusal_even_with_details() {
        let status = tonic::Status::from(WireError::new(Code::Unavailable, "later"));
        assert_eq!(fault(error_from_status("x", status, |_| Some(()))).class, FaultClass::NotReached);
    }
}
