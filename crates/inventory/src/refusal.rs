//! Why the inventory refuses a request, and the reply to each refusal.

use crate::service::CreateShowError;
use contracts::error::{Code, WireError};
use contracts::inventory_wire::{Subject, rejection_to_error};
use domain::hold::Rejection;
use domain::id::ShowId;
use domain::show::InvalidShow;
use ports::{Fault, FaultClass, PortError, Trace};
use runtime::refusal::Reply;

/// A refusal.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The request is malformed: a status over gRPC.
    Malformed(WireError),
    /// A rule says no: inside the response over gRPC.
    Rejected(WireError),
    /// Something broke: the log gets the fault, the caller only what to do.
    Failed(Fault),
}

impl Refusal {
    /// The refusal of a call about `subject`.
    pub(crate) fn about(subject: Subject<'_>) -> impl Fn(PortError<Rejection>) -> Self {
        move |error| match error {
            PortError::Rejected(rejection) => Self::Rejected(rejection_to_error(subject, &rejection)),
            PortError::Failed(fault) => Self::Failed(fault),
        }
    }

    /// The refusal of a show that was to be created.
    pub(crate) fn of_creation(show: &ShowId, error: CreateShowError) -> Self {
        match error {
            CreateShowError::Invalid(problems) => Self::Malformed(invalid_show(&problems)),
            CreateShowError::Different => Self::Rejected(
                WireError::new(Code::AlreadyExists, format!("another show is on sale as {show}")).detail(
                    "event_id",
                    "DIFFERENT",
                    show.as_str(),
                ),
            ),
            CreateShowError::Failed(fault) => Self::Failed(fault),
        }
    }
}

fn invalid_show(problems: &[InvalidShow]) -> WireError {
    let message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    problems.iter().fold(WireError::new(Code::InvalidArgument, message), |error, problem| {
        error.detail(problem.field.clone(), "INVALID", problem.problem.clone())
    })
}

impl runtime::refusal::Refusal for Refusal {
    fn reply(&self) -> Reply {
        match self {
            Self::Malformed(error) => Reply::status(error.clone()),
            Self::Rejected(error) => Reply::in_band(error.clone()),
            Self::Failed(fault) => Reply::status(match fault.class {
                FaultClass::Unavailable | FaultClass::NotReached => {
                    WireError::new(Code::Unavailable, "the inventory cannot answer now; try again")
                }
                FaultClass::Transient | FaultClass::Conflict => {
                    WireError::new(Code::Unavailable, "the seats are in high demand; try again")
                }
                FaultClass::Permanent | FaultClass::Unsupported => {
                    WireError::new(Code::Internal, "the inventory failed")
                }
            }),
        }
    }

    fn log(&self, operation: &'static str, trace: &Trace) {
        if let Self::Failed(fault) = self {
            let (trace_id, error) = (trace.trace_id.as_deref(), fault.chain());
            tracing::warn!(operation, trace_id, error, "command failed");
        }
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}
