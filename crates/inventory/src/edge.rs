//! The edges: gRPC for the services, HTTP for probes and administration.

pub(crate) mod grpc;
pub(crate) mod rest;

use contracts::error::{Code, WireError};
use ports::{Fault, FaultClass};

/// The answer to a caller after a fault; the log gets the whole chain of causes.
pub(crate) fn failure(fault: &Fault) -> WireError {
    tracing::warn!(error = fault.chain(), "command failed");
    match fault.class {
        FaultClass::Unavailable => {
            WireError::new(Code::Unavailable, "the inventory cannot answer now; try again")
        }
        FaultClass::Transient | FaultClass::Conflict => {
            WireError::new(Code::Unavailable, "the seats are in high demand; try again")
        }
        FaultClass::Permanent => WireError::new(Code::Internal, "the inventory failed"),
    }
}
