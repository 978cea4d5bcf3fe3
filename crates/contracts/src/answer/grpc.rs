//! Answers over gRPC: a status, or a message with an error in it.

use crate::common::v1 as common;
use crate::error::{Code, WireError};
use ports::{Fault, FaultClass, PortError};
use std::error::Error;

/// The class of a gRPC status. One with a source was made on this side because no answer came.
pub fn class_of_status(status: &tonic::Status) -> FaultClass {
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
/// `what` names the call in the message of a fault.
pub fn error_from_status<R>(
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
        text => format!("{what}: {name} ({text})"),
    };
    PortError::Failed(Fault::new(class, message).because(status))
}

/// A gRPC status as the buyer's error. It is a refusal if the peer understood the request and
/// refused it, or reports the outcome at a peer of its own: the request may have been carried out
/// there, and the message is for the buyer. Else it is a failure.
pub fn buyers_error_from_status(what: &str, status: tonic::Status) -> PortError<WireError> {
    let is_for_the_buyer = |class, error: &WireError| {
        class == FaultClass::Permanent
            || matches!(
                error.code,
                Code::UpstreamTimeout | Code::UpstreamError | Code::ConcurrentModification
            )
    };
    match (class_of_status(&status), WireError::from_status(&status)) {
        (class, Some(error)) if is_for_the_buyer(class, &error) => PortError::Rejected(error),
        (class, _) => PortError::Failed(
            Fault::new(class, format!("{what}: status {:?}", status.code())).because(status),
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
                1 | 4 | 14 => FaultClass::Unavailable,
                2 | 8 | 10 | 13 | 15 => FaultClass::Transient,
                _ => FaultClass::Permanent,
            };
            assert_eq!(class, expected, "{code:?}");
        }
    }

    #[test]
    fn a_failure_of_the_transport_is_an_outage_whatever_its_code() {
        let status = tonic::Status::from_error("connection reset".into());
        assert_eq!(status.code(), tonic::Code::Unknown);
        let fault = fault(error_from_status::<()>("inventory ReleaseHold", status, |_| Some(())));
        assert_eq!(fault.class, FaultClass::Unavailable);
        assert!(fault.chain().contains("connection reset"), "{}", fault.chain());
    }

    #[test]
    fn an_outage_is_no_refusal_even_with_details() {
        let status = tonic::Status::from(WireError::new(Code::Unavailable, "later"));
        assert_eq!(fault(error_from_status("x", status, |_| Some(()))).class, FaultClass::Unavailable);
    }
}
