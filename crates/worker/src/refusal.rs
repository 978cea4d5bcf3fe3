//! The refusals of WorkerService and administration, and their answers.
//!
//! All of them are gRPC statuses or HTTP errors: the field `error` of WorkerService's responses
//! carries the verdict on a run, which is not a refusal.

use contracts::error::{Code, WireError};
use ports::{Fault, Trace};
use runtime::Reply;

/// See the module.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The operator's request is malformed.
    Invalid(WireError),
    /// The worker was started without a view of the dead-letter queue.
    NoDeadLetters,
    /// No dead letter has this id.
    NoSuchLetter,
    /// The dead-letter queue failed.
    LettersFailed(Fault),
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Invalid(error)
    }
}

impl runtime::Refusal for Refusal {
    fn reply(&self) -> Reply {
        Reply::status(match self {
            Self::Invalid(error) => error.clone(),
            Self::NoDeadLetters => {
                WireError::new(Code::FailedPrecondition, "this worker cannot read a dead-letter queue")
            }
            Self::NoSuchLetter => WireError::new(Code::NotFound, "no such dead letter"),
            Self::LettersFailed(_) => {
                WireError::new(Code::Unavailable, "the dead-letter queue does not answer")
            }
        })
    }

    fn log(&self, operation: &'static str, trace: &Trace) {
        if let Self::LettersFailed(fault) = self {
            let (error, trace_id) = (fault.chain(), trace.trace_id.as_deref());
            tracing::error!(operation, trace_id, error, "dead-letter queue failed");
        }
    }
}
